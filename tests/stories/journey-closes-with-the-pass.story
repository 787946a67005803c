title: The close of the pass ends the journey
source: domain 4 journey: the next loading there or the close of the pass ends it

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 09:00:00  expect leg outbound
2022-04-20 12:00:00  coordinator: pass 330304-0000001 revoked "carrier gave the truck back"
2022-04-20 12:00:01  expect journey closed
