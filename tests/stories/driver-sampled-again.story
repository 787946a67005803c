title: Sampled again inside the validity
source: domain 6; release rule: no repeat sampling inside the validity

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-20 14:00:30  expect never sampled-again
2022-04-22 07:59:59  at sampling: swab S2 of wang, pcr, alone in tube T2, again because "the station insists"
2022-04-22 08:00:00  expect sampled-again since 2022-04-22 07:59:59 for the driver
