title: A departure seen through a few fixes is disproved by the many that come late
source: domain 5, late truth

# The truck's terminal sends three fixes by a bad route, 400 m off, and an hour later its whole memory.
2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19 outbound, at 60 km/h
2022-04-20 09:20:00  drives from km 20 to km 22 outbound, at 60 km/h, every 60 s, off 200 m
2022-04-20 09:22:00  expect off-loop yellow since 09:20
2022-04-20 09:19:10  drives from km 19.2 to km 22.9 outbound, at 60 km/h, every 10 s (recorded 10:20:00)
2022-04-20 10:20:00  expect never off-loop
