title: A clock that is a day ahead hides no positive
source: domain 5: a positive result can never make a GO; witnesses' clocks may be wrong

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
# The tent's clock shows tomorrow.
2022-04-21 13:00:00  at sampling: swab A1 of wang, antigen (recorded 2022-04-20 13:00:00)
2022-04-21 13:16:00  at sampling: A1 reads positive (recorded 2022-04-20 13:16:00)
2022-04-20 13:10:00  at gate-a: scan says GO: in-order
2022-04-20 13:20:00  at gate-a: scan says STOP: tested-positive
2022-04-20 13:20:00  expect positive-result red of wang since 13:20
