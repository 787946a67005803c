title: The same person never twice in a tube, and nothing goes into a sealed one
source: domain 5, pools

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 08:01:00  at sampling: swab S2 of li, pcr, pooled in tube T1
2022-04-20 08:01:30  expect never unexplained
2022-04-20 08:02:00  at sampling: swab S3 of wang, pcr, pooled in tube T1
2022-04-20 08:02:30  expect one unexplained since 08:02
2022-04-20 08:03:00  at sampling: tube T1 sealed
2022-04-20 08:04:00  at sampling: swab S4 of li, pcr, pooled in tube T1
2022-04-20 08:05:00  expect unexplained since 08:04
