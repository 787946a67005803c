title: An arrival is an interval that narrows as the truck comes nearer
source: domain 5: arriving later than the estimate

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
# The market's edge is at km 99.5: at 60 km/h it comes there at half past ten.
2022-04-20 08:51:00  drives from km 0.5 to km 99.5 outbound, at 60 km/h
2022-04-20 09:00:00  expect arrival at market within 09:55 to 10:50
2022-04-20 09:50:00  expect arrival at market within 10:20 to 10:40
2022-04-20 10:20:00  expect arrival at market within 10:27 to 10:33
