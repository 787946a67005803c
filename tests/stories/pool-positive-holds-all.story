title: A positive pool holds every member for review, wherever they are; each is released by their own single negative
source: domain 5, pools

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 08:05:00  pass 330304-0000002 granted for 浙C67890, crew zhao, until 2022-05-19
2022-04-20 08:06:00  at sampling, 浙C67890: swab S2 of zhao, pcr, pooled in tube T1
2022-04-20 15:00:00  laboratory: T1 positive
2022-04-20 15:00:01  at gate-a, 浙C12345: scan says HOLD: held-for-review, evidence-missing; next swab-singly sampling; not tested-positive
2022-04-20 15:00:01  at market, 浙C67890: scan says HOLD: held-for-review, evidence-missing
2022-04-20 15:00:02  浙C12345: expect held-for-review of wang since 15:00; wang is held; wang is not positive; no positive-result
2022-04-20 15:00:02  浙C67890: expect held-for-review of zhao since 15:00
2022-04-20 16:00:00  at sampling, 浙C12345: swab S3 of wang, pcr, alone in tube T2
2022-04-20 16:00:30  expect held-for-review of wang; never sampled-again
2022-04-20 20:00:00  laboratory: T2 negative
2022-04-20 20:00:01  at gate-a, 浙C12345: scan says GO: in-order; until 2022-04-22 16:00:00
2022-04-20 20:00:01  expect no held-for-review; wang is not held
# His negative says nothing of her.
2022-04-20 20:00:02  浙C67890: expect held-for-review of zhao; zhao is held
