title: Somebody whose antigen was positive is never pooled; a station that did so is a finding, however late it tells
source: domain 5, antigen: antigen-positive people are never pooled

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 13:00:00  at sampling: swab A1 of wang, antigen
# Not yet read: nobody knew.
2022-04-20 13:05:00  at sampling: swab S1 of wang, pcr, pooled in tube T1
2022-04-20 13:16:00  at sampling: A1 reads positive
2022-04-20 13:17:00  expect never unexplained
2022-04-20 13:20:00  at sampling: swab S2 of wang, pcr, pooled in tube T2 (recorded 15:00)
2022-04-20 13:21:00  at sampling: swab S3 of li, pcr, pooled in tube T2 (recorded 15:00)
2022-04-20 14:00:00  expect never unexplained
2022-04-20 15:00:00  expect one unexplained since 13:20
# The pool's negative releases nobody who was positive.
2022-04-20 18:00:00  laboratory: T2 negative
2022-04-20 18:00:01  expect wang is positive
2022-04-20 18:00:01  at sampling: scan says STOP: tested-positive
