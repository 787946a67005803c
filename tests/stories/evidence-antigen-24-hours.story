title: A negative antigen carries a pending PCR for 24 hours, not a second longer
source: domain 5, validity windows; policy antigen_valid_s
policy: result_owed_s = 72 h

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:02:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:03:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:18:00  at sampling: A1 reads negative
2022-04-21 08:01:59  at gate-a: scan says GO: pcr-pending; until 2022-04-21 08:02:00
2022-04-21 08:01:59  expect antigen of wang until 2022-04-21 08:02:00
2022-04-21 08:02:00  at gate-a: scan says HOLD: evidence-missing; not pcr-pending
2022-04-21 08:02:00  expect antigen of wang does not count
