title: What was right under the policy of its day stays right when the policy changes
source: domain 5: a policy is data with dates, and a past day is judged under the policy of that day
policy from 2022-04-22 00:00: pcr_valid_s = 24 h, not_departed_s = 10 min, antigen_read_before_s = 30 min, antigen_valid_s = 48 h

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 06:06:00  at sampling: swab A1 of wang, antigen
2022-04-20 06:31:00  at sampling: A1 reads negative
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-21 12:00:00  at depot: loaded 40 parcels, seal A1
2022-04-21 12:20:00  at depot: scanned out
2022-04-21 12:30:00  at gate-a: scan was shown GO: in-order
2022-04-21 13:00:00  at market: swab S2 of wang, pcr, alone in tube T2, again because "asked to"
2022-04-22 05:00:00  expect never verdict-differs, not-departed; sampled-again since 2022-04-21 13:00; antigen-window-missed; antigen of wang does not count
