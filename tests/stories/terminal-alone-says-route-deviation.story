title: The terminal says that it left its route, we do not: seen, and nobody is warned
source: domain 5: evidence beside our own judgement; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
# The route in the terminal is an old one. Forty fixes with the bit set are one event.
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h, every 30 s, by terminal-139, alarm route-deviation from km 10 to km 30
2022-04-20 09:20:00  expect quiet; never off-loop; place on; terminal says route-deviation since 09:10, we do not
2022-04-20 10:00:00  expect quiet; terminal says route-deviation since 09:10 until 09:30, we do not
