title: An antigen test alone, with no PCR under way, is not the release rule
source: domain 5, release rule: PCR + antigen

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:02:00  at sampling: swab A1 of wang, antigen
2022-04-20 08:18:00  at sampling: A1 reads negative
2022-04-20 08:19:00  at sampling: scan says HOLD: evidence-missing; not pcr-pending
# A second antigen test that nobody reads is no PCR under way either.
2022-04-20 08:20:00  at sampling: swab A2 of wang, antigen
2022-04-20 08:41:00  at sampling: scan says HOLD: evidence-missing; not pcr-pending
