title: Loading at the origin opens a lap, and the next loading there ends it
source: domain 4 journey

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:31:00  expect 1 lap; leg outbound
# A second pallet in the same visit is no second lap.
2022-04-20 08:35:00  at depot: loaded 4 parcels, seal A2
2022-04-20 08:36:00  expect 1 lap
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 44 parcels, seal A2
2022-04-20 11:10:00  at market: scanned out
2022-04-20 13:00:00  at sampling: scanned in
2022-04-20 13:20:00  at sampling: scanned out
2022-04-20 13:40:00  at depot: scanned in
2022-04-20 13:41:00  expect 1 lap; leg inbound; at depot
2022-04-20 14:00:00  at depot: loaded 30 parcels, seal B1
2022-04-20 14:00:01  expect 2 laps; leg outbound
