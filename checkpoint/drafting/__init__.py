"""A loop drafted from recorded drives or a planned route: the two ways, the stations their stops suggest, the corridor.

The law of this package: it suggests, and says what it left out; a person reads the draft before it is put in force. Nothing
here knows a language: a draft has roles and places, whoever prints it names them. Drives are named by who handed them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

import msgspec

from checkpoint.core import geo
from checkpoint.core.geo import LonLat
from checkpoint.core.loop import Service
from checkpoint.decoders.recorded import Drive
from checkpoint.drafting.cleaning import Cleaned, Stand, cleaned
from checkpoint.drafting.fitting import Fitted, Way, fitted
from checkpoint.drafting.plane import Plane, Poly, apart
from checkpoint.drafting.shape import Lap, Shape, laps_of

Role = Literal["origin", "destination", "stop"]
HALF_WIDTH_M = 50.0
# A stand of so long suggests a station; of so long, a place to rest.
_STATION = timedelta(minutes=5)
_REST = timedelta(hours=4)
_SAME_PLACE_M = 300.0
_AT_END_M = 600.0
_LEAST_RADIUS_M: dict[Role, float] = {"origin": 200.0, "destination": 200.0, "stop": 100.0}
_MOST_RADIUS_M = 1000.0
_ROOM_M = 60.0
_SHORTEST_M = 200.0


class NoLoop(ValueError):
    """No loop can be drafted from the drives; `why` is a key of the catalogue (`draft.<why>`)."""

    def __init__(self, why: str, **values: object) -> None:
        self.why, self.values = why, values
        super().__init__(why)


class Suggested(NamedTuple):
    """A station that stops suggest: its role, place, radius and services, how often trucks stood there, and for how long at
    most."""

    role: Role
    center: LonLat
    radius_m: float
    services: tuple[Service, ...]
    stood_count: int
    longest: timedelta


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What the drives suggest, and what was left out of it."""

    shape: Shape
    out: Way
    back: Way
    back_driven: bool
    stations: tuple[Suggested, ...]
    half_width_m: float
    laps_count: int
    dropped_count: int
    elsewhere: tuple[str, ...]
    detours: tuple[tuple[str, float, float], ...]


def draft(drives: Sequence[tuple[str, Drive]], half_width_m: float = HALF_WIDTH_M) -> Draft:
    """The loop that the drives suggest. The first one says which end is the origin. Raises `NoLoop`."""
    clean = [cleaned(drive, name) for name, drive in drives]
    clean = [one for one in clean if len(one.points) >= 2]
    if not clean:
        raise NoLoop("too-short")
    plane = Plane(_middle(clean))
    laps = [lap for one in clean for lap in laps_of(one, plane) if lap.out.length >= _SHORTEST_M]
    if not laps:
        raise NoLoop("too-short")
    first = laps[0]
    ways = [way for lap in laps for way in _driven(lap, turned=lap is not first and _turned(lap, first))]
    outs = [(way.name, way.line) for way in ways if way.is_out and way.line is not None]
    backs = [(way.name, way.line) for way in ways if not way.is_out and way.line is not None]
    out = fitted(outs, plane, half_width_m)
    back = fitted(backs, plane, half_width_m) if backs else _reversed(out, half_width_m)
    ends = (out.way.points[0], out.way.points[-1])
    return Draft(
        shape=first.shape if first.back is not None or not backs else "out-and-back",
        out=out.way,
        back=back.way,
        back_driven=bool(backs),
        stations=_stations(ends, [way for way in ways if way.timed and way.name not in out.elsewhere]),
        half_width_m=half_width_m,
        laps_count=len(laps),
        dropped_count=sum(one.dropped_count for one in clean),
        elsewhere=tuple(dict.fromkeys((*out.elsewhere, *(back.elsewhere if backs else ())))),
        detours=out.detours + (back.detours if backs else ()),
    )


