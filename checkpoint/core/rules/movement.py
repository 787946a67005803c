"""Departures from the loop: where the truck is, and is not. Kinds and numbers: domain.md, section 5.

Off loop, silent and unknown are three different things and never mixed. A quiet phone is not compliance, and not by itself
a violation. What the track shows was read in `track.py`; here is said what it means.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from checkpoint.core import geo
from checkpoint.core.facts import CheckedIn, Cited, Colour, Entered, Fact, Left, Loaded, Scanned
from checkpoint.core.journey import Journey, Stay, View, closes_at
from checkpoint.core.loop import LEGS, Leg, Policy, Station
from checkpoint.core.outages import silent_at
from checkpoint.core.rules.ahead import expected
from checkpoint.core.rules.common import SECOND, cite, closed_by, event, seconds, under_way
from checkpoint.core.rules.terminal import on_departure
from checkpoint.core.track import Episode, TrackReading
from checkpoint.core.verdict import Finding, Value

KINDS: frozenset[str] = frozenset(
    {
        "off-loop",
        "wrong-way",
        "unscheduled-stop",
        "station-skipped",
        "left-rest-without-checkout",
        "overstay",
        "not-departed",
        "late",
        "silent",
        "position-unknown",
        "impossible-travel",
        "datum-suspect",
    }
)


def _episodes(view: View, kind: str, now: datetime) -> Iterator[Episode]:
    """The stretches of one kind in the track. One that ended before it was confirmed was noise, and is not spoken of."""
    for episode in view.track.episodes if view.track is not None else ():
        if episode.kind == kind and episode.since <= now and (episode.until is None or episode.confirmed_at is not None):
            bound = _while_bound(view, episode, now)
            if bound is not None:
                yield bound


def _while_bound(view: View, episode: Episode, now: datetime) -> Episode | None:
    """The part of a stretch in which a pass bound the truck to its loop; before and after, it goes where it likes."""
    for state in view.passes:
        begins, closes = state.grant.not_before, closes_at(view.passes, state)
        if episode.since < closes and (episode.until is None or episode.until > begins):
            ended = episode.until or (closes if closes <= now else None)
            until = min(ended, closes) if ended is not None else None
            return msgspec.structs.replace(episode, since=max(episode.since, begins), until=until)
    return None


def _of_episode(view: View, episode: Episode, now: datetime, colour: Colour = "yellow", **values: Value) -> Finding:
    return Finding(
        kind=episode.kind,
        vehicle=view.vehicle,
        subject=f"vehicle:{view.vehicle}",
        colour=colour,
        since=episode.since,
        until=episode.until,
        confirmed=episode.confirmed_at is not None and episode.confirmed_at <= now,
        evidence=episode.evidence,
        values={**episode.values, **values},
    )


def off_loop(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Outside the corridor and every station: yellow when confirmed, red from 15 minutes on (Shenzhen's rule)."""
    for episode in _episodes(view, "off-loop", now):
        red_at = episode.since + seconds(view.policy_at(episode.since).off_loop_red_s)
        red = (episode.until or now) >= red_at and episode.confirmed_at is not None
        yield _of_episode(view, episode, now, "red" if red else "yellow", terminal=on_departure(view, episode))
        yield red_at


