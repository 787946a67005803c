title: What a gate knows may be 12 hours old, not more
source: domain 5, defaults: lists at a kiosk amber at 2 h, HOLD at 12 h

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan (lists 43199 s old) says GO: in-order; not lists-old
2022-04-20 12:00:00  at gate-a: scan (lists 12 h old) says HOLD: lists-old; next connect-or-call
2022-04-20 12:00:00  at gate-a: scan (lists 2 h old) says GO: in-order
2022-04-20 12:00:00  at gate-a: scan (no lists) says HOLD: lists-old
