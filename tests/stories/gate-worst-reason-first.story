title: The worst reason wins; within it the first is the one the person at the gate can act on
source: domain 5, verdict table

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-04-21 12:00
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 positive
2022-04-21 12:00:00  at gate-a: scan (plate read 浙C99999, lists 13 h old) says STOP: plate-differs, tested-positive, pass-expired, evidence-missing, lists-old
2022-04-21 12:00:00  at gate-a: scan (without a live step) says STOP: tested-positive, pass-expired, pass-not-live, evidence-missing
