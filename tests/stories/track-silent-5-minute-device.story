title: A device that reports every five minutes is silent after fifteen, red after thirty
source: domain 5: 3 intervals yellow, 6 red

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h, every 5 min
2022-04-20 10:14:59  expect quiet
2022-04-20 10:15:00  expect silent yellow since 10:00
2022-04-20 10:30:00  expect silent red since 10:00
