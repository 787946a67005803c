title: A grey pool holds as a positive one does
source: domain 5, pools: positive or grey

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 08:01:00  at sampling: swab S2 of li, pcr, pooled in tube T1
2022-04-20 15:00:00  laboratory: T1 grey
2022-04-20 15:00:01  expect held-for-review of wang; held-for-review of li; no positive-result
# A negative antigen does not release; a single swab does, each their own.
2022-04-20 15:10:00  at sampling: swab A1 of wang, antigen
2022-04-20 15:26:00  at sampling: A1 reads negative
2022-04-20 15:27:00  at sampling: scan says HOLD: held-for-review, evidence-missing
2022-04-20 15:30:00  at sampling: swab S3 of wang, pcr, alone in tube T3
2022-04-20 15:31:00  at sampling: swab S4 of li, pcr, alone in tube T4
2022-04-20 19:00:00  laboratory: T3 negative
2022-04-20 19:00:01  expect no held-for-review of wang; held-for-review of li
2022-04-20 19:30:00  laboratory: T4 positive
2022-04-20 19:30:01  expect positive-result of li; no held-for-review; wang is not positive
2022-04-20 19:30:01  at gate-a: scan says STOP: tested-positive, evidence-missing
