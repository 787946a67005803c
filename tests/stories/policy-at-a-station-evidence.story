title: A station's own numbers hold for what is done there
source: domain 5, defaults: overridable per loop and station
policy at sampling: antigen_read_after_s = 10 min, antigen_read_before_s = 30 min, pcr_valid_s = 24 h

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:01:00  at sampling: swab S1 of wang, pcr, alone in tube T1
# Another make of test, read after ten minutes and for half an hour.
2022-04-20 08:21:00  expect never antigen-unread
2022-04-20 08:12:00  at sampling: A1 reads negative (recorded 08:22:00)
2022-04-20 08:22:00  expect antigen of wang until 2022-04-21 08:00:00; never antigen-window-missed, antigen-unread
2022-04-20 08:23:00  at gate-a: scan says GO: pcr-pending
2022-04-20 12:00:00  laboratory: T1 negative
# There the test of thirty hours ago counts no more: nobody was sampled again for nothing.
2022-04-21 14:00:00  at sampling: scan says HOLD: evidence-missing
2022-04-21 14:01:00  at sampling: swab S2 of wang, pcr, alone in tube T2
2022-04-21 14:02:00  expect never sampled-again
