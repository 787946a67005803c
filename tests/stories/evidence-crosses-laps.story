title: A test taken on one lap still counts on the next
source: domain 4 journey: evidence belongs to the person and crosses laps

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 07:30:00  laboratory: T1 negative
2022-04-20 08:00:00  at depot: scanned in
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 08:41:00  expect leg outbound; between stations
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:10:00  at market: scanned out
2022-04-20 11:11:00  expect leg inbound; between stations
2022-04-20 13:00:00  at sampling: scanned in
2022-04-20 13:01:00  expect at sampling
2022-04-20 13:05:00  at sampling: scan says GO: in-order; until 2022-04-22 06:05:00
2022-04-20 13:10:00  at sampling: scanned out
2022-04-20 14:00:00  at depot: scanned in
2022-04-20 14:30:00  at depot: loaded 36 parcels, seal B1
2022-04-20 14:31:00  expect leg outbound; at depot; no sampled-again, station-skipped
2022-04-20 14:40:00  at depot: scan says GO: in-order; until 2022-04-22 06:05:00
2022-04-20 14:41:00  at depot: scanned out
2022-04-20 14:42:00  expect quiet; journey open
