"""What the loop owes the driver: warnings of the same rank as those about the driver. Source: domain.md, section 6."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from checkpoint.core.facts import Cited, Scanned, SwabTaken
from checkpoint.core.journey import View
from checkpoint.core.rules.ahead import ahead
from checkpoint.core.rules.common import SECOND, cite_swab, event, seconds, under_way
from checkpoint.core.rules.gate import evidence_word, evidenced_until
from checkpoint.core.sampling import as_of, bearing, counts_until, standing, with_bad_news
from checkpoint.core.verdict import Finding, Value

# Reasons at a gate that speak of the evidence, and would not have been given had it been known there.
_OF_EVIDENCE = frozenset({"evidence-missing", "lists-old", "clock-unsure", "held-for-review", "tested-positive"})
_SERVED = frozenset({"gate", "sampling", "loading", "unloading"})


def _for_driver(
    view: View,
    kind: str,
    subject: str,
    since: datetime,
    until: datetime | None,
    evidence: tuple[Cited, ...],
    **values: Value,
) -> Finding:
    return Finding(
        kind=kind,
        vehicle=view.vehicle,
        subject=subject,
        colour="yellow",
        since=since,
        until=until,
        for_driver=True,
        evidence=evidence,
        values=values,
    )


def held_while_valid(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A station held or turned back a truck for want of evidence that, by all we know of that moment, was valid."""
    for journey in view.journeys:
        for fact in journey.scans:
            shown = fact.what.shown if isinstance(fact.what, Scanned) else None
            if shown is None or fact.at > now or shown.word == "GO" or not _OF_EVIDENCE.intersection(shown.reasons):
                continue
            if evidence_word(view, fact.station, fact.at) == "GO":
                yield event(
                    view,
                    "held-while-valid",
                    fact,
                    for_driver=True,
                    station=fact.station,
                    shown=shown.word,
                    reason=shown.reasons[0],
                )


