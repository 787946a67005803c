title: A required station that the truck stood in is not skipped when it drives on
source: domain 5: skipping a required station; near miss of station-skipped
required: gate-a outbound

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 9.9 outbound, at 60 km/h
2022-04-20 09:10:00  stands in gate-a for 3 min
2022-04-20 09:13:30  drives from km 10.4 to km 30 outbound, at 60 km/h
2022-04-20 09:30:00  expect never station-skipped
