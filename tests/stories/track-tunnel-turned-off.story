title: A truck that turned off where its receiver saw nothing is off the loop once it is seen to drive on, away from the line
source: domain 5, off-loop; defaults: confirmed by 3 fixes and 20 s; stricter for what nobody saw begin

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h, every 10 s
2022-04-20 09:22:00  reports at km 22 outbound, off 180 m, at 60 km/h
2022-04-20 09:22:10  reports at km 22.15 outbound, off 260 m, at 60 km/h
2022-04-20 09:22:20  reports at km 22.3 outbound, off 340 m, at 60 km/h
2022-04-20 09:22:30  reports at km 22.45 outbound, off 420 m, at 60 km/h
2022-04-20 09:22:39  expect off-loop suspected; no off-loop
2022-04-20 09:22:40  reports at km 22.6 outbound, off 500 m, at 60 km/h
2022-04-20 09:22:40  expect one off-loop yellow since 09:22
