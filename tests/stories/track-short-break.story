title: Nineteen minutes at rest are no break that the law would count
source: domain 6: a 20 min break
policy: break_after_driving_s = 1 h, break_from_driving_s = 40 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 50 outbound, at 60 km/h
2022-04-20 09:50:00  stands at km 50 outbound for 17 min
2022-04-20 10:08:00  drives from km 50 to km 80 outbound, at 60 km/h
2022-04-20 10:22:00  expect break-due for the driver
