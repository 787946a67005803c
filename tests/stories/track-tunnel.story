title: A tunnel of three minutes, and a poor fix behind it, are quiet
source: domain 5; near miss of silent, off-loop and position-unknown

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 80 km/h, every 10 s
2022-04-20 09:18:00  reports at km 24 outbound, off 140 m, accuracy 120 m, at 80 km/h
2022-04-20 09:18:10  drives from km 24.2 to km 50 outbound, at 80 km/h, every 10 s
2022-04-20 09:37:00  expect never off-loop, silent, position-unknown, wrong-way
