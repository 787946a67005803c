title: Somebody in the cab who is not on the pass joins the crew or stays behind
source: domain 5, verdict table: person in the cab who is not on the pass

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 11:59:00  at gate-a: scan says GO: in-order; not stranger-in-cab
2022-04-20 12:00:00  at gate-a, by chen: stranger in the cab
2022-04-20 12:00:30  at gate-a: scan says HOLD: stranger-in-cab; next join-or-stay
2022-04-20 12:05:00  at gate-a, by chen: the stranger stays behind
2022-04-20 12:05:30  at gate-a: scan says GO: in-order
2022-04-20 13:00:00  at sampling, by chen: stranger in the cab
2022-04-20 13:00:30  at sampling: scan says HOLD: stranger-in-cab
2022-04-20 13:05:00  at sampling, by chen: zhao joins the crew
# Zhao is of the crew now, and wants a test like everyone.
2022-04-20 13:05:30  at sampling: scan says HOLD: evidence-missing; not stranger-in-cab
2022-04-20 13:05:30  expect crew wang, zhao
