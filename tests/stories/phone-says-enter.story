title: The phone says that it came into the rest station and left it, and we saw it too
source: OwnTracks transitions; design 4

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 9.7 outbound, at 60 km/h
2022-04-20 09:10:00  reports in gate-a, enters gate-a
2022-04-20 09:11:00  stands in gate-a for 8 min
2022-04-20 09:20:30  reports at km 10.4 outbound, at 60 km/h, leaves gate-a
2022-04-20 09:21:00  drives from km 10.7 to km 20 outbound, at 60 km/h
2022-04-20 09:30:00  expect quiet; phone says enter gate-a, so do we; phone says leave gate-a, so do we
