title: A voided swab is as if it had never been taken
source: design: corrections are facts

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:00:10  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:00:00  laboratory: T2 negative
2022-04-20 12:00:30  at gate-a: scan says GO: in-order
2022-04-20 12:10:00  at sampling, by chen: void S1 "it was the man behind him" #void
2022-04-20 12:10:30  at gate-a: scan says HOLD: evidence-missing
2022-04-20 12:10:30  expect pcr of wang does not count; pcr of li until 2022-04-22 08:00:10
# The correction was itself wrong.
2022-04-20 12:20:00  at sampling, by chen: void #void "no, it was him"
2022-04-20 12:20:30  at gate-a: scan says GO: in-order
