title: A truck that stops and then falls silent is silent, not stopped
source: domain 5: a quiet phone is not by itself a violation; three different things, never mixed

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 0 to km 30 outbound, at 60 km/h
2022-04-20 09:31:00  stands at km 30 outbound for 3 min
2022-04-20 09:46:00  expect no unscheduled-stop; silent yellow since 09:34
# A fix at the same place proves that it stood there all the time.
2022-04-20 09:50:00  stands at km 30 outbound for 1 min
2022-04-20 09:51:00  expect unscheduled-stop since 09:30; no silent