def sampled_again(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A PCR swab was taken although the person's last one still counted: no repeat sampling inside the validity."""
    for journey in view.journeys:
        for fact in journey.facts:
            if not isinstance(fact.what, SwabTaken) or fact.what.test != "pcr" or fact.at > now:
                continue
            person = view.people.get(fact.what.person)
            if person is None:
                continue
            policy = view.policy_at(fact.at, fact.station)
            before = standing(as_of(bearing(person, fact.at, policy), fact.at), fact.at, policy)
            if before.pcr is not None and before.pcr.fact != fact.id and before.positive is None and before.review is None:
                yield event(
                    view,
                    "sampled-again",
                    fact,
                    for_driver=True,
                    evidence=cite_swab(before.pcr),
                    person=fact.what.person,
                    station=fact.station,
                    valid_until=before.pcr_until,
                    reason=fact.what.repeat_reason,
                )


def queue_long(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """More than 15 minutes between coming to a station and being seen there."""
    if view.loop is None or view.track is None:
        return
    journeys = view.journeys
    seen: defaultdict[str, list[datetime]] = defaultdict(list)
    for at, station_id in sorted((f.at, f.station) for j in journeys for f in j.facts):
        seen[station_id].append(at)
    for visit in view.track.visits:
        plan = view.loop_at(visit.since)
        station = plan.station(visit.station) if plan is not None else None
        if station is None or not _SERVED.intersection(station.services) or visit.since > now:
            continue
        allowed = seconds(view.policy_at(visit.since, visit.station).queue_s)
        # A scan may come a fix or two before the track shows the truck inside; then nobody waited.
        times = seen[visit.station]
        next_seen = bisect_left(times, visit.since - allowed)
        first = max(visit.since, times[next_seen]) if next_seen < len(times) else None
        if first is not None and visit.until is not None and first > visit.until:
            first = None
        if first is None and (visit.until is not None or not journeys):
            continue  # passed by without being seen: not a queue
        if (first or now) - visit.since > allowed:
            yield _for_driver(
                view,
                "queue-long",
                f"station:{visit.station}",
                visit.since + allowed,
                first,
                (Cited(what="arrival", at=visit.since, values={"station": visit.station}),),
                station=visit.station,
                waited_s=int(((first or now) - visit.since).total_seconds()),
            )
        yield visit.since + allowed + SECOND


def hours_without_rest(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Many hours in the cab since the journey began or the last stay ended, and no rest station has taken the crew in."""
    journey = under_way(view, now)
    if journey is None or not journey.loads or any(s.until is None for s in journey.stays):
        return
    last = next((s for j in reversed(view.journeys) for s in reversed(j.stays)), None)
    if last is not None and last.until is None and last.station == journey.at_station:
        return  # the lap changed while they rest
    since = max([journey.opened_at, *(s.until for j in view.journeys for s in j.stays if s.until is not None)])
    due = since + seconds(view.policy.hours_without_rest_s)
    if now > due:
        hours = round((now - since).total_seconds() / 3600, 1)
        cited = (Cited(what="in-cab", at=since),)
        yield _for_driver(view, "hours-without-rest", f"vehicle:{view.vehicle}", due, None, cited, hours=hours)
    yield due + SECOND


def break_due(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Four hours of driving without a break of 20 minutes: the driver must rest, and that rest is not a departure."""
    track = view.track
    if track is None or track.last is None or under_way(view, now) is None or track.driving_since is None:
        return
    over_s = track.driven_s - view.policy.break_after_driving_s
    if over_s >= 0:
        since = track.last.fixed_at - timedelta(seconds=over_s)
        yield _for_driver(
            view,
            "break-due",
            f"vehicle:{view.vehicle}",
            since,
            None,
            (Cited(what="driving", at=track.driving_since),),
            driven_s=int(track.driven_s),
        )


def test_runs_out(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """On the road, and a test that counts now will no longer do so at the next station; the last one that samples is named."""
    if under_way(view, now) is None or view.pass_ is None or view.track is None or view.track.station:
        return
    stations = ahead(view, now)
    if not stations:
        return
    nearest = stations[0]
    there = view.policy_at(now, nearest.station.id)
    if not there.evidence_required:
        return
    for person in view.pass_.crew:
        known = with_bad_news(view.people[person], now)
        held = standing(known, now, view.policy)
        swab = held.pcr or held.antigen
        if swab is None or held.positive or held.review or evidenced_until(held, view.policy) is None:
            continue
        # What counts here may count for less there: the next station may have numbers of its own.
        until = evidenced_until(standing(known, now, there), there) or counts_until(swab, there)
        if until is None or until > nearest.eta:
            if until is not None:
                yield until - (nearest.eta - now)
                yield until
            continue
        sampling = [a.station.id for a in stations if "sampling" in a.station.services]
        yield _for_driver(
            view,
            "test-runs-out",
            f"person:{person}",
            swab.taken_at,
            None,
            cite_swab(swab),
            person=person,
            test_until=until,
            station=nearest.station.id,
            eta=nearest.eta,
            sample_at=sampling[0] if sampling else "",
        )


def result_owed(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A laboratory owes a PCR result for more than 8 hours."""
    for person in view.pass_.crew if view.pass_ is not None else ():
        for swab in view.people[person].swabs:
            if swab.test != "pcr":
                continue
            due = swab.taken_at + seconds(view.policy_at(swab.taken_at, swab.station).result_owed_s)
            if (swab.reported_at or now) > due and now > due:
                yield _for_driver(
                    view,
                    "result-owed",
                    f"specimen:{swab.specimen}",
                    due,
                    swab.reported_at if swab.reported_at is not None and swab.reported_at <= now else None,
                    cite_swab(swab)[:1],
                    person=person,
                    specimen=swab.specimen,
                    tube=swab.tube,
                )
            yield due + SECOND
