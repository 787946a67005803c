title: A clock that cannot be trusted holds the truck only where the answer depends on it
source: domain 5, verdict table and defaults: clock tolerance 120 s

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-22 07:50:00  at gate-a: scan (clock off 120 s) says GO: in-order; not clock-unsure
2022-04-22 07:50:00  at gate-a: scan (clock off 121 s) says GO: in-order
# Twenty minutes wrong, ten minutes before the PCR runs out: the answer depends on the clock.
2022-04-22 07:50:00  at gate-a: scan (clock off 20 min) says HOLD: clock-unsure; next check-clock
