title: A departure of which only late fixes tell is found all the same, since it began
source: domain 5, late truth: one that they prove is confirmed

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19 outbound, at 60 km/h
2022-04-20 09:26:00  drives from km 26 to km 40 outbound, at 60 km/h
2022-04-20 09:40:00  expect never off-loop
2022-04-20 09:20:00  drives from km 20 to km 25 outbound, at 60 km/h, off 400 m (recorded 11:00:00)
2022-04-20 11:00:00  expect one off-loop yellow since 09:20 ended 09:25 to 09:26
