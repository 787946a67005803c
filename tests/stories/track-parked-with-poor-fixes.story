title: A truck that stands in a station with poor fixes is where it is
source: domain 5: three different things; near miss of position-unknown

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 49.8 outbound, at 60 km/h
2022-04-20 09:51:00  stands in service-1 for 40 min, every 60 s, accuracy 90 m
2022-04-20 10:31:00  expect never position-unknown, off-loop, unscheduled-stop; place on
