title: Only the tractor's plate binds, and another plate stops the truck
source: domain 5, verdict table: plate read differs from the pass

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan (plate read 浙C99999) says STOP: plate-differs; next check-plate-call
2022-04-20 12:00:00  at gate-a: scan (plate read 浙C12345) says GO: in-order; not plate-differs
2022-04-20 12:00:00  at gate-a: scan on paper (plate read 浙C99999, names agree) says STOP: plate-differs
