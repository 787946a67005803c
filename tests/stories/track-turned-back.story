title: Turned round and driven back along its own line
source: domain 5: going the wrong way along the line

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 40 outbound, at 60 km/h, every 10 s
2022-04-20 09:41:00  drives from km 39.8 to km 30 outbound, at 60 km/h, every 10 s
2022-04-20 09:42:30  expect wrong-way yellow since 09:40; no off-loop
