title: On a road beside the line that nobody saw it turn into, a truck is off the loop after five fixes and forty seconds
source: domain 5, defaults: confirmed by 3 fixes and 20 s; stricter for what no truck drives

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19.9 outbound, at 60 km/h, every 10 s, off 100 m from km 15 to km 20
2022-04-20 09:20:00  drives from km 20 to km 24 outbound, at 60 km/h, every 10 s, off 280 m, accuracy 6 m
2022-04-20 09:20:39  expect off-loop suspected; no off-loop
2022-04-20 09:20:40  expect off-loop yellow since 09:20
