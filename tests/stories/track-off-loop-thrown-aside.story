title: Three fixes thrown aside at once are the receiver's fault, not a departure
source: domain 5, off-loop clock is accuracy-aware; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19.9 outbound, at 60 km/h, every 10 s, off 100 m from km 15 to km 20
2022-04-20 09:20:00  drives from km 20 to km 20.4 outbound, at 60 km/h, every 10 s, off 280 m, accuracy 6 m
2022-04-20 09:20:20  expect off-loop suspected; no off-loop
2022-04-20 09:20:30  drives from km 20.5 to km 24 outbound, at 60 km/h, every 10 s
2022-04-20 09:24:00  expect never off-loop
