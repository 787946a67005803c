title: Turned back although the evidence was valid
source: domain 6: turned back or held while the evidence was valid

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 07:30:00  at gate-a: scan was shown HOLD: evidence-missing
2022-04-20 07:31:00  expect never held-while-valid
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
# The negative reaches the gate four hours after the laboratory wrote it.
2022-04-20 14:00:00  laboratory: T1 negative (recorded 18:00:00)
2022-04-20 15:00:00  at gate-a: scan was shown HOLD: evidence-missing; lists 4 h old
2022-04-20 15:30:00  expect never held-while-valid
2022-04-20 18:00:00  expect one held-while-valid since 15:00 for the driver
