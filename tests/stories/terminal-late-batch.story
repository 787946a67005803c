title: An alarm in a batch from a blind area is told late, with its own time
source: domain 5, late truth; JT/T 808, 0x0704

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19 outbound, at 60 km/h, by terminal-139
2022-04-20 09:40:00  drives from km 40 to km 50 outbound, at 60 km/h, by terminal-139
2022-04-20 09:20:00  drives from km 20 to km 39 outbound, at 60 km/h, by terminal-139, alarm illegal-door from km 30 to km 31 (recorded 09:51:00)
2022-04-20 09:50:00  expect never terminal-alarm
2022-04-20 09:51:00  expect terminal-alarm yellow of alarm:illegal-door since 09:30; no silent
