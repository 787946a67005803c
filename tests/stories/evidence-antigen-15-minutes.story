title: An antigen test read a second before 15 minutes is invalid; at 15 minutes it counts
source: domain 5, antigen: read at 15 to 20 minutes

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:00:00  at sampling: swab A2 of li, antigen
2022-04-20 08:14:58  expect wang is unread; no antigen-unread
2022-04-20 08:14:59  at sampling: A1 reads negative
2022-04-20 08:15:00  at sampling: A2 reads negative
2022-04-20 08:15:01  expect antigen of wang does not count; antigen of li until 2022-04-21 08:00:00
