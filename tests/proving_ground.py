"""The ground that departures are measured on: real paths and made ones, loops along them, and what is counted.

Shared by `tests/test_noise.py` (a seeded share of it) and `scripts/bench_noise.py` (the whole). Truth is known here, so that
a finding is either true or false; the two rules to compare with judge the same fixes.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import cos, exp, inf, nan, radians, sin, sqrt
from pathlib import Path
from random import Random
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.loop import Boundary, Circle, Line, Loop, Name, Policy, Station, parse
from checkpoint.core.track import Track
from checkpoint.decoders import gpx
from checkpoint.demo.drawing import DOCUMENT
from checkpoint.simulator.noise import AT, Driven, Noise, driven, standing

TRACES = Path(__file__).parents[2] / "shared" / "traces"
HALF_M = 50.0
LonLat = tuple[float, float]


# -- paths --------------------------------------------------------------------------------------------------------------


def thinned(points: Sequence[LonLat], apart_m: float = 15.0) -> list[LonLat]:
    """Without the places where a recorded drive hardly moved."""
    kept = [points[0]]
    for place in points[1:]:
        if geo.distance_m(kept[-1], place) >= apart_m:
            kept.append(place)
    return kept


def winding(km: float = 31.0, seed: int = 5) -> list[LonLat]:
    """A country road: its course wanders, never far from north-east."""
    random, course, points = Random(seed), 45.0, [(120.6, 28.0)]
    kx, ky = geo.scale_m(28.0)
    for _ in range(int(km * 20)):
        course += random.gauss(0, 9) + (45 - course) * 0.05
        x, y = points[-1]
        points.append((x + 50 * sin(radians(course)) / kx, y + 50 * cos(radians(course)) / ky))
    return points


def town(blocks: int = 60, seed: int = 7) -> list[LonLat]:
    """Streets at right angles, north and east by turns."""
    random, points = Random(seed), [(120.6, 28.0)]
    kx, ky = geo.scale_m(28.0)
    for i in range(blocks):
        x, y = points[-1]
        metres = random.choice((200, 300, 450, 600))
        points.append((x + metres / kx, y) if i % 2 else (x, y + metres / ky))
    return points


def hairpins(bends: int = 14, arm_m: float = 700.0, apart_m: float = 80.0) -> list[LonLat]:
    """A pass road whose arms lie nearer to each other than two half-widths."""
    kx, ky = geo.scale_m(28.0)
    points = [(120.6, 28.0)]
    for i in range(bends):
        x, y = points[-1]
        points.append((x + (arm_m if i % 2 == 0 else -arm_m) / kx, y))
        points.append((points[-1][0], y + apart_m / ky))
    return points


def real_paths() -> dict[str, geo.Path]:
    """Recorded and planned roads, where the traces lie beside the project; those too short to drive on are left out."""
    found: dict[str, list[LonLat]] = {}
    munich = TRACES / "munich_barefoot" / "x0001-001.geojson"
    if munich.exists():
        found["munich"] = [(x, y) for x, y, *_ in json.loads(munich.read_text())["coordinates"]]
    for file in sorted((TRACES / "graphhopper_gpx").glob("*.gpx")):
        try:
            traces = gpx.decode(file.read_bytes())
        except gpx.MalformedGpx:
            continue
        if traces:
            found[file.stem] = [(p.lon, p.lat) for p in max(traces, key=lambda trace: len(trace.points)).points]
    bus = TRACES / "shanghai_bus71" / "busline.geojson"
    if bus.exists():
        found["bus71"] = [(x, y) for x, y, *_ in json.loads(bus.read_text())["features"][0]["geometry"]["coordinates"]]
    paths = {name: geo.Path(thinned(points)) for name, points in found.items()}
    return {name: path for name, path in paths.items() if path.length_m > 8_000}


def made_paths() -> dict[str, geo.Path]:
    """The demonstration's own line and roads that are made up, for every machine."""
    line = parse(DOCUMENT.read_bytes()).outbound.points
    return {"demo": geo.Path(line), "winding": geo.Path(winding()), "town": geo.Path(town())}


def station(name: str, place: LonLat, radius_m: float = 100.0) -> Station:
    boundary = Boundary(circle=Circle(center=place, radius_m=radius_m))
    return Station(id=name, name=Name(zh=name, en=name), boundary=boundary, services=("gate",))


