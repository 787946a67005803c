title: The break that the law demands is not a departure
source: domain 6: 4 h driving needs a 20 min break, and that break is not a departure
policy: break_after_driving_s = 1 h, break_from_driving_s = 54 min

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
2022-04-20 09:00:00  drives from km 1 to km 56 outbound, at 60 km/h
2022-04-20 09:54:00  expect no break-due
2022-04-20 09:56:00  stands at km 56 outbound for 40 min
2022-04-20 10:20:00  expect never unscheduled-stop, break-due
2022-04-20 10:25:00  expect no unscheduled-stop
# Twenty minutes are the law's, ten more the policy's slack; then it is a stop like any other.
2022-04-20 10:25:01  expect unscheduled-stop since 09:55
