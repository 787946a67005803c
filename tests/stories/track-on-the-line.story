title: A truck that keeps to its line and its stations is left in peace
source: domain 5; the near miss of every kind about movement

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 07:30:00  laboratory: T1 negative
2022-04-20 08:30:00  at depot: scanned in
2022-04-20 08:31:00  stands in depot for 18 min
2022-04-20 08:40:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 08:51:00  drives from km 0 to km 99.5 outbound, at 60 km/h, noise 8 m
2022-04-20 09:30:00  expect quiet; leg outbound; between stations
2022-04-20 10:31:00  at market: scanned in
2022-04-20 10:31:30  stands in market for 28 min
2022-04-20 10:50:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:00:00  at market: scanned out
2022-04-20 11:01:00  drives from km 1 to km 89.5 inbound, at 60 km/h, noise 8 m
2022-04-20 11:30:00  expect quiet; leg inbound
2022-04-20 12:30:30  at sampling: scanned in
2022-04-20 12:30:40  stands in sampling for 10 min
2022-04-20 12:41:00  at sampling: scanned out
2022-04-20 12:41:30  drives from km 90.2 to km 101.5 inbound, at 60 km/h, noise 8 m
2022-04-20 12:53:00  at depot: scanned in
2022-04-20 12:53:30  expect never off-loop, wrong-way, unscheduled-stop, station-skipped, left-rest-without-checkout, overstay, not-departed, late, silent, position-unknown, impossible-travel, datum-suspect, break-due, queue-long, test-runs-out
2022-04-20 12:53:30  expect quiet
