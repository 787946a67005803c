title: Gone in the thirtieth minute is gone in time
source: domain 5; near miss of not-departed

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 09:00:00  at depot: scanned out
2022-04-20 09:30:00  expect never not-departed
