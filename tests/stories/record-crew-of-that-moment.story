title: Who joins the crew later was not in the cab before
source: domain 5, late truth: what a kiosk showed is what the record says it showed

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan was shown GO: in-order
2022-04-20 12:30:00  at depot: scan was shown GO: in-order
# Li has no test at all, but she joined only at one.
2022-04-20 13:00:00  at gate-a: li joins the crew
2022-04-20 13:00:01  expect crew wang, li; never verdict-differs
2022-04-20 13:00:02  at gate-a: scan says HOLD: evidence-missing
2022-04-20 13:05:00  at market: scan was shown GO: in-order
2022-04-20 13:05:01  expect one verdict-differs since 13:05
