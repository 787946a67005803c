title: A positive result overrides every negative, before and after it
source: domain 5: a positive result can never make a GO

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 07:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:30:00  at gate-a: scan says GO: in-order; not tested-positive
2022-04-20 12:30:00  expect no positive-result
2022-04-20 13:00:00  at sampling: swab S2 of wang, pcr, alone in tube T2, again because "cough"
2022-04-20 19:00:00  laboratory: T2 positive
2022-04-20 19:00:00  at gate-a: scan says STOP: tested-positive
2022-04-20 19:00:00  expect positive-result red of wang
# A later antigen says nothing against a positive PCR.
2022-04-20 20:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 20:17:00  at sampling: A1 reads negative
2022-04-20 20:18:00  at gate-a: scan says STOP: tested-positive
