title: A skipped station is disproved by its kiosk's late facts
source: domain 5, late truth

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: scanned in
2022-04-20 11:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 11:10:00  at market: scanned out
# The kiosk at the sampling station has no network until three in the afternoon.
2022-04-20 12:25:00  at sampling: scanned in (recorded 15:00:00)
2022-04-20 12:40:00  at sampling: scanned out (recorded 15:00:00)
2022-04-20 12:50:00  at depot: scanned in
2022-04-20 13:00:00  expect station-skipped of sampling
2022-04-20 15:00:00  expect never station-skipped
# What we knew at one, and what we know now of one.
2022-04-20 13:00:00  expect never station-skipped (known 2022-04-20 15:00)
