title: One excursion, one finding, with its beginning and its end
source: domain 5: with its end

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h, every 10 s, off 400 m from km 20 to km 25
2022-04-20 10:00:00  expect one off-loop yellow since 09:20 ended 09:25 to 09:25:20; place on
