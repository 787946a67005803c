title: A swab, a stay, a loading anywhere else than designated is recorded and is a finding
source: domain 5, designated stations only

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:31:00  expect never undesignated-place
2022-04-20 09:00:00  at gate-a: loaded 2 parcels, seal A2
2022-04-20 09:00:30  expect one undesignated-place since 09:00
2022-04-20 10:00:00  at service-1: checked in wang, bay 1
2022-04-20 10:00:30  expect undesignated-place since 10:00
2022-04-20 11:00:00  at market: swab S2 of wang, pcr, alone in tube T2
2022-04-20 11:00:30  expect undesignated-place since 11:00
