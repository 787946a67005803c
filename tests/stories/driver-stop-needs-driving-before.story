title: A long stop after little driving is not the break that the law demands
source: domain 6; policy break_from_driving_s
policy: break_after_driving_s = 1 h, break_from_driving_s = 54 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 54 outbound, at 60 km/h
2022-04-20 09:54:00  stands at km 54 outbound for 40 min
2022-04-20 10:12:00  expect unscheduled-stop
