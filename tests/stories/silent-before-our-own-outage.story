title: Who was silent before we ceased to listen stays silent; who nearly was has its own rhythm's time to speak again
source: silence is a fact about the device, and not about us

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 40 outbound, at 60 km/h
2022-04-20 09:49:00  expect silent yellow
2022-04-20 09:54:00  server: did not listen until 10:20:00
2022-04-20 10:20:00  expect silent yellow
2022-04-20 10:34:59  expect silent yellow
2022-04-20 10:35:00  expect silent red

2022-04-20 06:00:00  pass 330304-0000002 granted for 浙C23456, crew li, until 2022-05-19
2022-04-20 08:30:00  at depot, 浙C23456: loaded 40 parcels, seal A2
2022-04-20 08:50:00  at depot, 浙C23456: scanned out
2022-04-20 09:00:00  浙C23456: drives from km 1 to km 46 outbound, at 60 km/h, every 60 s
2022-04-20 09:53:59  浙C23456: expect no silent
2022-04-20 10:20:01  浙C23456: expect no silent
2022-04-20 10:22:59  浙C23456: expect no silent
2022-04-20 10:23:00  浙C23456: expect silent yellow
