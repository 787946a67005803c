title: A crew without any test is sampled first
source: domain 5, verdict table: evidence missing for this station

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 07:30:00  at sampling: scan says HOLD: evidence-missing; next sample-here
# A gate that cannot sample names the station that can.
2022-04-20 07:30:00  at gate-a: scan says HOLD: evidence-missing; next sample-here sampling
