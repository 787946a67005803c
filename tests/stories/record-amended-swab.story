title: An amended swab counts as amended: the right person, the right time
source: design: corrections are facts

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:00:30  expect pcr of wang until 2022-04-22 08:00; pcr of li does not count
2022-04-20 12:10:00  at sampling, by chen: amend S1 to: swab S1 of li, pcr, alone in tube T1 at 2022-04-20 07:45 "wrong name, wrong minute"
2022-04-20 12:10:30  expect pcr of wang does not count; pcr of li until 2022-04-22 07:45
