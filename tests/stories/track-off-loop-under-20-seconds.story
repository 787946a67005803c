title: Three fixes in eighteen seconds are still a suspicion
source: domain 5, defaults; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19.9 outbound, at 60 km/h, every 10 s, off 100 m from km 15 to km 20
2022-04-20 09:20:00  reports at km 20 outbound, off 170 m, at 60 km/h
2022-04-20 09:20:09  reports at km 20.15 outbound, off 230 m, at 60 km/h
2022-04-20 09:20:18  reports at km 20.3 outbound, off 290 m, at 60 km/h
2022-04-20 09:20:18  expect off-loop suspected; no off-loop
2022-04-20 09:20:27  reports at km 20.45 outbound, off 350 m, at 60 km/h
2022-04-20 09:20:27  expect off-loop yellow since 09:20
