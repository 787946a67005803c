title: Back by more than two hundred metres is the wrong way
source: domain 5; policy wrong_way_m

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  drives from km 29.97 to km 29.77 outbound, at 4 km/h, every 20 s
2022-04-20 09:35:00  expect wrong-way since 09:30 to 09:32
