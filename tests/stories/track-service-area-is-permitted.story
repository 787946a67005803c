title: A service area of the loop is no departure, however long
source: domain 5: outside the union of corridor and permitted stations; near miss of off-loop and unscheduled-stop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 49.8 outbound, at 60 km/h
2022-04-20 09:51:00  stands in service-1 for 40 min
2022-04-20 10:30:30  expect never off-loop, unscheduled-stop
