title: Driving back along the line
source: domain 5: going the wrong way along the line

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 60 outbound, at 60 km/h
2022-04-20 10:01:00  drives from km 59 to km 52 outbound, at 60 km/h
2022-04-20 10:00:30  expect never wrong-way
2022-04-20 10:06:00  expect wrong-way since 10:00 to 10:02; no off-loop
2022-04-20 10:09:00  drives from km 52 to km 70 outbound, at 60 km/h
2022-04-20 10:20:00  expect no wrong-way; wrong-way ended 10:07 to 10:11
