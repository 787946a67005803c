title: A break of ten minutes is no break
source: domain 6; the other side of the 20 min
policy: break_after_driving_s = 1 h, break_from_driving_s = 45 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 41 outbound, at 60 km/h
2022-04-20 09:41:00  stands at km 41 outbound for 10 min
2022-04-20 09:52:00  drives from km 41 to km 80 outbound, at 60 km/h
2022-04-20 10:20:00  expect break-due for the driver
