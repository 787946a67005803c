title: A negative pool makes every member negative, each from the time of their own swab
source: domain 5, pools

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 08:07:30  at sampling: swab S2 of li, pcr, pooled in tube T1
2022-04-20 08:10:00  at sampling: tube T1 sealed
2022-04-20 15:00:00  laboratory: T1 negative
2022-04-20 15:00:00  expect pcr of wang until 2022-04-22 08:00:00; pcr of li until 2022-04-22 08:07:30; never held-for-review
2022-04-20 15:00:00  at gate-a: scan says GO: in-order; not held-for-review
