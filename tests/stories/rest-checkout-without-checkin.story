title: A check-out of people who never checked in does not fit
source: a fact that cannot be explained becomes a finding

2022-04-20 12:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-21 06:20:00  at rest: checked out wang
2022-04-21 06:20:30  expect unexplained since 06:20; 0 stays
