title: A warning that was answered and cleared stops nobody
source: domain 5, verdict table; design: what was told is a fact

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:30:00  server: warning unscheduled-stop red since 12:10 #W1
2022-04-20 12:31:00  at gate-a: scan says HOLD: red-unanswered
2022-04-20 12:40:00  server: warning W1 cleared, ended 12:35
2022-04-20 12:41:00  at gate-a: scan says GO: in-order; not red-unanswered
