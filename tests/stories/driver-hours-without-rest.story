title: Sixteen hours in the cab and no rest station
source: domain 6: hours in the cab without an open rest station; policy hours_without_rest_s

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 06:40:00  at depot: scanned out
2022-04-20 22:30:00  expect no hours-without-rest
2022-04-20 22:30:01  expect hours-without-rest since 22:30 for the driver
2022-04-20 23:00:00  at rest: checked in wang, bay 1, bed 1
2022-04-20 23:00:01  expect no hours-without-rest
2022-04-21 07:00:00  at rest: checked out wang
2022-04-21 12:00:00  expect no hours-without-rest
