title: Anyone may overrule with name and reason; the coordinator sees it until it is answered
source: domain 5, after the verdict table

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at gate-a: scan was shown HOLD: evidence-missing
2022-04-20 08:00:30  expect never overruled
2022-04-20 08:01:00  at gate-a, by chen: overruled to GO "insulin on board" #over
2022-04-20 08:01:30  expect overruled since 08:01
2022-04-20 08:02:00  server: warning overruled yellow since 08:01 of fact:over #W1
2022-04-20 08:10:00  coordinator, by zhou: warning W1 answered "right so"
2022-04-20 08:10:30  expect no overruled; overruled since 08:01 ended 08:10
