title: A sample from the future counts for nothing beyond what clocks may differ
source: domain 5: refuse a sample in the future (beyond clock tolerance, 120 s)

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 08:02:00  at sampling: swab S1 of wang, pcr, alone in tube T1 (recorded 08:00:00)
2022-04-20 08:02:01  at sampling: swab S2 of li, pcr, alone in tube T2 (recorded 08:00:00)
2022-04-20 08:00:00  expect wang is pending; li is not pending
