title: An alarm that flickers for a minute is one alarm
source: JT/T 808: held bits; an event on the edge

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 9.5 outbound, at 60 km/h, every 30 s, by terminal-139, alarm route-deviation from km 2 to km 3, alarm route-deviation from km 4 to km 5, alarm route-deviation from km 8 to km 9
2022-04-20 09:09:30  expect quiet; terminal says route-deviation since 09:02 until 09:05; terminal says route-deviation since 09:08 until 09:09
