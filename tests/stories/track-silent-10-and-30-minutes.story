title: Silence is counted in the device's own rhythm, at least ten and thirty minutes
source: domain 5, defaults: 3 intervals yellow, 6 red, at least 10 and 30 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h, every 60 s
2022-04-20 09:39:59  expect no silent
2022-04-20 09:40:00  expect silent yellow since 09:30; no off-loop, position-unknown
2022-04-20 09:59:59  expect silent yellow
2022-04-20 10:00:00  expect silent red since 09:30
2022-04-20 10:05:00  drives from km 60 to km 80 outbound, at 60 km/h
2022-04-20 10:06:00  expect no silent
