title: A truck that left returns at four fifths of the corridor, not at its edge
source: domain 5, defaults: return inside 80 %

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19 outbound, at 60 km/h
2022-04-20 09:20:00  drives from km 20 to km 24 outbound, at 60 km/h, off 400 m
2022-04-20 09:25:00  drives from km 25 to km 29 outbound, at 60 km/h, off 140 m
2022-04-20 09:29:30  expect one off-loop yellow since 09:20
2022-04-20 09:30:00  drives from km 30 to km 40 outbound, at 60 km/h, off 115 m
2022-04-20 09:35:00  expect no off-loop; one off-loop since 09:20 ended 09:24 to 09:30
