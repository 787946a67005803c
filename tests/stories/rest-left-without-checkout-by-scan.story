title: Seen elsewhere without having checked out
source: domain 5: leaving a rest station without checking out

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 20:00:00  at rest: scanned in
2022-04-20 20:01:00  at rest: checked in wang, bay 1, bed 1
2022-04-21 06:30:00  expect never left-rest-without-checkout
2022-04-21 07:00:00  at depot: scanned in
2022-04-21 07:00:30  expect left-rest-without-checkout of rest since 07:00; no overstay
# The check-out was done in time at a kiosk without a network.
2022-04-21 06:20:00  at rest: checked out wang (recorded 2022-04-21 09:00)
2022-04-21 09:00:00  expect never left-rest-without-checkout; 1 closed stay
