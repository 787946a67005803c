title: Fixes with an accuracy of 190 metres are believed; the position is known
source: domain 5; policy accuracy_ignored_m; near miss of position-unknown

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 40 outbound, at 60 km/h, accuracy 190 m
2022-04-20 09:39:00  expect never position-unknown, off-loop, silent
