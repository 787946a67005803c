title: A road beside the line at a constant distance is a departure, and no question of datum
source: domain 5, the line is WGS-84; near miss of datum-suspect

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 2 to km 12 outbound, at 60 km/h
2022-04-20 09:11:00  drives from km 13 to km 48 outbound, at 60 km/h, off 300 m
2022-04-20 09:45:00  expect off-loop red since 09:11; never datum-suspect
