title: The departure of the first kilometres is taken back once it is seen to be a shift of datum
source: domain 5, the line is WGS-84; a datum question instead of a flood of departures

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 2 to km 62 outbound, at 60 km/h, every 20 s, in GCJ-02
2022-04-20 09:02:00  expect off-loop; no datum-suspect
2022-04-20 09:08:00  expect datum-suspect with likely GCJ-02; never off-loop, wrong-way
