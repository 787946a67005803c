title: A stay outside every station of the loop is a finding, and counts as a stay all the same
source: domain 5, designated stations only; rest stays

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 20:00:00  at elsewhere-hotel: checked in wang, bay 0, bed 7
2022-04-20 20:00:30  expect undesignated-place since 20:00; 1 open stay
2022-04-21 06:00:00  at elsewhere-hotel: checked out wang
2022-04-21 06:00:30  expect 1 closed stay
