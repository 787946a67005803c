title: A station may have numbers of its own
source: domain 5, defaults: overridable per loop and station
policy at market: pcr_valid_s = 24 h

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-21 07:59:59  at market: scan says GO: in-order; until 2022-04-21 08:00:00
2022-04-21 08:00:00  at market: scan says HOLD: evidence-missing
2022-04-21 08:00:00  at gate-a: scan says GO: in-order; until 2022-04-22 08:00:00
