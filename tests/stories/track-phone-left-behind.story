title: A phone left behind at the depot does not hide where the truck is
source: domain 5; two devices on one truck

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 40 outbound, at 60 km/h, every 30 s, by terminal-139
2022-04-20 09:00:10  stands in depot for 40 min, every 60 s, by phone-2
2022-04-20 09:40:00  expect never off-loop, wrong-way, unscheduled-stop, position-unknown, silent; place on; between stations
