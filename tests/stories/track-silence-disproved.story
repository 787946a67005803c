title: A silence that a late batch fills never was one
source: domain 5, late truth

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h
2022-04-20 09:45:00  expect silent yellow since 09:20
2022-04-20 09:21:00  drives from km 21 to km 45 outbound, at 60 km/h (recorded 09:46:00)
2022-04-20 09:46:30  expect quiet
# Of half past nine we say now what we know now.
2022-04-20 09:40:00  expect never silent (known 09:46:30)
