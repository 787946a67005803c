title: A pass counts from its first second
source: domain 5, verdict table: not yet valid

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, from 2022-04-20 12:00, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 11:59:59  at gate-a: scan says STOP: pass-not-yet-valid; next call-new-pass
2022-04-20 12:00:00  at gate-a: scan says GO: in-order; not pass-not-yet-valid
