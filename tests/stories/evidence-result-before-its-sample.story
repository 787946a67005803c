title: A result older than its own sample is refused
source: domain 5: refuse a result older than its own sample

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:00:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 08:00:00  laboratory: T2 negative
2022-04-20 07:59:59  laboratory: T1 negative
2022-04-20 14:00:00  expect pcr of wang does not count; pcr of li until 2022-04-22 08:00; one unexplained
2022-04-20 14:00:00  at gate-a: scan says HOLD: evidence-missing
