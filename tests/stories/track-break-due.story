title: After the driving that the law allows, the driver is told to rest
source: domain 6: 4 h driving needs a 20 min break
policy: break_after_driving_s = 1 h, break_from_driving_s = 45 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 81 outbound, at 60 km/h
2022-04-20 09:59:59  expect no break-due
2022-04-20 10:00:00  expect break-due since 10:00 for the driver
2022-04-20 10:21:00  stands at km 81 outbound for 21 min
2022-04-20 10:44:00  drives from km 81 to km 95 outbound, at 60 km/h
2022-04-20 10:50:00  expect no break-due
