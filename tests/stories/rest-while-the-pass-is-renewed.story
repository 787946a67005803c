title: Who checks in under one pass and out under the next has stayed once
source: domain 3 step 6; domain 4 stay

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-04-20
2022-04-20 20:00:00  at rest: scanned in
2022-04-20 20:05:00  at rest: checked in wang, bay 1, beds 1
# The old pass closed at midnight, the new one is granted in the morning.
2022-04-21 07:30:00  pass 330304-0000002 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-21 08:00:00  at rest: checked out wang
2022-04-21 08:10:00  at rest: scanned out
2022-04-21 09:00:00  at depot: scanned in
2022-04-22 09:00:00  expect 1 closed stay; never unexplained, left-rest-without-checkout, overstay
