title: A phone whose system says that its position is simulated says nothing of the place: it must pass neither for on the line nor for off it
source: Traccar Client's `mock`; domain 5: three different things

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 29 outbound, at 60 km/h
2022-04-20 09:30:00  drives from km 30 to km 50 outbound, at 60 km/h, invalid, alarm mocked
2022-04-20 09:45:00  expect position-unknown yellow since 09:30; place unknown; never off-loop, silent
2022-04-20 09:51:00  drives from km 51 to km 60 outbound, at 60 km/h
2022-04-20 10:00:00  expect quiet; never off-loop; place on
