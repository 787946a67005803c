title: Off the corridor: suspected at the first fix, confirmed by the third, yellow from the first
source: domain 5, off-loop clock and defaults: confirmed by 3 fixes and 20 s

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 40 outbound, at 60 km/h, off 400 m from km 19.5 to km 25.5
2022-04-20 09:19:59  expect never off-loop
2022-04-20 09:20:00  expect off-loop yellow suspected; no off-loop
2022-04-20 09:21:59  expect no off-loop
2022-04-20 09:22:00  expect one off-loop yellow since 09:20
2022-04-20 09:25:59  expect off-loop yellow since 09:20
2022-04-20 09:35:00  expect no off-loop; off-loop yellow since 09:20 ended 09:25 to 09:26
