title: A past day is judged under the policy of that day
source: domain 5, release: a policy is data with dates; all of it ended on 9 December 2022
policy from 2022-06-01 00:00: pcr_valid_s = 72 h
policy from 2022-09-01 00:00: go_on_antigen = no
ends: 2022-12-09 00:00:00

2022-05-28 08:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-06-20
2022-05-29 20:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-05-30 02:00:00  laboratory: T1 negative
2022-05-31 19:59:59  at gate-a: scan says GO: in-order; version 1
2022-05-31 23:59:59  at gate-a: scan says HOLD: evidence-missing; version 1
2022-06-01 00:00:00  at gate-a: scan says GO: in-order; version 2; until 2022-06-01 20:00:00
2022-06-01 20:00:00  at gate-a: scan says HOLD: evidence-missing; version 2
2022-09-01 08:00:00  pass 330304-0000002 granted for 浙C12345, crew wang, until 2022-09-20
2022-09-02 08:02:00  at sampling: swab A2 of wang, antigen
2022-09-02 08:03:00  at sampling: swab S2 of wang, pcr, alone in tube T2
2022-09-02 08:18:00  at sampling: A2 reads negative
2022-09-02 08:19:00  at gate-a: scan says HOLD: evidence-missing; version 3; not pcr-pending
# And asked again much later about the thirty-first of May, the answer is that day's.
2022-05-31 23:59:59  at gate-a: scan of 330304-0000001 says HOLD: evidence-missing; version 1 (known 2022-09-02 09:00)
