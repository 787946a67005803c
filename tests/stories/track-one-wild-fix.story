title: One fix far away proves nothing
source: domain 5: one fix is suspicion; near miss of off-loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 40 outbound, at 60 km/h, off 700 m from km 19.5 to km 20.5
2022-04-20 09:20:30  expect no off-loop
2022-04-20 09:30:00  expect never off-loop, impossible-travel
