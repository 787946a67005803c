title: A required station passed by is a departure, a visited one is none
source: domain 5: skipping a required station

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:10:00  at market: scanned out
2022-04-20 12:20:00  expect never station-skipped
2022-04-20 12:50:00  at depot: scanned in
2022-04-20 12:50:30  expect station-skipped of sampling since 12:50
# Sent back, he goes there after all.
2022-04-20 13:20:00  at sampling: scanned in
2022-04-20 13:21:00  expect no station-skipped; station-skipped ended 13:20
