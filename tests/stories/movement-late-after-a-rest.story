title: A night at the rest station moves the estimate
source: domain 5, rest stays; near miss of late

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:10:00  at market: scanned out
2022-04-20 12:30:00  at sampling: scanned in
2022-04-20 12:40:00  at sampling: scanned out
2022-04-20 12:50:00  at rest: scanned in
2022-04-20 12:51:00  at rest: checked in wang, bay 1, bed 1
2022-04-20 22:00:00  expect no late; 1 open stay; at rest
2022-04-21 06:00:00  at rest: checked out wang
2022-04-21 06:01:00  at rest: scanned out
2022-04-21 06:12:00  at depot: scanned in
2022-04-21 06:21:00  expect never late; 1 closed stay; at depot
