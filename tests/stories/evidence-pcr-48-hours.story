title: At exactly 48 hours a PCR no longer counts
source: domain 5, release rule of 18 April 2022 and validity windows

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:06:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-20 14:00:00  laboratory: T2 negative

2022-04-22 08:04:59  at gate-a: scan of 330304-0000001 says GO: in-order; until 2022-04-22 08:05:00; next drive-on; not evidence-missing
2022-04-22 08:04:59  expect pcr of wang until 2022-04-22 08:05:00; pcr of li until 2022-04-22 08:06:00
2022-04-22 08:05:00  at gate-a: scan says HOLD: evidence-missing; not in-order
2022-04-22 08:05:00  expect pcr of wang does not count; pcr of li until 2022-04-22 08:06:00
2022-04-22 08:05:00  at sampling: scan says HOLD: evidence-missing; next sample-here