def loop_on(path: geo.Path, *stations: Station) -> Loop:
    """A loop out along a path and back the same way, its corridor 50 m to each side."""
    ends = (station("a", path.points[0]), station("b", path.points[-1]))
    return Loop(
        id="l", version=1, effective_from=AT, name=Name(zh="l", en="l"), time_zone="Asia/Shanghai", origin="a", destination="b",
        stations=(*ends, *stations), outbound=Line(points=path.points), inbound=Line(points=path.points[::-1]),
        policy=Policy(half_width_m=HALF_M),
    )  # fmt: skip


def read(loop: Loop, fixes: Sequence[Fix]) -> TrackReading:
    track = Track(loop)
    for fix in fixes:
        track.add(fix)
    return track.reading()


# -- the two rules to compare with ----------------------------------------------------------------------------------------


class SingleFix:
    """The rule of most trackers: out when one fix lies beyond the corridor's edge."""

    def __init__(self) -> None:
        self.exits: list[float] = []
        self._out = False

    def step(self, at_s: float, off_m: float, accuracy_m: float | None) -> None:
        out = off_m > HALF_M
        if out and not self._out:
            self.exits.append(at_s)
        self._out = out


class Published:
    """The best rule that is published: distance less accuracy beyond the edge, three fixes and 20 s; back within 40 m twice."""

    def __init__(self) -> None:
        self.exits: list[float] = []
        self._since: float | None = None
        self._count = self._back = 0
        self._out = False

    def step(self, at_s: float, off_m: float, accuracy_m: float | None) -> None:
        accuracy = 0.0 if accuracy_m is None else accuracy_m
        if accuracy > 40:
            return
        if self._out:
            self._back = self._back + 1 if off_m <= 40 else 0
            if self._back >= 2:
                self._out, self._since, self._count = False, None, 0
        elif off_m - accuracy > HALF_M:
            self._since = at_s if self._since is None else self._since
            self._count, self._back = self._count + 1, 0
            if self._count >= 3 and at_s - self._since >= 20:
                self._out = True
                self.exits.append(at_s)
        else:
            self._since, self._count = None, 0


Floor = SingleFix | Published


def judged(floors: Sequence[Floor], line: geo.Path, fixes: Sequence[Fix], drive: Driven | None = None) -> None:
    """Tell the floors of each fix, matched near where the truck was when it drove along the line (None: to all of it)."""
    moments = [moment.at_s - 0.001 for moment in drive.truth] if drive is not None else []
    for fix in fixes:
        at_s = seconds(fix)
        if drive is None:
            near = line.nearest((fix.lon, fix.lat))
        else:
            s = drive.truth[bisect_left(moments, at_s) - 1].along_m
            first = max(0, bisect_left(line.along_m, s - 400) - 1)
            near = line.nearest((fix.lon, fix.lat), first, min(len(line.points) - 1, bisect_left(line.along_m, s + 400) + 1))
        for floor in floors:
            floor.step(at_s, near.off_m, fix.accuracy_m)


def seconds(fix: Fix) -> float:
    return (fix.fixed_at - AT).total_seconds()


EXPECTED = ("unscheduled-stop",)  # a stop begins as an episode; the rules say whether it lasts long enough


# -- false alarms -----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was said of drives that never left their line."""

    km: float = 0.0
    drives: int = 0
    said: Counter[str] = field(default_factory=Counter)
    floor_km: float = 0.0
    single: int = 0
    published: int = 0

    def add(self, other: Tally) -> None:
        self.km, self.drives, self.floor_km = self.km + other.km, self.drives + other.drives, self.floor_km + other.floor_km
        self.said.update(other.said)
        self.single, self.published = self.single + other.single, self.published + other.published

    def per_100_km(self, kind: str) -> float:
        return self.said[kind] / self.km * 100

    def at_most(self, kind: str) -> float:
        """The upper end of the 95 % interval (one-sided, Poisson) of `per_100_km`."""
        return poisson_bound(self.said[kind]) / self.km * 100


def poisson_bound(count: int, sure: float = 0.95) -> float:
    """The mean for which so few events or fewer would be seen in one of twenty tries only."""
    low, high = 0.0, count + 10 + 5 * sqrt(count)
    for _ in range(60):
        mean = (low + high) / 2
        term = total = exp(-mean)
        for k in range(1, count + 1):
            term *= mean / k
            total += term
        low, high = (mean, high) if total > 1 - sure else (low, mean)
    return high


