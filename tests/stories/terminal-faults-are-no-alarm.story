title: A terminal that speaks of its own power and antenna raises nothing
source: JT/T 808, alarm bits 4 to 12; near miss of terminal-alarm

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h, by terminal-139, alarm power-low and gnss-antenna-cut and overspeed
2022-04-20 09:30:00  expect quiet; never terminal-alarm, terminal-fatigue; terminal says power-low since 09:00
