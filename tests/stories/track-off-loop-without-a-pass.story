title: A truck that no pass binds goes where it likes
source: domain 4, pass: credential for vehicle, loop and validity; departure: the truck has left the loop

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, from 2022-04-20 08:00, until 2022-04-20 12:00
2022-04-20 07:00:00  stands at km 30 outbound for 30 min, off 2000 m
2022-04-20 07:29:00  expect never off-loop, unscheduled-stop
# Within the pass it is a departure; the close of the pass ends it.
2022-04-20 11:30:00  drives from km 20 to km 80 outbound, at 60 km/h, off 2000 m
2022-04-20 11:45:00  expect off-loop since 11:30
2022-04-20 12:10:00  expect no off-loop; one off-loop ended 12:00
