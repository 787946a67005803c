title: A genuine pass newer than what the station was told names a crew that nobody here knows
source: domain 5, verdict table: evidence missing for this station

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  pass 330304-0000001 generation 2 granted for 浙C12345, crew zhao, until 2022-05-19 (recorded 14:00)
2022-04-20 12:00:00  pass 330304-0000002 granted for 浙C12345, crew zhao, until 2022-05-19 (recorded 14:00)
2022-04-20 13:00:00  at gate-a: scan of 330304-0000001 generation 1 says GO: in-order; not evidence-missing
2022-04-20 13:00:00  at gate-a: scan of 330304-0000001 generation 2 says HOLD: evidence-missing
2022-04-20 13:00:00  at gate-a: scan of 330304-0000002 says HOLD: evidence-missing
