title: A pass goes on in the rhythm it was granted with, whatever the policy says later
source: domain 5, passes: checkable with no network; a policy is data with dates
policy from 2022-04-21 00:00: step_s = 30

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan says GO: in-order; version 1; not pass-not-live
# The phone still steps by the minute: its seed was made for that.
2022-04-21 12:00:00  at gate-a: scan says GO: in-order; version 2; not pass-not-live
2022-04-21 12:00:00  at gate-a: scan (step 3 old) says HOLD: pass-not-live
# A pass granted under the new policy steps by the half minute.
2022-04-21 12:30:00  pass 330304-0000001 generation 2 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-21 12:31:00  at gate-a: scan (step 2 old) says GO: in-order
2022-04-21 12:31:00  at gate-a: scan (step 3 old) says HOLD: pass-not-live
