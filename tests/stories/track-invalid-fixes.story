title: Fixes that their own device calls invalid say nothing, and are no silence
source: domain 5: off loop, silent and unknown are three things

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 20 outbound, at 60 km/h
2022-04-20 09:21:00  drives from km 21 to km 36 outbound, at 60 km/h, off 5000 m, invalid
2022-04-20 09:31:00  expect position-unknown yellow since 09:21; never off-loop, silent; place unknown
