title: A terminal that reports every ten minutes is silent after thirty
source: domain 5, defaults: counted in the device's own rhythm

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 61 outbound, at 60 km/h, every 10 min
2022-04-20 10:20:00  expect no silent
2022-04-20 10:29:59  expect no silent
2022-04-20 10:30:00  expect silent yellow since 10:00
2022-04-20 10:59:59  expect silent yellow
2022-04-20 11:00:00  expect silent red
