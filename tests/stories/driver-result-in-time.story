title: A result in the eighth hour is not owed
source: domain 5; near miss of result-owed

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 16:00:00  laboratory: T1 negative
2022-04-20 17:00:00  expect never result-owed
