title: Everyone in the crew counts: one man without a test holds the truck
source: domain 4 crew; domain 5 verdict table

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-20 14:30:00  at gate-a: scan says HOLD: evidence-missing
2022-04-20 15:00:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 15:00:30  at sampling: swab A2 of li, antigen
2022-04-20 15:16:00  at sampling: A2 reads negative
2022-04-20 15:17:00  at gate-a: scan says GO: pcr-pending; until 2022-04-21 15:00:30
2022-04-20 20:00:00  laboratory: T2 negative
2022-04-20 20:01:00  at gate-a: scan says GO: in-order; until 2022-04-22 08:00:00
