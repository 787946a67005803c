title: A silence first widens the arrival, and then nobody knows
source: domain 5; an honest estimate

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 40 outbound, at 60 km/h
2022-04-20 09:39:30  expect arrival at market within 10:30 to 10:50
2022-04-20 09:55:00  expect arrival at market within 10:30 to 11:05; silent yellow
2022-04-20 10:10:00  expect arrival at market not known; silent red
