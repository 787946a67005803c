title: Two devices a hundred metres apart and never at the same second are one truck
source: domain 5; two devices on one truck

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 40 outbound, at 60 km/h, every 30 s, by terminal-139, noise 5 m
2022-04-20 09:00:07  drives from km 1.1 to km 40.1 outbound, at 60 km/h, every 20 s, by phone-2, noise 8 m
2022-04-20 09:39:00  expect quiet; never off-loop, wrong-way
