title: A shortcut that leaves a required station out is seen when the truck is back on its line beyond it
source: domain 5: skipping a required station; progress along the line
required: gate-a outbound

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:50:00  at depot: scanned out
# At km 8.5 it takes a road to the north, and comes back beyond the gate that it should have gone through.
2022-04-20 09:00:00  drives from km 1 to km 8 outbound, at 60 km/h
2022-04-20 09:08:00  drives from km 8.5 to km 12 outbound, at 60 km/h, every 30 s, off 900 m
2022-04-20 09:12:00  drives from km 12.5 to km 30 outbound, at 60 km/h
2022-04-20 09:11:00  expect off-loop; no station-skipped
2022-04-20 09:15:00  expect station-skipped of gate-a since 09:12 to 09:13; off-loop ended 09:12 with skipped_m 4000
