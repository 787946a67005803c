"""A recorded drive without what its receiver made up: leaps dropped, standing jitter collapsed, stops found.

The law of this file: what no truck could have driven goes, and is counted; what it may have driven stays. A turning road and a
turning truck both look like noise, so a place is only dropped when the drive goes on as if it had never been there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

import msgspec

from checkpoint.core import geo
from checkpoint.core.geo import LonLat
from checkpoint.decoders.recorded import Drive, Place

_FASTEST_MS = 50.0  # with the slack below: what a truck, its clock and its receiver can show between two places
_SLACK_M = 60.0
_AGREEING = 3  # so many places that agree with each other are believed against the one before
_INACCURATE_M = 200.0
_STANDING_M = 50.0
_STANDING = timedelta(seconds=120)
_SHUNTING_M = 120.0
_SHUNTING = timedelta(minutes=5)
_STEP_M = 15.0
_SPIKE_M = 40.0


class Stand(NamedTuple):
    """Where and how long the truck stood: its place, how far the receiver wandered around it, which point it is."""

    place: LonLat
    spread_m: float
    since: datetime
    until: datetime
    point: int

    @property
    def length(self) -> timedelta:
        """How long."""
        return self.until - self.since


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """A drive as it was driven: its points in order, where it stood, and how many places were dropped as noise."""

    name: str
    points: tuple[LonLat, ...]
    stands: tuple[Stand, ...]
    dropped_count: int
    timed: bool


class _At(NamedTuple):
    place: LonLat
    at: datetime | None


def cleaned(drive: Drive, name: str = "") -> Cleaned:
    """The drive without noise. Drives without times keep all their places but repeats."""
    believed = [p for p in drive.places if p.valid and (p.accuracy_m is None or p.accuracy_m <= _INACCURATE_M)]
    places = [_At((p.lon, p.lat), p.at) for p in believed]
    if drive.timed:
        places = _without_spikes(_without_leaps(_in_time(believed)))
    dropped = len(drive.places) - len(places)
    points, stands = _standing_collapsed(places) if drive.timed else ([p.place for p in places], [])
    kept: list[LonLat] = []
    renamed: dict[int, int] = {}
    stood = {stand.point for stand in stands}
    least_m = _STEP_M if drive.timed else 0.5
    for i, point in enumerate(points):
        if i in stood or not kept or geo.distance_m(kept[-1], point) >= least_m or i == len(points) - 1:
            kept.append(point)
            renamed[i] = len(kept) - 1
    found = tuple(stand._replace(point=renamed[stand.point]) for stand in stands)
    return Cleaned(name=name or drive.name, points=tuple(kept), stands=found, dropped_count=dropped, timed=drive.timed)


def _in_time(places: Sequence[Place]) -> list[_At]:
    """In the order they were driven, one for each instant."""
    by_instant = {p.at: _At((p.lon, p.lat), p.at) for p in places}
    return [by_instant[at] for at in sorted(at for at in by_instant if at is not None)]


def _reached(a: _At, b: _At) -> bool:
    assert a.at is not None
    assert b.at is not None
    return geo.distance_m(a.place, b.place) <= _SLACK_M + _FASTEST_MS * abs((b.at - a.at).total_seconds())


def _without_leaps(places: Sequence[_At]) -> list[_At]:
    """Without places that cannot have been reached, unless several in a row agree that the truck was there after all."""
    kept: list[_At] = []
    doubted: list[_At] = []
    for place in places:
        if not kept or _reached(kept[-1], place):
            kept.append(place)
            doubted = []
            continue
        doubted = [*doubted, place] if doubted and _reached(doubted[-1], place) else [place]
        if len(doubted) >= _AGREEING:
            # One or two places at the very beginning were the leap, not all that follows.
            kept = doubted if len(kept) < _AGREEING else kept + doubted
            doubted = []
    return kept


def _without_spikes(places: list[_At]) -> list[_At]:
    """Without single places thrown aside while the truck drove on, and up to three while it stood."""
    kept: list[_At] = []
    i = 0
    while i < len(places):
        skipped = next((k for k in (1, 2, 3) if kept and _is_spike(kept, places, i, k)), 0)
        i += skipped
        if i < len(places):
            kept.append(places[i])
        i += 1
    return kept


def _is_spike(kept: list[_At], places: list[_At], i: int, count: int) -> bool:
    """Whether `count` places from `i` on were thrown aside."""
    if i + count >= len(places):
        return False
    a, b, thrown = kept[-1].place, places[i + count].place, [p.place for p in places[i : i + count]]
    off = min(geo.off_chord_m(p, a, b) for p in thrown)
    if off <= _SPIKE_M:
        return False
    before = kept[-2].place if len(kept) > 1 else a
    after = places[i + count + 1].place if i + count + 1 < len(places) else b
    if geo.distance_m(a, b) <= 30 and geo.distance_m(before, a) <= 30 and geo.distance_m(b, after) <= 30:
        return True
    return count == 1 and _turn_cos(a, thrown[0], b) < -0.64 and _cos(before, a, b, after) > 0.5


def _cos(a: LonLat, b: LonLat, c: LonLat, d: LonLat) -> float:
    """Cosine between the ways from a to b and from c to d; 0 when one of them is nothing."""
    kx, ky = geo.scale_m(a[1])
    ux, uy, vx, vy = (b[0] - a[0]) * kx, (b[1] - a[1]) * ky, (d[0] - c[0]) * kx, (d[1] - c[1]) * ky
    size = (ux * ux + uy * uy) * (vx * vx + vy * vy)
    return (ux * vx + uy * vy) / size**0.5 if size else 0.0


def _turn_cos(a: LonLat, b: LonLat, c: LonLat) -> float:
    return _cos(a, b, b, c)


def _standing_collapsed(places: Sequence[_At]) -> tuple[list[LonLat], list[Stand]]:
    """The places with each stand as one point, and the stands."""
    points: list[LonLat] = []
    stands: list[Stand] = []
    i = 0
    while i < len(places):
        j = i + 1
        while j < len(places) and geo.distance_m(places[i].place, places[j].place) <= _STANDING_M:
            j += 1
        since, until = places[i].at, places[j - 1].at
        assert since is not None
        assert until is not None
        if until - since < _STANDING:
            points.append(places[i].place)
            i += 1
            continue
        stood = [p.place for p in places[i:j]]
        middle = (median(p[0] for p in stood), median(p[1] for p in stood))
        spread = max(geo.distance_m(middle, p) for p in stood)
        stand = Stand(middle, spread, since, until, len(points))
        if stands and _same_yard(stands[-1], stand):
            stands[-1] = _joined(stands[-1], stand)
            del points[stands[-1].point + 1 :]
        else:
            points.append(middle)
            stands.append(stand)
        i = j
    return points, stands


def _same_yard(before: Stand, stand: Stand) -> bool:
    return stand.since - before.until <= _SHUNTING and geo.distance_m(before.place, stand.place) <= _SHUNTING_M


def _joined(a: Stand, b: Stand) -> Stand:
    longer, other = (a, b) if a.length >= b.length else (b, a)
    spread = max(longer.spread_m, geo.distance_m(longer.place, other.place) + other.spread_m)
    return Stand(longer.place, spread, a.since, b.until, a.point)
