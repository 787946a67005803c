title: The phone says that it came into a station which it drove past: no visit, and the difference is seen
source: OwnTracks transitions; a crossing is never a verdict alone

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h
2022-04-20 09:50:10  reports at km 50.2 outbound, at 60 km/h, enters service-1
2022-04-20 10:00:00  expect quiet; phone says enter service-1, we do not; between stations
