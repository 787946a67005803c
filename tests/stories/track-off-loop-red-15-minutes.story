title: Fifteen minutes off the loop are red, to the second
source: domain 5: red at 15 minutes (Shenzhen's rule)

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h, off 400 m from km 19.5 to km 50.5
2022-04-20 09:34:59  expect off-loop yellow since 09:20
2022-04-20 09:35:00  expect off-loop red since 09:20
2022-04-20 09:59:00  expect no off-loop; off-loop red since 09:20 ended 09:50 to 09:51
