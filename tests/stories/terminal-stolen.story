title: The terminal says that the truck is stolen: red, until somebody answered
source: JT/T 808, alarm bit 26; domain 5

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 19 outbound, at 60 km/h, by terminal-139
2022-04-20 09:20:00  drives from km 20 to km 22 outbound, at 60 km/h, by terminal-139, alarm stolen
2022-04-20 09:23:00  drives from km 23 to km 40 outbound, at 60 km/h, by terminal-139
2022-04-20 09:21:00  expect terminal-alarm red of alarm:stolen since 09:20 with alarm stolen; no off-loop
2022-04-20 09:40:00  expect one terminal-alarm red since 09:20
2022-04-20 09:41:00  server: warning terminal-alarm red since 09:20 of alarm:stolen #W1
2022-04-20 09:45:00  coordinator, by chen: warning W1 answered "the driver has the key in his hand"
2022-04-20 09:45:00  expect no terminal-alarm; terminal-alarm red ended 09:45
