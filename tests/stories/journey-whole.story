title: One journey from the request to the release, with everything in order
source: domain 3

2022-04-19 16:00:00  pass R0 asked for 浙C67890, crew zhao, until 2022-05-19
2022-04-19 16:20:00  coordinator, by zhou: pass R0 refused "not a supply truck"
2022-04-19 17:00:00  pass R1 asked for 浙C12345, crew wang, li, until 2022-05-19
2022-04-19 17:30:00  coordinator, by zhou: pass 330304-0000001 granted for 浙C12345, crew wang, li, until 2022-05-19, as asked in R1
2022-04-19 18:00:00  device phone-1 reports for the truck
2022-04-19 18:30:00  at sampling: scan says HOLD: evidence-missing; next sample-here
2022-04-19 18:30:10  at sampling, by chen: scan was shown HOLD: evidence-missing
2022-04-19 18:30:20  at sampling, by chen: scanned in
2022-04-19 18:31:00  at sampling, by chen: wang measures 36.4 °C
2022-04-19 18:31:10  at sampling, by chen: wang shows a green code
2022-04-19 18:32:00  at sampling, by chen: swab A1 of wang, antigen
2022-04-19 18:32:20  at sampling, by chen: swab S1 of wang, pcr, alone in tube T1
2022-04-19 18:33:00  at sampling, by chen: swab A2 of li, antigen
2022-04-19 18:33:20  at sampling, by chen: swab S2 of li, pcr, alone in tube T2
2022-04-19 18:34:00  at sampling, by chen: care pack for wang
2022-04-19 18:34:10  at sampling, by chen: care pack for li
2022-04-19 18:49:00  at sampling, by chen: A1 reads negative
2022-04-19 18:50:00  at sampling, by chen: A2 reads negative
2022-04-19 18:51:00  at sampling: scan says GO: pcr-pending; next drive-on-result-due
2022-04-19 18:51:10  at sampling, by chen: scan was shown GO: pcr-pending
2022-04-19 18:51:20  at sampling, by chen: scanned out
2022-04-19 19:10:00  at rest, by sun: scanned in
2022-04-19 19:12:00  at rest, by sun: checked in wang, li, bay 2, beds 1, 2
2022-04-20 01:00:00  laboratory: T1 negative, received 2022-04-19 20:30
2022-04-20 01:00:00  laboratory: T2 negative, received 2022-04-19 20:30
2022-04-20 06:30:00  at rest, by sun: checked out wang, li
2022-04-20 06:31:00  at rest, by sun: scanned out
2022-04-20 06:50:00  at depot, by qian: scanned in
2022-04-20 07:10:00  at depot, by qian: loaded 40 parcels, seal A1
2022-04-20 07:15:00  at depot: scan on paper says HOLD: paper-not-compared
2022-04-20 07:15:20  at depot, by qian: compared, plate 浙C12345, names agree
2022-04-20 07:15:30  at depot: scan on paper (plate read 浙C12345, names agree) says GO: in-order; until 2022-04-21 18:32:20
2022-04-20 07:15:40  at depot, by qian: scan on paper was shown GO: in-order; until 2022-04-21 18:32:20
2022-04-20 07:16:00  at depot, by qian: scanned out
2022-04-20 07:17:00  drives from km 1 to km 99 outbound, at 72 km/h
2022-04-20 08:00:00  expect quiet; leg outbound
2022-04-20 08:40:00  stands in market for 50 min
2022-04-20 08:43:00  at market, by xu: scanned in
2022-04-20 09:20:00  at market, by xu: unloaded 40 parcels, seal A1
2022-04-20 09:29:00  at market, by xu: scanned out
2022-04-20 09:31:00  drives from km 2 to km 89.6 inbound, at 72 km/h
2022-04-20 10:45:00  stands in sampling for 6 min
2022-04-20 10:45:30  at sampling, by chen: scanned in
2022-04-20 10:46:00  at sampling: scan says GO: in-order; until 2022-04-21 18:32:20; not evidence-missing
2022-04-20 10:50:30  at sampling, by chen: scanned out
2022-04-20 10:52:00  drives from km 90.5 to km 101.6 inbound, at 60 km/h
2022-04-20 11:04:00  at depot, by qian: scanned in
2022-04-20 11:04:30  device phone-1 is released from the truck
2022-04-20 11:05:00  expect quiet; leg inbound; at depot; 1 closed stay; never unexplained, off-loop, late, station-skipped, load-differs, verdict-differs, held-while-valid
