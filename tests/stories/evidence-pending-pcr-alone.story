title: A swab without a result and without an antigen test lets nobody through
source: domain 5, release rule: older than 48 h, PCR and antigen

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:01:00  at sampling: scan says HOLD: evidence-missing; not pcr-pending, in-order
2022-04-20 08:01:00  expect wang is only pending
