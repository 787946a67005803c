title: An invalid PCR is neither negative nor on its way
source: domain 4, result; domain 5, release rule

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:01:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:17:00  at sampling: A1 reads negative
2022-04-20 08:17:30  at gate-a: scan says GO: pcr-pending
2022-04-20 14:00:00  laboratory: T1 invalid
2022-04-20 14:00:01  at gate-a: scan says HOLD: evidence-missing; not pcr-pending
2022-04-20 14:00:01  expect wang is not pending; wang is not held; pcr of wang does not count
