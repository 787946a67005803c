title: A phone that slept through a station and woke beyond it says nothing of having skipped it
source: domain 5: nothing is claimed across a silence; near miss of station-skipped
required: gate-a outbound

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 8 outbound, at 60 km/h
2022-04-20 09:40:00  drives from km 14 to km 30 outbound, at 60 km/h
2022-04-20 09:50:00  expect never station-skipped