def _told(loop: Loop, drive: Driven) -> set[tuple[str, datetime]]:
    """All that was said to be certain: while the late fixes were missing, and when they had come."""
    track, told = Track(loop), set()
    for fixes in (drive.fixes, drive.late):
        for fix in fixes:
            track.add(fix)
        reading = track.reading()
        told |= {(e.kind, e.since) for e in reading.episodes if e.confirmed_at is not None and e.kind not in EXPECTED}
        told |= {("visit", v.since) for v in reading.visits if v.until is not None and v.since > AT + timedelta(seconds=600)}
    return told


def false_alarms(path: geo.Path, noise: Noise, every_s: float, km: float, seed: str, floor_km: float = 0.0) -> Tally:
    """Drives along the line until so many kilometres are driven, one by one; every confirmed finding is false."""
    loop, random, tally = loop_on(path), Random(seed), Tally()
    while tally.km < km:
        drive = driven(path, every_s, random, noise)
        tally.km += path.length_m / 1000
        tally.drives += 1
        tally.said.update(kind for kind, _ in _told(loop, drive))
        if tally.floor_km < floor_km:
            tally.floor_km += path.length_m / 1000
            single, published = SingleFix(), Published()
            fixes = sorted([*drive.fixes, *drive.late], key=lambda fix: fix.fixed_at)
            judged((single, published), path, fixes, drive)
            tally.single += len(single.exits)
            tally.published += len(published.exits)
    return tally


# -- what must be seen --------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """How soon something true was confirmed, in seconds from the moment it became true."""

    after_s: list[float] = field(default_factory=list)
    missed: int = 0

    def share(self, part: float) -> float:
        """The latency that such a share of all stayed below; what was missed counts as the longest."""
        ordered = sorted([*self.after_s, *([inf] * self.missed)])
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else nan

    def add(self, moments_s: Sequence[float], true_s: float) -> None:
        found = min(moments_s, default=None)
        if found is None:
            self.missed += 1
        else:
            self.after_s.append(max(0.0, found - true_s))


def cut(path: geo.Path, from_m: float, to_m: float) -> list[LonLat]:
    """The points of a path between two places on it."""
    inner = [p for p, s in zip(path.points, path.along_m, strict=True) if from_m < s < to_m]
    return [path.at(from_m), *inner, path.at(to_m)]


def ahead(place: LonLat, course_deg: float, metres: float) -> LonLat:
    kx, ky = geo.scale_m(place[1])
    return place[0] + metres * sin(radians(course_deg)) / kx, place[1] + metres * cos(radians(course_deg)) / ky


def crossing_m(line: geo.Path, way: geo.Path, from_m: float) -> float | None:
    """Where a way leaves the corridor of the line, in metres along the way; None when it does not leave it for good."""

    def off(s: float) -> float:
        return line.nearest(way.at(s)).off_m

    first = next((s for s in range(int(from_m), int(way.length_m), 20) if off(s) > HALF_M), None)
    if first is None or any(off(s) <= HALF_M + 10 for s in range(first + 60, int(way.length_m), 60)):
        return None
    low, high = first - 20.0, float(first)
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (low, middle) if off(middle) > HALF_M else (middle, high)
    return high


class Made(NamedTuple):
    """A way that is driven, where on it the thing to be seen becomes true, stations beside those at the ends, and between
    which places on it the receiver sees nothing: then what is true can only be seen from its end on."""

    way: geo.Path
    true_m: float
    stations: tuple[Station, ...] = ()
    dark_m: tuple[float, float] | None = None


Case = Callable[[geo.Path, Random], Made | None]


def departure(line: geo.Path, random: Random, run_up_m: float = 2_500.0, on_m: float = 3_500.0) -> Made | None:
    """Straight on at 30 degrees to the line: the way driven, and where on it the corridor is left."""
    at_m = random.uniform(run_up_m + 300, line.length_m - 500)
    start, course = line.at(at_m), line.bearing_at(at_m) + random.choice((-30, 30))
    way = geo.Path([*cut(line, at_m - run_up_m, at_m), ahead(start, course, on_m)])
    crossed = crossing_m(line, way, run_up_m - 10)
    return None if crossed is None else Made(way, crossed)


