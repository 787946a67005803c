title: The table is the policy's: a loop may say another word for a reason
source: domain 5: the verdict at a gate comes from one table in the policy
verdict: temperature-or-code = STOP

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a, by chen: wang measures 38.1 °C
2022-04-20 12:00:10  at gate-a: scan says STOP: temperature-or-code; next measure-again
