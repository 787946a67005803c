title: The track leaves the rest station, and nobody checked out
source: domain 5: leaving a rest station without checking out (the track says so)

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 19:50:00  stands in rest for 10 h, every 5 min
2022-04-20 20:00:00  at rest: scanned in
2022-04-20 20:01:00  at rest: checked in wang, bay 1, bed 1
2022-04-21 05:50:00  expect never left-rest-without-checkout
2022-04-21 05:52:00  drives from km 95.9 to km 99 inbound, at 40 km/h
2022-04-21 05:58:00  expect left-rest-without-checkout of rest since 05:50 to 05:55
2022-04-21 06:00:00  at rest: checked out wang (recorded 2022-04-21 08:00)
2022-04-21 05:49:00  at rest: amend #line-011 at 2022-04-21 05:49 "clock of the kiosk" (recorded 2022-04-21 08:05)
2022-04-21 08:05:00  expect never left-rest-without-checkout
