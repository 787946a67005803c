title: The terminal says that it is parked too long while its driver takes the lawful break: we do not
source: domain 6: that break is not a departure

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 18 km/h, by terminal-139
2022-04-20 12:21:00  stands at km 60 outbound for 22 min, by terminal-139, alarm parked-too-long
2022-04-20 12:43:00  expect never unscheduled-stop; terminal says parked-too-long since 12:21, we do not
