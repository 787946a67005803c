title: A fever or a red code is not required to be measured to hold the truck
source: domain 5, verdict table; policy temperature_max_celsius 37.3

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan says GO: in-order; not temperature-or-code
2022-04-20 12:01:00  at gate-a, by chen: wang measures 37.2 °C
2022-04-20 12:01:10  at gate-a: scan says GO: in-order
2022-04-20 12:02:00  at gate-a, by chen: wang measures 37.4 °C
2022-04-20 12:02:10  at gate-a: scan says HOLD: temperature-or-code; next measure-again
2022-04-20 12:10:00  at gate-a, by chen: wang measures 36.9 °C
2022-04-20 12:10:10  at gate-a: scan says GO: in-order
2022-04-20 12:11:00  at gate-a, by chen: wang shows a red code
2022-04-20 12:11:10  at gate-a: scan says HOLD: temperature-or-code
