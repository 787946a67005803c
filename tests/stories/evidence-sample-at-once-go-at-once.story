title: Older than 48 hours: PCR and antigen, and go on the negative antigen with the PCR pending
source: domain 5, release rule of 18 April 2022 (sample at once, go at once, trace at once)

2022-04-17 08:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-10
2022-04-17 08:05:00  at sampling: swab S0 of wang, pcr, alone in tube T0
2022-04-17 14:00:00  laboratory: T0 negative
2022-04-20 08:00:00  at sampling: scan says HOLD: evidence-missing; next sample-here; not pcr-pending
2022-04-20 08:02:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:03:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 08:10:00  at sampling: scan says HOLD: antigen-unread; next wait-timer
2022-04-20 08:18:00  at sampling: A1 reads negative
2022-04-20 08:18:30  at sampling: scan says GO: pcr-pending; next drive-on-result-due; until 2022-04-21 08:02:00; not in-order, antigen-unread, evidence-missing
2022-04-20 15:00:00  laboratory: T1 negative
2022-04-20 15:00:01  at depot: scan says GO: in-order; until 2022-04-22 08:03:00; not pcr-pending
