title: A device that reports every ten seconds is silent after ten minutes, not after thirty seconds
source: domain 5: counted in the device's own rhythm, at least 10 and 30 minutes

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h, every 10 s
2022-04-20 09:31:00  expect quiet
2022-04-20 09:39:59  expect quiet
2022-04-20 09:40:00  expect silent yellow since 09:30
2022-04-20 10:00:00  expect silent red since 09:30
