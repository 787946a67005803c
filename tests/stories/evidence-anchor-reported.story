title: Where the policy counts from the report, the window begins at the report
source: domain 5: the anchor of a window (sampled by default, or reported)
policy: pcr_anchor = reported, pcr_valid_s = 24 h

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-21 13:59:59  at gate-a: scan says GO: in-order; until 2022-04-21 14:00:00
2022-04-21 14:00:00  at gate-a: scan says HOLD: evidence-missing
# Of two negatives the one that counts the longest decides, though it was taken first.
2022-04-22 08:00:00  at sampling: swab S2 of wang, pcr, alone in tube T2
2022-04-22 09:00:00  at sampling: swab S3 of wang, pcr, alone in tube T3
2022-04-22 12:00:00  laboratory: T3 negative
2022-04-22 20:00:00  laboratory: T2 negative
2022-04-22 20:00:00  expect pcr of wang until 2022-04-23 20:00
