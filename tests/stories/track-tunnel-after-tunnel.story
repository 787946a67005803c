title: Out of each of two tunnels a receiver is sure of a place beside the line: what it said after the first proves nothing after the second
source: domain 5, off-loop clock is accuracy-aware; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h, every 10 s
2022-04-20 09:22:00  drives from km 22 to km 22.5 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:24:00  drives from km 24 to km 25.1 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:25:06  expect off-loop suspected; no off-loop
2022-04-20 09:25:10  drives from km 25.2 to km 30 outbound, at 60 km/h, every 10 s
2022-04-20 09:32:00  expect never off-loop, silent, wrong-way
