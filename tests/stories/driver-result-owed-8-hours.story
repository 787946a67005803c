title: A laboratory owes a result for more than eight hours
source: domain 5, defaults: result owed 8 h

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 16:00:00  expect no result-owed
2022-04-20 16:00:01  expect result-owed of S1 since 16:00 for the driver
2022-04-20 17:00:00  laboratory: T1 negative
2022-04-20 17:00:01  expect no result-owed; result-owed ended 17:00
