title: Arriving later than the estimate plus half an hour
source: domain 5, defaults: late arrival, estimate plus 30 min; policy cruise_kmh
policy: cruise_kmh = 60

# 99.8 km at 60 km/h are 1 h 39 min 49 s; with half an hour of slack the truck is due by 11:09:49.
2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 09:00:00  at depot: scanned out
2022-04-20 11:09:48  expect no late
2022-04-20 11:09:50  expect late of market since 11:09:48 to 11:09:50
2022-04-20 11:20:00  at market: scanned in
2022-04-20 11:20:30  expect no late; late of market ended 11:20
2022-04-20 12:00:00  at market: unloaded 40 parcels, seal A1
2022-04-20 12:10:00  at market: scanned out
2022-04-20 14:20:00  at depot: scanned in
2022-04-20 14:20:30  expect never late of depot
