title: A pass renewed before it closes goes on with the journey
source: domain 4 journey: the close of the pass ends it; domain 5, passes: at most a month

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-04-20 12:00
2022-04-20 07:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:00:00  laboratory: T1 negative
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:00:00  pass 330304-0000002 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 12:00:01  expect journey open; leg outbound
2022-04-20 12:30:00  at market: unloaded 38 parcels, seal A1
2022-04-20 12:40:00  expect 2 laps; leg outbound; load-differs since 12:30
2022-04-20 12:50:00  at market: scanned out
2022-04-20 12:51:00  expect leg inbound
