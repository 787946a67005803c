title: At 37.3 °C a truck is held, a tenth below it is not
source: the policy: temperature_max_celsius, from there on a temperature holds

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:10:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 09:00:00  laboratory: T1 negative
2022-04-20 10:00:00  at gate-a: wang measures 37.2 °C
2022-04-20 10:00:01  at gate-a: scan says GO: in-order
2022-04-20 10:10:00  at gate-a: wang measures 37.3 °C
2022-04-20 10:10:01  at gate-a: scan says HOLD: temperature-or-code; next measure-again
