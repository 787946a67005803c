title: An antigen test that nobody read in its window is missed, and held until then
source: domain 5, antigen: a timer runs

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:00:30  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:14:59  at sampling: scan says HOLD: antigen-unread; not evidence-missing
2022-04-20 08:14:59  expect no antigen-unread
2022-04-20 08:20:00  expect no antigen-unread, antigen-window-missed; wang is unread
2022-04-20 08:20:01  expect antigen-unread yellow of A1 since 08:20; no antigen-window-missed; wang is not unread
2022-04-20 08:20:01  at sampling: scan says HOLD: evidence-missing; not antigen-unread
