title: A stop of fourteen minutes is nobody's business
source: domain 5; near miss of unscheduled-stop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  stands at km 30 outbound for 13 min, noise 8 m
2022-04-20 09:45:00  drives from km 30.5 to km 40 outbound, at 60 km/h
2022-04-20 10:00:00  expect never unscheduled-stop, wrong-way
