title: While we did not listen ourselves, nobody is silent
source: silence is a fact about the device, and not about us
# The last position is of 09:39:00. Half a minute to 09:39:30 we listen, then not for twenty minutes and a half.

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 40 outbound, at 60 km/h
2022-04-20 09:39:30  server: did not listen until 10:00:00
2022-04-20 10:00:00  expect no silent
2022-04-20 10:09:29  expect no silent
2022-04-20 10:09:30  expect silent yellow
2022-04-20 10:29:29  expect silent yellow
2022-04-20 10:29:30  expect silent red
