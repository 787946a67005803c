title: A positive PCR of one's own stands, whatever a later one says, until it is taken back
source: domain 5: what releases a positive antigen does not release a positive PCR

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 07:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 12:00:00  laboratory: T1 positive #wrong
2022-04-20 13:00:00  at sampling: swab S2 of wang, pcr, alone in tube T2
2022-04-20 18:00:00  laboratory: T2 negative
2022-04-20 18:00:01  at gate-a: scan says STOP: tested-positive
2022-04-20 19:00:00  laboratory: void #wrong "the tubes were exchanged"
2022-04-20 19:00:01  at gate-a: scan says GO: in-order
