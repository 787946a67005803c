title: One pass at two stations faster than a truck can drive
source: domain 5, defaults: impossible travel above 120 km/h between station edges

# 98.8 km lie between the edges of depot and market: 49 minutes and 25 seconds at 120 km/h.
2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 09:00:00  at depot: scanned out
2022-04-20 09:49:30  at market: scanned in
2022-04-20 09:50:00  expect never impossible-travel
2022-04-20 10:30:00  at market: scanned out
2022-04-20 11:19:20  at depot: scanned in
2022-04-20 11:20:00  expect impossible-travel since 11:19:20
