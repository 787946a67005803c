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
    """A station that stops suggest: its role, place, radius and services, in how many laps the truck stood there, and for
    how long at most."""

    role: Role
    center: LonLat
    radius_m: float
    services: tuple[Service, ...]
    laps_count: int
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
    outs: list[tuple[str, Poly]] = [(first.name, first.out)]
    backs: list[tuple[str, Poly]] = [(first.name, first.back)] if first.back is not None else []
    for lap in laps[1:]:
        turned = _turned(lap, first)
        (outs if not turned else backs).append((lap.name, lap.out))
        if lap.back is not None:
            (backs if not turned else outs).append((lap.name, lap.back))
    out = fitted(outs, plane, half_width_m)
    back = fitted(backs, plane, half_width_m) if backs else _reversed(out, half_width_m)
    ends = (out.way.points[0], out.way.points[-1])
    return Draft(
        shape=first.shape if first.back is not None or not backs else "out-and-back",
        out=out.way,
        back=back.way,
        back_driven=bool(backs),
        stations=_stations(ends, [lap for lap in laps if lap.name not in out.elsewhere]),
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
    """Stands at one place, by lap."""

    place: LonLat
    spread_m: float
    longest: timedelta
    laps: set[int]

    def add(self, stand: Stand, lap: int) -> None:
        """Take a stand in."""
        self.spread_m = max(self.spread_m, geo.distance_m(self.place, stand.place) + stand.spread_m)
        self.longest = max(self.longest, stand.length)
        self.laps.add(lap)


def _stations(ends: tuple[LonLat, LonLat], laps: Sequence[Lap]) -> tuple[Suggested, ...]:
    """The two ends, and the places where the truck stood for long: in at least half of the laps, when there are several."""
    clusters: list[_Cluster] = []
    for i, lap in enumerate(laps):
        for stand in sorted((s for s in lap.stands if s.length >= _STATION), key=lambda s: -s.length):
            near = next((c for c in clusters if geo.distance_m(c.place, stand.place) <= _SAME_PLACE_M), None)
            if near is None:
                near = _Cluster(stand.place, 0.0, timedelta(), set())
                clusters.append(near)
            near.add(stand, i)
    found: list[Suggested] = []
    roles: tuple[tuple[Role, LonLat, Service], ...] = (
        ("origin", ends[0], "loading"),
        ("destination", ends[1], "unloading"),
    )
    for role, end, service in roles:
        there = [c for c in clusters if geo.distance_m(c.place, end) <= _AT_END_M]
        clusters = [c for c in clusters if c not in there]
        stood = max(there, key=lambda c: (len(c.laps), c.longest), default=None) or _Cluster(end, 0.0, timedelta(), set())
        found.append(_suggested(role, stood, (service,)))
    usual = (cluster for cluster in clusters if 2 * len(cluster.laps) >= len(laps))
    found += (_suggested("stop", c, ("rest",) if c.longest >= _REST else ("service_area",)) for c in usual)
    return tuple(found)


def _suggested(role: Role, cluster: _Cluster, services: tuple[Service, ...]) -> Suggested:
    radius = min(_MOST_RADIUS_M, max(_LEAST_RADIUS_M[role], cluster.spread_m + _ROOM_M))
    return Suggested(role, cluster.place, round(radius, -1), services, len(cluster.laps), cluster.longest)
