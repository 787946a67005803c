title: Our finding and the terminal's stand beside each other: both say that it left
source: domain 5: truck terminals are evidence beside our own judgement

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 40 outbound, at 60 km/h, off 400 m from km 19.5 to km 30.5, by terminal-139, alarm route-deviation from km 22.5 to km 31.5
2022-04-20 09:22:00  expect off-loop yellow since 09:20 with terminal silent
2022-04-20 09:25:00  expect off-loop yellow since 09:20 with terminal agrees; terminal says route-deviation since 09:23, so do we
2022-04-20 09:40:00  expect off-loop ended 09:31 with terminal agrees; terminal says route-deviation since 09:23 until 09:31, so do we
