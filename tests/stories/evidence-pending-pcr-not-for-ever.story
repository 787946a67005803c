title: A PCR that is owed for 48 hours is no longer on its way
source: domain 5, release rule and validity windows

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-22 07:30:00  at sampling: swab A1 of wang, antigen
2022-04-22 07:46:00  at sampling: A1 reads negative
2022-04-22 07:59:59  at gate-a: scan says GO: pcr-pending; until 2022-04-22 08:00:00
2022-04-22 08:00:00  at gate-a: scan says HOLD: evidence-missing; not pcr-pending
