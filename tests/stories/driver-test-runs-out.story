title: A test that will run out before the next station
source: domain 6; domain 5: validity is also asked at arrival

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 09:40:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-22 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-22 08:50:00  at depot: scanned out
2022-04-22 08:51:00  drives from km 1 to km 70 outbound, at 70 km/h
# At km 33 the service area is 14 minutes away, the test has 21; at km 54 the market is 38 minutes away, the test has 3 minutes left.
2022-04-22 09:19:00  expect no test-runs-out
2022-04-22 09:37:00  expect test-runs-out of wang for the driver
2022-04-22 09:41:00  expect no test-runs-out; pcr of wang does not count
