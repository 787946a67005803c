title: A pass counts until its last second
source: domain 5, verdict table: expired

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-04-21 12:00
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-21 11:59:59  at gate-a: scan says GO: in-order; until 2022-04-21 12:00:00; not pass-expired
2022-04-21 12:00:00  at gate-a: scan says STOP: pass-expired; next call-new-pass
