title: Driving into a required station and out again without being seen there is no visit
source: domain 5: skipping a required station

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:10:00  at market: scanned out
2022-04-20 11:11:00  drives from km 1 to km 89.5 inbound, at 60 km/h
2022-04-20 12:40:00  stands in sampling for 2 min
2022-04-20 12:43:00  drives from km 90.2 to km 101.6 inbound, at 60 km/h
2022-04-20 12:55:00  at depot: scanned in
2022-04-20 12:55:30  expect station-skipped of sampling
