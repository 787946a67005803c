title: Backing up by less than two hundred metres is no wrong way
source: domain 5; policy wrong_way_m; near miss of wrong-way

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  drives from km 30 to km 29.82 outbound, at 4 km/h, every 20 s
2022-04-20 09:34:00  drives from km 30 to km 40 outbound, at 60 km/h
2022-04-20 09:40:00  expect never wrong-way
