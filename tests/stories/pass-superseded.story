title: A newer generation of a pass supersedes the older
source: domain 5, verdict table: superseded

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 11:30:00  at gate-a: scan of 330304-0000001 generation 1 says GO: in-order; not pass-superseded
2022-04-20 12:00:00  pass 330304-0000001 generation 2 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 12:01:00  at gate-a: scan of 330304-0000001 generation 1 says STOP: pass-superseded; next call-new-pass
2022-04-20 12:01:00  at gate-a: scan of 330304-0000001 generation 2 says GO: in-order; not pass-superseded
