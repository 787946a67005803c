title: Fixes too inaccurate to say: neither silent nor off the loop, but unknown
source: domain 5: three different things, never mixed

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  drives from km 31 to km 61 outbound, at 60 km/h, off 900 m, accuracy 210 m
2022-04-20 09:40:59  expect no position-unknown, silent, off-loop
2022-04-20 09:41:00  expect position-unknown yellow since 09:31; no silent, off-loop
2022-04-20 10:02:00  drives from km 62 to km 80 outbound, at 60 km/h
2022-04-20 10:10:00  expect no position-unknown, silent, off-loop
