title: What is unloaded is what was loaded, under the same unbroken seal
source: domain 3 step 4; domain 4 load and manifest

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 08:40:00  at depot: scanned out
2022-04-20 10:30:00  at market: unloaded 40 parcels, seal A1 #unload
2022-04-20 10:30:30  expect never load-differs
2022-04-20 10:35:00  at market, by chen: amend #unload to: unloaded 38 parcels, seal A1 "counted again"
2022-04-20 10:35:30  expect load-differs since 10:30
