title: A tube number used for two people who are not pooled does not fit
source: the record: a fact that cannot be explained becomes a finding

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:00:30  expect never unexplained
2022-04-20 08:10:00  at sampling: swab S2 of li, pcr, alone in tube T1
2022-04-20 08:10:30  expect unexplained since 08:10
# Whose result is it? Nobody knows: both are held and swabbed again, neither is called positive.
2022-04-20 15:00:00  laboratory: T1 positive
2022-04-20 15:00:30  expect held-for-review of wang; held-for-review of li; no positive-result
