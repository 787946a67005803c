title: On a road beside the line that it may have reached in a tunnel, a truck is off the loop after ten fixes
source: domain 5, off-loop; near the first minute a receiver may be cold, and says so by nothing

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h, every 10 s
2022-04-20 09:22:00  drives from km 22 to km 26 outbound, at 60 km/h, every 10 s, off 180 m, accuracy 6 m
2022-04-20 09:23:29  expect off-loop suspected; no off-loop
2022-04-20 09:23:30  expect one off-loop yellow since 09:22