def parallel(
    line: geo.Path, random: Random, aside_m: float = 150.0, run_up_m: float = 2_500.0, length: float = 4_000.0
) -> Made | None:
    """Off the line by a ramp, and on along a road beside it."""
    at_m = random.uniform(run_up_m + 300, line.length_m - length - 300)
    side = random.choice((-90, 90))
    beside = [
        ahead(line.at(at_m + s), line.bearing_at(at_m + s) + side, min(aside_m, s * 0.55)) for s in range(40, int(length), 40)
    ]
    way = geo.Path([*cut(line, at_m - run_up_m, at_m), *thinned(beside, 5.0)])
    off = [line.nearest(way.at(s)).off_m for s in range(int(run_up_m + 400), int(way.length_m), 40)]
    if min(off, default=0.0) < aside_m - 10:
        return None
    crossed = crossing_m(line, way, run_up_m - 10)
    return None if crossed is None else Made(way, crossed)


def in_a_tunnel(case: Case) -> Case:
    """The same, but the device falls silent before it and reports again when the truck is outside."""

    def made(line: geo.Path, random: Random) -> Made | None:
        found = case(line, random)
        if found is None:
            return None
        before, after = random.uniform(300, 1_500), random.uniform(0, 600)
        return found._replace(dark_m=(found.true_m - before, found.true_m + after))

    return made


def reversal(line: geo.Path, random: Random, run_up_m: float = 4_000.0, back_m: float = 4_000.0) -> Made:
    """Along the line, round, and back along it: the way driven, and where on it the truck turned."""
    at_m = random.uniform(run_up_m + 300, line.length_m - 1_500)  # nearer to its end it may have turned there, as it should
    there = cut(line, at_m - run_up_m, at_m)
    back = cut(line, max(250.0, at_m - back_m), at_m)[::-1]
    return Made(geo.Path([*there, *back[1:]]), run_up_m)


def reversal_past_a_station(line: geo.Path, random: Random) -> Made:
    """Past a station without a stop, round soon after it, and back through it."""
    made = reversal(line, random)
    return made._replace(stations=(station("passed", made.way.at(made.true_m - random.uniform(200, 1_500)), 150.0),))


def seen(
    case: Case, kind: str, path: geo.Path, noise: Noise, every_s: float, times: int, seed: str, floors: bool = False
) -> dict[str, Seen]:
    """How soon the same true thing is seen, over and over at other places: by us, and by the rules to compare with."""
    random = Random(seed)
    found = {"ours": Seen(), "single": Seen(), "published": Seen()}
    for _ in range(20 * times):  # on some roads there is hardly a place for it
        if len(found["ours"].after_s) + found["ours"].missed >= times:
            break
        made = case(path, random)
        if made is None:
            continue
        loop = loop_on(path, *made.stations)
        drive = driven(made.way, every_s, random, noise, kmh=(60.0, 60.0), dark_m=made.dark_m)
        true_s = when(drive, made.true_m)
        if made.dark_m is not None:
            true_s = next(moment.at_s for moment in drive.truth if moment.along_m >= made.dark_m[1])
        fixes = sorted([*drive.fixes, *drive.late], key=lambda fix: fix.fixed_at)
        ends = [
            (e.confirmed_at - AT).total_seconds()
            for e in read(loop, fixes).episodes
            if e.kind == kind and e.confirmed_at is not None and (e.until is None or e.until > AT + timedelta(seconds=true_s))
        ]
        found["ours"].add(ends, true_s)
        if floors:
            single, published = SingleFix(), Published()
            judged((single, published), path, fixes, None)
            found["single"].add([s for s in single.exits if s >= true_s], true_s)
            found["published"].add([s for s in published.exits if s >= true_s], true_s)
    return found


def when(drive: Driven, along_m: float) -> float:
    """The moment at which the truck was there."""
    i = bisect_left([moment.along_m for moment in drive.truth], along_m)
    before, after = drive.truth[max(0, i - 1)], drive.truth[min(i, len(drive.truth) - 1)]
    span = after.along_m - before.along_m
    return before.at_s + (along_m - before.along_m) / span * (after.at_s - before.at_s) if span else before.at_s


# -- at rest --------------------------------------------------------------------------------------------------------------------


def at_rest(noise: Noise, every_s: float, hours: float, seed: str) -> Counter[str]:
    """Nights of eight hours at a station half way along a road: what was said that is false. A visit that ended is false."""
    path = geo.Path(winding(20.0))
    place = path.at(path.length_m / 2)
    loop, random, told = loop_on(path, station("rest", place)), Random(seed), Counter[str]()
    for _ in range(max(1, int(hours / 8))):
        reading = read(loop, standing(place, 8.0, every_s, random, noise))
        told.update(e.kind for e in reading.episodes if e.confirmed_at is not None and e.kind not in EXPECTED)
        told.update("visit ended" for v in reading.visits if v.until is not None)
    return told
