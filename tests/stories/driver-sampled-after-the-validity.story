title: Sampled at 48 hours is not sampled again; nor is an antigen test, nor a swab while the result is owed
source: domain 6; near miss of sampled-again

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  at sampling: swab S2 of wang, pcr, alone in tube T2
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-20 14:00:00  laboratory: T2 negative
2022-04-22 07:00:00  at sampling: swab A1 of wang, antigen
2022-04-22 12:00:00  at sampling: swab S3 of wang, pcr, alone in tube T3
2022-04-22 12:00:01  expect never sampled-again
