title: Two kiosks' clocks a minute apart make nobody's GO wrong
source: domain 5, defaults: clock tolerance 120 s

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:01:00  at sampling: swab S1 of wang, pcr, alone in tube T1
# The clock in the tent is a minute ahead of the one at the exit.
2022-04-20 08:17:00  at sampling: A1 reads negative (recorded 08:16:00)
2022-04-20 08:16:30  at gate-a: scan says GO: pcr-pending
2022-04-20 08:16:30  at gate-a: scan was shown GO: pcr-pending
2022-04-20 08:20:00  expect never verdict-differs
