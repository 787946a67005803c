title: An antigen test read at 20 minutes counts; a second later it does not
source: domain 5, antigen: outside the window the reading is invalid

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:00:00  at sampling: swab A2 of li, antigen
2022-04-20 08:19:59  expect wang is unread; li is unread; quiet
2022-04-20 08:20:00  at sampling: A1 reads negative
2022-04-20 08:20:01  at sampling: A2 reads negative
2022-04-20 08:20:02  expect antigen of wang until 2022-04-21 08:00:00; antigen of li does not count
2022-04-20 08:20:02  expect antigen-window-missed of A2 since 08:20:01