def wrong_way(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Driving back along the line."""
    for episode in _episodes(view, "wrong-way", now):
        yield _of_episode(view, episode, now)


def unscheduled_stop(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """At rest away from a station for more than 15 minutes, unless it is the break that the law demands after driving.

    A device that fell silent says no longer that the truck stands: from then on that is a silence, until a fix at the same
    place proves the stop.
    """
    policy = view.policy
    for whole in view.track.episodes if view.track is not None else ():
        episode = _while_bound(view, whole, now)
        if episode is None or episode.kind != "unscheduled-stop" or episode.since > now:
            continue
        driven_s = episode.values.get("driven_s")
        lawful = isinstance(driven_s, int | float) and driven_s >= policy.break_from_driving_s
        allowed = seconds(policy.break_s + policy.break_slack_s if lawful else policy.stop_s)
        stood_until = episode.until or min(now, _said_to_stand(view, episode))
        if stood_until - episode.since > allowed:
            stood_s = int((stood_until - episode.since).total_seconds())
            yield Finding(
                kind="unscheduled-stop",
                vehicle=view.vehicle,
                subject=f"vehicle:{view.vehicle}",
                colour="yellow",
                since=episode.since,
                until=episode.until,
                evidence=episode.evidence,
                values={**episode.values, "stood_s": stood_s},
            )
        yield episode.since + allowed + SECOND


def _said_to_stand(view: View, episode: Episode) -> datetime:
    """Until when the last fix at rest speaks for itself: as long as its device is not yet silent."""
    assert view.track is not None
    seen_until = episode.values.get("seen_until")
    last = datetime.fromisoformat(seen_until) if isinstance(seen_until, str) else episode.since
    return last + _silence(view.track, view.policy)[0]


def _silence(track: TrackReading, policy: Policy) -> tuple[timedelta, timedelta]:
    """After how long without a fix a device is silent, yellow and red, in its own rhythm."""
    return (
        seconds(max(policy.silent_yellow_intervals * track.interval_s, policy.silent_yellow_min_s)),
        seconds(max(policy.silent_red_intervals * track.interval_s, policy.silent_red_min_s)),
    )


def position_unknown(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Fixes come, but too inaccurate to say whether the truck is on its line."""
    for episode in _episodes(view, "position-unknown", now):
        yield _of_episode(view, episode, now)


def datum_suspect(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """The fixes run beside the line at a constant offset: one of the two is probably not in WGS-84."""
    for episode in _episodes(view, "datum-suspect", now):
        yield _of_episode(view, episode, now)


# So fast nobody comes to park, indoors or where a phone is put away: the truck was driving through.
_PASSING_KMH = 30.0


def silent(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """No fix for 3 (yellow) or 6 (red) of the device's own intervals, at least 10 and 30 minutes. At rest in a permitted
    station that is normal: phones that do not move do not report. While we did not listen ourselves, nobody is silent."""
    journey, track = under_way(view, now), view.track
    if journey is None or track is None or track.last is None:
        return
    if journey.at_station and track.at_rest_since is not None:
        return
    if track.station and (journey.at_station == track.station or (track.last.speed_kmh or 0) < _PASSING_KMH):
        return
    since, policy = track.last.fixed_at, view.policy
    again = (policy.silent_yellow_intervals * track.interval_s, policy.silent_red_intervals * track.interval_s)
    yellow_at, red_at = (
        silent_at(since, after, seconds(own), view.outages) for after, own in zip(_silence(track, policy), again, strict=True)
    )
    if now >= yellow_at:
        yield Finding(
            kind="silent",
            vehicle=view.vehicle,
            subject=f"vehicle:{view.vehicle}",
            colour="red" if now >= red_at else "yellow",
            since=since,
            evidence=(
                Cited(
                    what="fix",
                    at=since,
                    values={"lat": track.last.lat, "lon": track.last.lon, "interval_s": round(track.interval_s)},
                ),
            ),
            values={"silent_s": int((now - since).total_seconds())},
        )
    yield yellow_at
    yield red_at


_SEEN = Entered | Left | Scanned | Loaded


def _arrivals(view: View, journey: Journey) -> list[tuple[datetime, str]]:
    """When the truck came to which station on this journey, by scan or by track, in order of time."""
    found = [(f.at, f.station) for f in journey.facts if f.station and isinstance(f.what, _SEEN)]
    ends = journey.closed_at
    found += [
        (visit.since, visit.station)
        for visit in (view.track.visits if view.track is not None else ())
        if visit.since >= journey.opened_at and (ends is None or visit.since < ends)
    ]
    return sorted(found)


def station_skipped(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A required station did not see the truck before it came to a later one on the same leg, or drove past it without having
    been inside. Driving by is no visit."""
    for journey in view.journeys:
        plan = view.loop_at(journey.opened_at)
        if plan is None or not journey.loads:
            continue
        arrivals = [(at, s) for at, s in _arrivals(view, journey) if at <= now]
        scanned = [(f.at, f.station) for f in journey.facts if f.station and isinstance(f.what, _SEEN) and f.at <= now]
        turned = next((at for at, s in arrivals if s == plan.destination), None)
        for leg in ("outbound", "inbound"):
            if leg == "outbound":
                legged = [(at, s) for at, s in arrivals if turned is None or at <= turned]
            else:
                legged = [(at, s) for at, s in arrivals if turned is not None and at >= turned]
            stops = plan.stops[leg]
            for i, stop in enumerate(stops):
                if leg not in stop.station.required_on:
                    continue
                later = {s.station.id for s in stops[i + 1 :]}
                begun = legged[0][0] if legged else journey.opened_at
                gone_by = _gone_by(view, journey, stop.station.id, leg, begun, now)
                arrived = (Cited(what="arrival", at=at, values={"station": s}) for at, s in legged if s in later)
                passed = min((p for p in (next(arrived, None), gone_by) if p is not None), key=_at, default=None)
                if passed is None:
                    continue
                since = _at(passed)
                if any(s == stop.station.id and begun <= at <= since for at, s in scanned):
                    continue
                visited = next((at for at, s in scanned if s == stop.station.id and at > since), None)
                yield Finding(
                    kind="station-skipped",
                    vehicle=view.vehicle,
                    subject=f"station:{stop.station.id}",
                    colour="yellow",
                    since=since,
                    until=visited,
                    evidence=(passed,),
                    values={"station": stop.station.id, "reached": passed.values.get("station") or "", "leg": leg},
                )


def _at(cited: Cited) -> datetime:
    assert cited.at is not None
    return cited.at


def _gone_by(view: View, journey: Journey, station: str, leg: Leg, begun: datetime, now: datetime) -> Cited | None:
    """The fix that shows the truck beyond a station of this leg without its having been inside it."""
    track = view.track
    for passed in track.passed if track is not None else ():
        ends = journey.closed_at
        within = begun <= passed.at <= now and (ends is None or passed.at < ends)
        if within and passed.station == station and passed.leg == leg:
            assert track is not None
            if not any(v.station == station and begun <= v.since <= passed.at for v in track.visits):
                return passed.evidence
    return None


def _left_station(view: View, stay: Stay) -> datetime | None:
    """When the track, or a scan elsewhere, says that the truck left the rest station after it had checked in."""
    times = [
        visit.until
        for visit in (view.track.visits if view.track is not None else ())
        if visit.station == stay.station and visit.until is not None and visit.until > stay.since
    ]
    elsewhere = (
        fact.at
        for journey in view.journeys
        if journey.closed_at is None or journey.closed_at > stay.since
        for fact in journey.facts
        if fact.station not in ("", stay.station) and fact.at > stay.since and isinstance(fact.what, Entered | Scanned | Left)
    )
    times += [at for at in [next(elsewhere, None)] if at is not None]
    return min(times, default=None)


def left_rest_without_checkout(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """The truck left the rest station, by its track or by a scan elsewhere, before its people checked out."""
    tolerance = seconds(view.policy.clock_tolerance_s)
    for journey in view.journeys:
        for stay in journey.stays:
            left = _left_station(view, stay)
            if left is None or left > now or (stay.until is not None and stay.until <= left + tolerance):
                continue
            yield Finding(
                kind="left-rest-without-checkout",
                vehicle=view.vehicle,
                subject=f"station:{stay.station}",
                colour="yellow",
                since=left,
                until=stay.until,
                evidence=(
                    Cited(what="CheckedIn", at=stay.since, fact=stay.facts[0], values={"station": stay.station}),
                    Cited(what="left-by-track", at=left, values={"station": stay.station}),
                ),
                values={"station": stay.station, "bay": stay.bay},
            )


def overstay(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Longer than 24 hours at a rest station."""
    for journey in view.journeys:
        for stay in journey.stays:
            allowed = seconds(view.policy_at(stay.since, stay.station).rest_s)
            ended = stay.until or _left_station(view, stay)
            if (ended or now) - stay.since > allowed:
                yield Finding(
                    kind="overstay",
                    vehicle=view.vehicle,
                    subject=f"station:{stay.station}",
                    colour="yellow",
                    since=stay.since + allowed,
                    until=ended,
                    evidence=(Cited(what="CheckedIn", at=stay.since, fact=stay.facts[0], values={"station": stay.station}),),
                    values={"station": stay.station, "bay": stay.bay, "since": stay.since},
                )
            yield stay.since + allowed + SECOND


def not_departed(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Loaded, and not gone within 30 minutes."""
    for journey in view.journeys:
        for load, following in pairwise((*journey.loads, None)):
            assert load is not None
            if following is not None and following.station == load.station:
                continue  # loaded in portions: the last one counts
            allowed = seconds(view.policy_at(load.at, load.station).not_departed_s)
            gone = _gone(view, journey, load) or closed_by(journey, now)
            if (gone or now) - load.at > allowed:
                yield Finding(
                    kind="not-departed",
                    vehicle=view.vehicle,
                    subject=f"station:{load.station}",
                    colour="yellow",
                    since=load.at + allowed,
                    until=gone,
                    evidence=(cite(load),),
                    values={"station": load.station, "loaded_at": load.at},
                )
            yield load.at + allowed + SECOND


def _gone(view: View, journey: Journey, load: Fact) -> datetime | None:
    """When the truck left the place where it was loaded: scanned out, seen elsewhere, or by its track."""
    times = [
        f.at
        for f in journey.facts
        if f.at > load.at
        and (
            (f.station == load.station and isinstance(f.what, Left))
            or (f.station not in ("", load.station) and isinstance(f.what, Entered | Left | Scanned | CheckedIn))
        )
    ]
    times += [
        v.until
        for v in (view.track.visits if view.track is not None else ())
        if v.station == load.station and v.until is not None and v.until > load.at
    ]
    return min(times, default=None)


def late(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Arriving at the end of a leg later than the estimate plus half an hour. A rest on the way moves the estimate."""
    for journey in view.journeys:
        loop = view.loop_at(journey.opened_at)
        if loop is None:
            continue
        for leg in LEGS:
            end = loop.destination if leg == "outbound" else loop.origin
            begun = expected(loop, journey, leg, now)
            if begun is None:
                continue
            started = begun[0]
            arrivals = [at for at, station in _arrivals(view, journey) if station == end and at > started.at]
            arrived = min(arrivals, default=None)
            plan = expected(loop, journey, leg, arrived or now) or begun
            due = plan[1] + seconds(loop.policy.late_slack_s)
            resting = any(s.until is None and s.since >= started.at for s in journey.stays)
            ended = arrived or closed_by(journey, now)
            if (ended or now) > due and not (resting and arrived is None):
                yield Finding(
                    kind="late",
                    vehicle=view.vehicle,
                    subject=f"station:{end}",
                    colour="yellow",
                    since=due,
                    until=ended,
                    evidence=(cite(started),),
                    values={"station": end, "due": due, "leg": leg},
                )
            yield due + SECOND


def impossible_travel(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """One pass at two stations too far apart for the time between: faster than 120 km/h between their edges.

    Both scans are cited and nobody is banned by it: a station's clock may be wrong as well as a pass cloned.
    """
    if view.loop is None:
        return
    scans = [f for j in view.journeys for f in j.facts if isinstance(f.what, Scanned | Entered | Left) and f.station]
    for first, second in pairwise(scans):
        a, b = view.loop.station(first.station), view.loop.station(second.station)
        if a is None or b is None or a.id == b.id:
            continue
        apart_m = _edges_apart_m(a, b)
        elapsed_s = (second.at - first.at).total_seconds()
        if apart_m > 0 and apart_m / 1000 > view.policy.max_speed_kmh * elapsed_s / 3600:
            yield event(
                view,
                "impossible-travel",
                second,
                evidence=(cite(first),),
                first=a.id,
                second=b.id,
                apart_km=round(apart_m / 1000, 1),
                elapsed_s=int(elapsed_s),
            )


def _edges_apart_m(a: Station, b: Station) -> float:
    """Metres between the edges of two stations, at least 0; a polygon reaches as far as its farthest corner."""
    return max(0.0, geo.distance_m(a.center, b.center) - _reach_m(a) - _reach_m(b))


def _reach_m(station: Station) -> float:
    if station.boundary.circle is not None:
        return station.boundary.circle.radius_m
    return max(geo.distance_m(station.center, corner) for corner in station.boundary.polygon)
