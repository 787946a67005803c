title: A stranger seen before the truck was ever scanned in, loaded or swabbed holds it all the same
source: domain 5, verdict table: person in the cab who is not on the pass

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 12:00:00  at gate-a, by chen: stranger in the cab
2022-04-20 12:00:30  at gate-a: scan says HOLD: stranger-in-cab, evidence-missing
2022-04-20 12:05:00  at gate-a, by chen: the stranger stays behind
2022-04-20 12:05:30  at gate-a: scan says HOLD: evidence-missing; not stranger-in-cab
