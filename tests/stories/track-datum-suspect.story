title: A track at a constant offset beside its line is GCJ-02 mistaken for WGS-84, not a departure of a truck
source: domain 5, the line is WGS-84; GCJ-02 is 100 to 700 m away

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 2 to km 62 outbound, at 60 km/h, in GCJ-02
2022-04-20 09:59:00  expect datum-suspect; no off-loop; never wrong-way
