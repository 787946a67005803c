title: Longer than 24 hours at a rest station
source: domain 5, defaults: rest 24 h

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 20:00:00  at rest: scanned in
2022-04-20 20:00:00  at rest: checked in wang, bay 1, bed 1
2022-04-21 20:00:00  expect no overstay
2022-04-21 20:00:01  expect overstay of rest since 2022-04-21 20:00
2022-04-21 21:00:00  at rest: checked out wang
2022-04-21 21:00:01  expect no overstay; overstay ended 21:00
