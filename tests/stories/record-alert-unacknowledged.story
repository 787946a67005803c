title: The places ahead are told of a positive result, and each must say that it knows
source: domain 3 step 7

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 09:00:00  laboratory: T1 positive
2022-04-20 09:00:01  server: warning positive-result red since 09:00 of wang #W1
2022-04-20 09:00:01  expect never alert-unacknowledged
2022-04-20 09:00:02  server: gate-a told of W1, number 1
2022-04-20 09:00:02  server: market told of W1, number 2
2022-04-20 09:01:00  expect alert-unacknowledged of gate-a; alert-unacknowledged of market
2022-04-20 09:02:00  at gate-a, by chen: acknowledges W1
2022-04-20 09:02:30  expect no alert-unacknowledged of gate-a; alert-unacknowledged of market
2022-04-20 09:05:00  at market, by sun: acknowledges W1
2022-04-20 09:05:30  expect no alert-unacknowledged; positive-result of wang
