title: A truck on a road beside the line whose receiver is silent again and again is off the loop all the same
source: domain 5, off-loop; a silence is counted anew from twice at most

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h, every 10 s
2022-04-20 09:22:00  drives from km 22 to km 22.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:24:00  drives from km 24 to km 24.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:26:00  drives from km 26 to km 26.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:28:00  drives from km 28 to km 28.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:29:59  expect off-loop suspected; no off-loop
2022-04-20 09:30:00  drives from km 30 to km 30.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:30:10  expect one off-loop yellow since 09:22
