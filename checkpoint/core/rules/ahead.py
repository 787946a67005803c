"""What lies ahead of a truck: the stations it will reach next, in that order, and about when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from checkpoint.core.journey import View
from checkpoint.core.loop import Leg, Loop, Policy, Station, Stop

_PASSED_M = 500.0


class Ahead(NamedTuple):
    """A station ahead: metres of line to it (0 while the truck stands in it) and when it should be reached."""

    station: Station
    distance_m: float
    eta: datetime


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


def travel_time(distance_m: float, policy: Policy) -> timedelta:
    """How long a stretch takes at the policy's cruising speed, with the breaks the law demands."""
    driving_s = distance_m / 1000 / policy.cruise_kmh * 3600 if policy.cruise_kmh > 0 else 0.0
    breaks = int(driving_s // policy.break_after_driving_s) if policy.break_after_driving_s > 0 else 0
    return timedelta(seconds=driving_s + breaks * policy.break_s)


def ahead(view: View, now: datetime) -> tuple[Ahead, ...]:
    """The stations ahead on the leg under way, the nearest first; a station the truck stands in comes first."""
    place = place_on_line(view)
    if view.loop is None or place is None:
        return ()
    leg, along_m = place
    inside = (view.track.station if view.track else "") or (view.journey.at_station if view.journey else "")
    found = []
    for stop in view.loop.stops[leg]:
        here = stop.station.id == inside
        if here or stop.along_m > along_m + _PASSED_M:
            distance_m = 0.0 if here else stop.along_m - along_m
            found.append(Ahead(stop.station, distance_m, now + travel_time(distance_m, view.policy)))
    return tuple(found)
