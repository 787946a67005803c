title: An antigen test alone carries nobody to the next station
source: domain 6; domain 5, release: antigen negative with a PCR on its way

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 09:40:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-22 07:00:00  at sampling: swab A1 of wang, antigen
2022-04-22 07:16:00  at sampling: A1 reads negative
2022-04-22 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-22 08:50:00  at depot: scanned out
2022-04-22 08:51:00  drives from km 1 to km 70 outbound, at 70 km/h
2022-04-22 09:37:00  expect test-runs-out of wang for the driver
2022-04-22 09:41:00  expect no test-runs-out; pcr of wang does not count
