title: A GO shown at a gate that had not yet heard of a positive result is a finding
source: design, a scan: a difference is a finding

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:30:00  at gate-a: scan was shown GO: in-order; until 2022-04-22 08:00
2022-04-20 12:30:30  expect never verdict-differs
2022-04-20 13:00:00  at sampling: swab S2 of wang, pcr, alone in tube T2, again because "cough"
2022-04-20 19:00:00  laboratory: T2 positive (recorded 21:00:00)
2022-04-20 19:30:00  at gate-a: scan was shown GO: in-order; lists 3 h old
2022-04-20 20:00:00  expect no verdict-differs
2022-04-20 21:00:00  expect one verdict-differs red since 19:30
