title: A genuine pass of which nothing is known here holds the truck, it does not open the gate
source: domain 5, passes: a pass must be checkable with no network

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan (nothing known) says HOLD: evidence-missing; next sample-here sampling; not in-order
2022-05-20 12:00:00  at gate-a: scan (nothing known) says STOP: pass-expired, evidence-missing
