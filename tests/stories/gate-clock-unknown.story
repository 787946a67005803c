title: A clock that nobody compared is not trusted near an edge
source: domain 5, verdict table: the clock here cannot be trusted and the answer depends on it

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-22 07:59:00  at gate-a: scan (clock unknown) says HOLD: clock-unsure; next check-clock
2022-04-22 07:59:00  at gate-a: scan says GO: in-order; not clock-unsure
