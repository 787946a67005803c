title: A rest station may allow less
source: domain 5, defaults: overridable per station
policy at rest: rest_s = 8 h

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 20:00:00  at rest: checked in wang, bay 1, bed 1
2022-04-21 04:00:00  expect no overstay
2022-04-21 04:00:01  expect overstay of rest
