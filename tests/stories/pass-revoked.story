title: A revoked pass stops counting at once
source: domain 5, passes: revocable at once

2022-04-20 06:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 06:05:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 11:00:00  laboratory: T1 negative
2022-04-20 11:59:59  at gate-a: scan says GO: in-order; not pass-revoked
2022-04-20 12:00:00  coordinator: pass 330304-0000001 revoked "crew fell ill"
2022-04-20 12:00:00  at gate-a: scan says STOP: pass-revoked; next call-new-pass
