title: A screen pass shows a step of now; a screenshot outlives it by two steps at most
source: domain 5, passes: a screenshot must not outlive a rotation step or two

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan (step 2 old) says GO: in-order; not pass-not-live
2022-04-20 12:00:00  at gate-a: scan (step 2 ahead) says GO: in-order
2022-04-20 12:00:00  at gate-a: scan (step 3 old) says HOLD: pass-not-live; next refresh-pass
2022-04-20 12:00:00  at gate-a: scan (with a false step) says HOLD: pass-not-live
2022-04-20 12:00:00  at gate-a: scan (without a live step) says HOLD: pass-not-live
