title: What is not a pass of ours stops the truck, whatever else is known
source: domain 5, verdict table: signature wrong, issuer unknown, altered

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan (forged) says STOP: not-genuine; next keep-truck-call
2022-04-20 12:00:00  at gate-a: scan (foreign) says STOP: not-genuine
2022-04-20 12:00:00  at gate-a: scan (half) says STOP: not-genuine
2022-04-20 12:00:00  at gate-a: scan says GO: in-order; not not-genuine
