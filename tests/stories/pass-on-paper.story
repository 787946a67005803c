title: A paper pass is compared with plate and names before it counts
source: domain 5, passes: paper at a lower trust; verdict table

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 12:00:00  at gate-a: scan on paper says HOLD: paper-not-compared; next compare-plate-name; not pass-not-live
2022-04-20 12:00:00  at gate-a: scan on paper (plate read 浙C12345) says HOLD: paper-not-compared
2022-04-20 12:00:00  at gate-a: scan on paper (plate read 浙C12345, names differ) says HOLD: stranger-in-cab
2022-04-20 12:00:00  at gate-a: scan on paper (plate read 浙C12345, names agree) says GO: in-order; not paper-not-compared
# A number that was typed has no step to show: it is compared as paper is.
2022-04-20 12:00:00  at gate-a: scan typed says HOLD: paper-not-compared
2022-04-20 12:00:00  at gate-a: scan typed (plate read 浙C12345, names agree) says GO: in-order
