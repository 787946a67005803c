title: More than fifteen minutes at rest away from a station
source: domain 5, defaults: stop 15 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  stands at km 30 outbound for 25 min
2022-04-20 09:45:00  expect no unscheduled-stop
2022-04-20 09:45:01  expect unscheduled-stop yellow since 09:30
2022-04-20 09:57:00  drives from km 30 to km 40 outbound, at 60 km/h
2022-04-20 10:05:00  expect no unscheduled-stop; one unscheduled-stop since 09:30 ended 09:56 to 09:58; no off-loop
