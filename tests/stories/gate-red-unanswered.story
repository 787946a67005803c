title: A red departure that nobody answered holds the truck at the next gate
source: domain 5, verdict table

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan says GO: in-order; not red-unanswered
2022-04-20 12:30:00  server: warning off-loop red since 12:10 #W1
2022-04-20 12:31:00  at gate-a: scan says HOLD: red-unanswered; next coordinator-answers
2022-04-20 12:40:00  coordinator, by chen: warning W1 answered "road closed, sent round"
2022-04-20 12:41:00  at gate-a: scan says GO: in-order; not red-unanswered
2022-04-20 13:00:00  server: warning off-loop yellow since 12:55 #W2
2022-04-20 13:01:00  at gate-a: scan says GO: in-order
2022-04-20 13:10:00  server: warning W2 changed to red
2022-04-20 13:11:00  at gate-a: scan says HOLD: red-unanswered
2022-04-20 13:20:00  server: warning W2 withdrawn
2022-04-20 13:21:00  at gate-a: scan says GO: in-order

# Back on the loop is no answer: a truck at a gate is always back.
2022-04-20 14:00:00  server: warning off-loop red since 13:40 #W3
2022-04-20 14:10:00  server: warning W3 cleared, ended 14:05
2022-04-20 14:11:00  at gate-a: scan says HOLD: red-unanswered; next coordinator-answers
2022-04-20 14:12:00  coordinator, by chen: warning W3 answered "he had to refuel"
2022-04-20 14:13:00  at gate-a: scan says GO: in-order; not red-unanswered

# A silence that ended needs none: its fixes said where the truck had been.
2022-04-20 15:00:00  server: warning silent red since 14:25 #W4
2022-04-20 15:01:00  at gate-a: scan says HOLD: red-unanswered
2022-04-20 15:05:00  server: warning W4 cleared, ended 15:02
2022-04-20 15:06:00  at gate-a: scan says GO: in-order
