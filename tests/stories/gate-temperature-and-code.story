title: Where the policy asks for temperature and health code, both must be right and fresh
source: domain 5, verdict table: temperature or health code not as required
policy: temperature_required = yes, health_code_required = yes

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan says HOLD: temperature-or-code; next measure-again
2022-04-20 12:01:00  at gate-a, by chen: wang measures 36.6 °C
2022-04-20 12:01:30  at gate-a: scan says HOLD: temperature-or-code
2022-04-20 12:02:00  at gate-a, by chen: wang shows a green code
2022-04-20 12:02:30  at gate-a: scan says GO: in-order; not temperature-or-code
2022-04-20 16:00:59  at gate-a: scan says GO: in-order
2022-04-20 16:01:00  at gate-a: scan says HOLD: temperature-or-code
