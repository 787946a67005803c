title: A night at the rest station, whole: bay and bed, and back on the line
source: domain 3 step 6; rest stays

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 12:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:06:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 19:00:00  laboratory: T1 negative
2022-04-20 19:00:00  laboratory: T2 negative
2022-04-20 19:50:00  at rest: scan says GO: in-order
2022-04-20 19:51:00  at rest: scanned in
2022-04-20 20:00:00  at rest: checked in wang, li, bay 1, beds 1, 2
2022-04-20 20:00:30  expect 1 open stay; at rest; quiet
# Li gets up first; the stay is open until the last one is out.
2022-04-21 06:00:00  at rest: checked out li
2022-04-21 06:00:30  expect 1 open stay
2022-04-21 06:30:00  at rest: checked out wang
2022-04-21 06:31:00  expect 0 open stays; 1 closed stay
2022-04-21 06:35:00  at rest: scanned out
2022-04-21 06:50:00  at depot: scanned in
2022-04-21 06:51:00  expect at depot; quiet; never overstay, left-rest-without-checkout, undesignated-place
