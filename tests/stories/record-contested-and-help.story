title: A driver contests a colour and calls for help, and is heard until somebody answers
source: domain 6: the driver can read it and contest it; domain 4 whistle

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:30:00  at depot: loaded 40 parcels, seal A1
2022-04-20 09:30:00  server: warning off-loop red since 09:10 #W1
2022-04-20 09:39:00  expect never contested, help-called
2022-04-20 09:40:00  driver wang: contests W1 "the road was closed" #word
2022-04-20 09:40:30  expect contested since 09:40; never help-called
2022-04-20 09:41:00  driver wang: calls for help "flat tyre" #help
2022-04-20 09:41:30  expect help-called red since 09:41
2022-04-20 09:42:00  server: warning help-called red since 09:41 of fact:help #W2
2022-04-20 09:50:00  coordinator, by zhou: warning W2 answered "tow truck on its way"
2022-04-20 09:50:30  expect no help-called; contested since 09:40
