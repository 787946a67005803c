title: A test read in its window leaves no warning behind
source: domain 5, antigen; near miss of antigen-window-missed

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:19:59  at sampling: A1 reads negative
2022-04-20 08:30:00  expect never antigen-window-missed; no antigen-unread
