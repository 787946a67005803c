title: A positive antigen stops the truck and is known at once
source: domain 5, antigen: STOP, isolate, PCR single tube

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19
2022-04-20 07:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 07:05:00  at sampling: swab S2 of li, pcr, alone in tube T2
2022-04-20 12:00:00  laboratory: T1 negative
2022-04-20 12:00:00  laboratory: T2 negative
2022-04-20 13:00:00  at sampling: swab A1 of wang, antigen
2022-04-20 13:16:00  at sampling: A1 reads positive
2022-04-20 13:16:30  at sampling: scan says STOP: tested-positive; next isolate-single-pcr; not in-order
2022-04-20 13:16:30  expect positive-result red of wang; wang is positive; li is not positive
# His single-tube PCR, taken afterwards, releases him when it is negative.
2022-04-20 13:20:00  at sampling: swab S3 of wang, pcr, alone in tube T3
2022-04-20 13:25:00  at sampling: scan says STOP: tested-positive
2022-04-20 18:00:00  laboratory: T3 negative
2022-04-20 18:00:01  expect wang is not positive
2022-04-20 18:00:01  at sampling: scan says GO: in-order
