title: Loaded and not gone within half an hour
source: domain 5: leave within 30 min of being loaded

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 09:00:00  expect no not-departed
2022-04-20 09:00:01  expect not-departed of depot since 09:00
2022-04-20 09:10:00  at depot: scanned out
2022-04-20 09:10:01  expect no not-departed; not-departed ended 09:10
