title: More than fifteen minutes between coming to a station and being seen there
source: domain 6: queue longer than 15 minutes

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 99 outbound, at 60 km/h
2022-04-20 10:39:00  stands in market for 40 min
2022-04-20 10:54:00  expect no queue-long
2022-04-20 10:54:01  expect queue-long of market since 10:54 for the driver
2022-04-20 11:00:00  at market: scanned in
2022-04-20 11:00:30  expect no queue-long; queue-long ended 11:00
