title: The terminal says that its driver is tired: a warning for the driver
source: domain 6: a loop that guards the driver; JT/T 808, alarm bits 2 and 18

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h, by terminal-139, alarm fatigue from km 40 to km 50
2022-04-20 09:45:00  expect terminal-fatigue yellow since 09:40 for the driver; terminal says fatigue since 09:40, we do not
2022-04-20 10:00:00  expect no terminal-fatigue; terminal-fatigue ended 09:50
