title: A pool tube sealed with one swab in it is still a pool until its people are known
source: domain 5, pools: a tube may be sealed under-filled; pool positive, every member is held

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 08:01:00  at sampling: tube T1 sealed
2022-04-20 15:00:00  laboratory: T1 positive
2022-04-20 15:00:01  expect held-for-review of wang; no positive-result
