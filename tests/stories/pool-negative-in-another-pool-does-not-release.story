title: A second pool's negative releases nobody whom the first one held; a tube of one's own does
source: domain 5, pools: each is swabbed again singly and released by their own negative

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 14:00:00  laboratory: T1 positive
2022-04-20 15:00:00  at sampling: swab S2 of wang, pcr, pooled in tube T2
2022-04-20 20:00:00  laboratory: T2 negative
2022-04-20 20:00:01  expect held-for-review of wang
2022-04-20 20:00:01  at gate-a: scan says HOLD: held-for-review; not evidence-missing
2022-04-20 20:30:00  at sampling: swab S3 of wang, pcr, alone in tube T3
2022-04-21 01:00:00  laboratory: T3 negative
2022-04-21 01:00:01  expect no held-for-review
