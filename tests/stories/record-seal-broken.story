title: A broken seal and another seal are findings although the count is right
source: domain 3 step 2: seal number noted

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 10:30:00  at market: unloaded 20 parcels, seal A1 broken
2022-04-20 10:30:30  expect one load-differs since 10:30
2022-04-20 10:50:00  at market: unloaded 20 parcels, seal Z9
2022-04-20 10:50:30  expect load-differs since 10:50
