title: Three fixes thrown 200 m aside, sure of themselves, are the receiver's fault
source: domain 5; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h, every 10 s
2022-04-20 09:20:10  drives from km 20.17 to km 20.5 outbound, at 60 km/h, every 10 s, off 200 m, accuracy 6 m
2022-04-20 09:20:40  drives from km 20.67 to km 40 outbound, at 60 km/h, every 10 s
2022-04-20 09:39:00  expect never off-loop, wrong-way
