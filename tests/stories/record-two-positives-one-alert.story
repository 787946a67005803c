title: A place told of two positives in one cab is waited for once
source: domain 3 step 7: whoever the truck will reach next must acknowledge

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 09:00:00  server: warning positive-result red since 09:00 of person:p-wang #W1
2022-04-20 09:00:00  server: warning positive-result red since 09:00 of person:p-li #W2
2022-04-20 09:00:00  server: market told of W1, number 1
2022-04-20 09:00:00  server: market told of W2, number 1
2022-04-20 09:00:01  expect one alert-unacknowledged of station:market since 09:00
2022-04-20 09:10:00  at market, by chen: acknowledges W1
2022-04-20 09:10:01  expect one alert-unacknowledged of station:market since 09:00
2022-04-20 09:11:00  at market, by chen: acknowledges W2
2022-04-20 09:11:01  expect no alert-unacknowledged
