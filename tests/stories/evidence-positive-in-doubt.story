title: A positive that cannot count as one still lets nobody through: held for review, swabbed again
source: domain 5: a positive result can never make a GO; outside the window the reading is invalid

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, zhao, until 2022-05-19
2022-04-20 07:30:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 07:30:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 07:30:00  at sampling: swab S3 of zhao, pcr, alone in tube T3
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:00:00  laboratory: T2 negative
2022-04-20 12:00:00  laboratory: T3 negative
2022-04-20 12:01:00  at gate-a: scan says GO: in-order
# An antigen test read at ten minutes, a test nobody knows, and a grey reading of a single tube.
2022-04-20 13:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 13:10:00  at sampling: A1 reads positive
2022-04-20 13:10:01  expect held-for-review of wang; antigen-window-missed of A1; no positive-result
2022-04-20 13:10:01  at gate-a: scan says HOLD: held-for-review
2022-04-20 14:00:00  laboratory: T2 positive as antibody
2022-04-20 14:00:01  expect no positive-result; unexplained; held-for-review of li
2022-04-20 15:00:00  at sampling: swab S4 of zhao, pcr, alone in tube T4, again because "cough"
2022-04-20 19:00:00  laboratory: T4 grey
2022-04-20 19:00:01  expect held-for-review of zhao; no positive-result of zhao
# Swabbed singly in the second of the grey result, and negative: released.
2022-04-20 19:00:00  at sampling: swab S5 of zhao, pcr, alone in tube T5
2022-04-20 23:00:00  laboratory: T5 negative
2022-04-20 23:00:01  expect no held-for-review of zhao; held-for-review of wang