def _middle(clean: Sequence[Cleaned]) -> LonLat:
    lons = [p[0] for one in clean for p in one.points]
    lats = [p[1] for one in clean for p in one.points]
    return (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2


def _turned(lap: Lap, first: Lap) -> bool:
    """Whether a lap begins at the other end: its way out is the first one's way back."""
    begin, end = first.out.points[0], first.out.points[-1]
    a, b = lap.out.points[0], lap.out.points[-1]
    return apart(a, end) + apart(b, begin) < apart(a, begin) + apart(b, end)


class _Driven(NamedTuple):
    """One way of the loop as one lap drove it (None: only part of it), and where it stood there."""

    name: str
    is_out: bool
    line: Poly | None
    stands: tuple[Stand, ...]
    timed: bool


def _driven(lap: Lap, turned: bool) -> list[_Driven]:
    """The two ways of a lap; `turned` when it began at the other end."""
    return [
        _Driven(lap.name, not turned, lap.out, lap.out_stands, lap.timed),
        _Driven(lap.name, turned, lap.back, lap.back_stands, lap.timed and (lap.back is not None or bool(lap.back_stands))),
    ]


def _reversed(out: Fitted, half_width_m: float) -> Fitted:
    """The same road the other way, its corridor with it: a width begins where, the other way, it ended."""
    length = out.way.length_m
    starts = [(0.0, half_width_m), *(section for section in out.way.sections if section[0] > 0)]
    if out.way.sections and out.way.sections[0][0] == 0:
        starts[0] = out.way.sections[0]
    ends = [*(start for start, _ in starts[1:]), length]
    sections: list[tuple[float, float]] = []
    before = half_width_m
    for (_, width), end in zip(reversed(starts), reversed(ends), strict=True):
        if width != before:
            sections.append((round(length - end, 1), width))
            before = width
    return Fitted(Way(tuple(reversed(out.way.points)), tuple(sections), length), (), ())


class _Cluster(msgspec.Struct):
    """Stands at one place, by the way (out or back) and the number of who stood there."""

    place: LonLat
    spread_m: float
    longest: timedelta
    stood: set[tuple[bool, int]]

    def add(self, stand: Stand, is_out: bool, number: int) -> None:
        """Take a stand in."""
        self.spread_m = max(self.spread_m, geo.distance_m(self.place, stand.place) + stand.spread_m)
        self.longest = max(self.longest, stand.length)
        self.stood.add((is_out, number))


def _stations(ends: tuple[LonLat, LonLat], ways: Sequence[_Driven]) -> tuple[Suggested, ...]:
    """The two ends, and the places where trucks stood for long: at least half of those that drove that way."""
    clusters: list[_Cluster] = []
    for i, way in enumerate(ways):
        for stand in sorted((s for s in way.stands if s.length >= _STATION), key=lambda s: -s.length):
            near = next((c for c in clusters if geo.distance_m(c.place, stand.place) <= _SAME_PLACE_M), None)
            if near is None:
                near = _Cluster(stand.place, 0.0, timedelta(), set())
                clusters.append(near)
            near.add(stand, way.is_out, i)
    found: list[Suggested] = []
    roles: tuple[tuple[Role, LonLat, Service], ...] = (
        ("origin", ends[0], "loading"),
        ("destination", ends[1], "unloading"),
    )
    for role, end, service in roles:
        there = [c for c in clusters if geo.distance_m(c.place, end) <= _AT_END_M]
        clusters = [c for c in clusters if c not in there]
        stood = max(there, key=lambda c: (len(c.stood), c.longest), default=None) or _Cluster(end, 0.0, timedelta(), set())
        found.append(_suggested(role, stood, (service,)))
    drove = {side: sum(way.is_out is side for way in ways) for side in (True, False)}
    usual = (c for c in clusters if any(2 * sum(out is side for out, _ in c.stood) >= max(drove[side], 1) for side in drove))
    found += (_suggested("stop", c, ("rest",) if c.longest >= _REST else ("service_area",)) for c in usual)
    return tuple(found)


def _suggested(role: Role, cluster: _Cluster, services: tuple[Service, ...]) -> Suggested:
    radius = min(_MOST_RADIUS_M, max(_LEAST_RADIUS_M[role], cluster.spread_m + _ROOM_M))
    return Suggested(role, cluster.place, round(radius, -1), services, len(cluster.stood), cluster.longest)
