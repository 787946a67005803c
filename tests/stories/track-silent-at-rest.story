title: A phone that sleeps in a permitted station is not silent
source: domain 5: normal when the last state was at rest in a permitted station; near miss of silent

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 49.8 outbound, at 60 km/h
2022-04-20 09:51:00  stands in service-1 for 10 min
2022-04-20 12:30:00  expect no silent, off-loop, unscheduled-stop
