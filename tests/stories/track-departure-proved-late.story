title: A departure in a late batch is found with its true time
source: domain 5, late truth

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h
2022-04-20 10:00:00  drives from km 60 to km 95 outbound, at 60 km/h
2022-04-20 10:05:00  expect never off-loop
2022-04-20 09:21:00  drives from km 21 to km 59 outbound, at 60 km/h, off 900 m from km 30.5 to km 38.5 (recorded 10:30:00)
2022-04-20 10:30:00  expect off-loop yellow since 09:31 ended 09:39 to 09:41; never silent
