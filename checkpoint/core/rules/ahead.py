"""What lies ahead of a truck: the stations it will reach next, in that order, and about when.

The law of this file: an arrival is an interval, and there is none where nobody can know. It is counted from the last place
that could be believed, by the plan's time and the truck's own pace, with the breaks that the law demands and the stations
where it must stop. Nine arrivals of ten fall inside; `tests/test_arrivals.py` counts them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from checkpoint.core.facts import Fact, Left
from checkpoint.core.journey import Journey, View
from checkpoint.core.loop import Leg, Loop, Policy, Station, Stop
from checkpoint.core.pace import plan_of

_PASSED_M = 500.0
_TRUST_S = 450.0  # planned seconds of driving after which a truck's own pace counts for half
_PACES = 0.6, 3.0  # how much faster or slower than the plan is believed to go on
# How far off an estimate is, as a share of the driving: what is left once the pace is known, and what a known pace takes away.
_SPREAD, _UNKNOWN_PACE = 0.055, 0.10
_SPREAD_S = 90.0
_SLOWER = 1.5  # there is more to be late by than to be early by
# A driver takes the break that the law demands at any time in the second half of the driving it allows. It is counted when
# the chance that it comes before the station is at least so much, and lasts so many times what the law demands: for the
# earliest arrival, the likely one, the latest.
_BREAK_FROM = 0.5
_BREAK_CHANCE = 0.95, 0.6, 0.15
_BREAK_LASTS = 1.0, 1.25, 1.6
# Minutes that a station on the way keeps a truck: least, likely, most.
_STOPS = {"sampling": (5, 20, 60), "": (0, 3, 15)}


class Ahead(NamedTuple):
    """A station ahead: metres of line to it (0 while the truck stands in it), and when it should be reached.

    `earliest` and `latest` hold nine arrivals of ten; both None where the truck's place, or when it drives on, is not known.
    """

    station: Station
    distance_m: float
    eta: datetime
    earliest: datetime | None = None
    latest: datetime | None = None


def place_on_line(view: View) -> tuple[Leg, float] | None:
    """The leg the truck is on and its metres along it: from the track, else from the last station it was scanned at."""
    loop, journey = view.loop, view.journey
    if loop is None:
        return None
    track = view.track
    if track is not None and track.leg is not None and track.along_m is not None:
        return track.leg, track.along_m
    if journey is None or not journey.facts:
        return None
    leg = journey.leg
    stops = (stop_of(loop, leg, f.station) for f in reversed(journey.facts) if f.station)
    # Seen only where this leg does not pass, it has all of the leg before it: rather too many are told than nobody.
    return leg, next((stop.along_m for stop in stops if stop is not None), 0.0)


def stop_of(loop: Loop, leg: Leg, station: str) -> Stop | None:
    """The station as that leg passes it, or None."""
    return next((s for s in loop.stops[leg] if s.station.id == station), None)


def planned(loop: Loop, leg: Leg, from_m: float, to_m: float) -> timedelta:
    """How long a stretch takes by the plan, with the breaks the law demands: what a truck is late against."""
    driving_s = max(plan_of(loop, leg).between_s(from_m, to_m), 0.0)
    most_s = loop.policy.break_after_driving_s
    breaks = int(driving_s // most_s) if most_s > 0 else 0
    return timedelta(seconds=driving_s + breaks * loop.policy.break_s)


def expected(loop: Loop, journey: Journey, leg: Leg, at: datetime) -> tuple[Fact, datetime] | None:
    """The scan that a leg began with, and when the plan has the truck at its end: rests on the way, up to `at`, move it."""
    begin, end = (loop.origin, loop.destination) if leg == "outbound" else (loop.destination, loop.origin)
    started = next((f for f in journey.facts if f.station == begin and isinstance(f.what, Left)), None)
    target = stop_of(loop, leg, end)
    if started is None or target is None:
        return None
    rested = timedelta()
    for stay in journey.stays:
        if stay.since >= started.at:
            rested += (stay.until or at) - stay.since
    return started, started.at + planned(loop, leg, 0.0, target.along_m) + rested


def behind(view: View, now: datetime) -> timedelta | None:
    """How far behind the plan the truck is likely to reach the end of its leg (negative: before it); None: nobody can say."""
    coming = ahead(view, now)
    if view.loop is None or view.journey is None or not coming or coming[-1].latest is None or coming[-1].distance_m == 0:
        return None
    place = place_on_line(view)
    found = expected(view.loop, view.journey, place[0], now) if place is not None else None
    return coming[-1].eta - found[1] if found is not None else None


def _breaks(driven_s: float, driving_s: float, chance: float, policy: Policy) -> int:
    """How many breaks fall into so much driving after so much, counting those that come before its end with that chance."""
    most_s, count = float(policy.break_after_driving_s), 0
    while most_s > 0 and driving_s > 0:
        first_s = max(min(driven_s, most_s - 600), most_s * _BREAK_FROM)
        at_s = first_s + chance * (most_s - first_s)
        if driven_s + driving_s < at_s:
            break
        count, driving_s, driven_s = count + 1, driven_s + driving_s - max(at_s, driven_s), 0.0
    return count


class _From(NamedTuple):
    """Where an estimate is counted from: the instant, seconds at the wheel since the last break, the pace and how far it is
    known (0 to 1), and how much later than that the truck may drive on (None: nobody knows)."""

    at: datetime
    driven_s: float
    pace: float
    trust: float
    waits_s: tuple[float, float] | None


def _begin(view: View, now: datetime) -> _From:
    track, policy = view.track, view.policy
    if track is None or track.placed is None or track.last is None:
        return _From(now, 0.0, 1.0, 0.0, None)
    trust = track.pace_s / (track.pace_s + _TRUST_S)
    pace = min(max(track.pace, _PACES[0]), _PACES[1]) ** trust
    driven_s = track.driven_s
    if track.place != "on":
        return _From(now, driven_s, pace, trust, None)
    quiet_s = max((now - track.placed.fixed_at).total_seconds(), 0.0)
    if track.at_rest_since is not None:
        rested_s = (now - track.at_rest_since).total_seconds()
        stays = view.journey is not None and any(stay.until is None for stay in view.journey.stays)
        if stays or rested_s > 3 * 3600:
            return _From(now, driven_s, pace, trust, None)
        lawful = driven_s >= policy.break_from_driving_s
        likely_s = max(policy.break_s - rested_s, 0.0) if lawful and not track.station else 0.0
        return _From(now, 0.0 if lawful else driven_s, pace, trust, (likely_s, likely_s + policy.break_s * _BREAK_LASTS[2]))
    if quiet_s > max(policy.silent_red_intervals * track.interval_s, policy.silent_red_min_s):
        return _From(now, driven_s, pace, trust, None)
    # While it is quiet it has driven on, or has stood all the while.
    silent = quiet_s > max(policy.silent_yellow_intervals * track.interval_s, policy.silent_yellow_min_s)
    return _From(track.placed.fixed_at, driven_s, pace, trust, (0.0, quiet_s if silent else 0.0))


def ahead(view: View, now: datetime) -> tuple[Ahead, ...]:
    """The stations ahead on the leg under way, the nearest first; a station the truck stands in comes first."""
    place = place_on_line(view)
    if view.loop is None or place is None:
        return ()
    leg, along_m = place
    inside = (view.track.station if view.track else "") or (view.journey.at_station if view.journey else "")
    begin, found = _begin(view, now), []
    kept = [0.0, 0.0, 0.0]  # seconds, by the stations in between
    for stop in view.loop.stops[leg]:
        here = stop.station.id == inside
        if here:
            found.append(Ahead(stop.station, 0.0, now, now, now))
        elif stop.along_m > along_m + _PASSED_M:
            found.append(_ahead(view.loop, leg, along_m, stop, begin, kept, now))
            if leg in stop.station.required_on:
                minutes = _STOPS["sampling" if "sampling" in stop.station.services else ""]
                kept = [s + 60 * more for s, more in zip(kept, minutes, strict=True)]
    return tuple(found)


def _ahead(loop: Loop, leg: Leg, along_m: float, stop: Stop, begin: _From, kept: list[float], now: datetime) -> Ahead:
    """When the truck reaches one station: its edge, not its middle."""
    policy, distance_m = loop.policy, stop.along_m - along_m
    circle = stop.station.boundary.circle
    edge_m = max(along_m, stop.along_m - circle.radius_m) if circle is not None else stop.along_m
    driving_s = plan_of(loop, leg).between_s(along_m, edge_m) * begin.pace
    spread = _SPREAD + _UNKNOWN_PACE * (1 - begin.trust)
    soonest_s, latest_s = driving_s * (1 - spread), driving_s * (1 + _SLOWER * spread)
    breaks = [
        _breaks(begin.driven_s, s, chance, policy) * policy.break_s * lasts
        for s, chance, lasts in zip((soonest_s, driving_s, latest_s), _BREAK_CHANCE, _BREAK_LASTS, strict=True)
    ]
    waits = begin.waits_s or (0.0, 0.0)
    eta = begin.at + timedelta(seconds=driving_s + breaks[1] + kept[1] + waits[0])
    if begin.waits_s is None:
        return Ahead(stop.station, distance_m, max(eta, now))
    earliest = begin.at + timedelta(seconds=soonest_s + breaks[0] + kept[0] - _SPREAD_S)
    latest = begin.at + timedelta(seconds=latest_s + breaks[2] + kept[2] + waits[1] + _SPREAD_S)
    return Ahead(stop.station, distance_m, max(eta, now), max(earliest, now), max(latest, now))
