title: A voided result withdraws what it said
source: design: corrections are facts

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  laboratory: T1 positive #result
2022-04-20 12:00:30  expect positive-result of wang
2022-04-20 12:00:30  at gate-a: scan says STOP: tested-positive, evidence-missing
2022-04-20 12:30:00  laboratory: void #result "tubes exchanged"
2022-04-20 12:40:00  laboratory: T1 negative
2022-04-20 12:40:30  expect never positive-result
2022-04-20 12:40:30  at gate-a: scan says GO: in-order
