"""Roads and drives for the tests of tracks: lines that look like roads, loops along them, and trucks with their noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import cos, exp, radians, sin, sqrt
from random import Random
from typing import Any

from checkpoint.core import geo
from checkpoint.core.fixes import Episode, Fix, TrackReading
from checkpoint.core.loop import Boundary, Circle, Line, Loop, Name, Policy, Service, Station
from checkpoint.core.track import Track

T0 = datetime(2022, 4, 20, 0, 0, tzinfo=UTC)
LonLat = tuple[float, float]


def road(km: float = 40.0, vertices: int = 200, start: LonLat = (120.7, 28.0), bend_m: float = 800.0) -> list[LonLat]:
    """A winding road to the north-east."""
    kx, ky = geo.scale_m(start[1])
    found = []
    for i in range(vertices):
        m = km * 1000 * i / (vertices - 1)
        side = bend_m * sin(m / 2_000)
        found.append((start[0] + (m - side) / sqrt(2) / kx, start[1] + (m + side) / sqrt(2) / ky))
    return found


def moved(points: Sequence[LonLat], east_m: float = 0.0, north_m: float = 0.0) -> list[LonLat]:
    """The same places, so many metres away."""
    return [place_moved(p, east_m, north_m) for p in points]


def place_moved(place: LonLat, east_m: float, north_m: float) -> LonLat:
    kx, ky = geo.scale_m(place[1])
    return place[0] + east_m / kx, place[1] + north_m / ky


def station(name: str, place: LonLat, *services: Service, radius_m: float = 200.0) -> Station:
    boundary = Boundary(circle=Circle(center=place, radius_m=radius_m))
    return Station(id=name, name=Name(zh=name, en=name), boundary=boundary, services=services or ("gate",))


def loop_of(outbound: Sequence[LonLat], inbound: Sequence[LonLat] | None = None, *stations: Station, **more: Any) -> Loop:
    """A loop along a road, back the same way unless another is given, with the stations A and B at its ends."""
    back = tuple(reversed(outbound)) if inbound is None else tuple(inbound)
    ends = (station("A", outbound[0], "loading"), station("B", outbound[-1], "unloading"))
    return Loop(
        id="l", version=1, effective_from=datetime(2022, 1, 1, tzinfo=UTC), name=Name(zh="l", en="l"),
        time_zone="Asia/Shanghai", origin="A", destination="B", stations=(*ends, *stations),
        outbound=Line(points=tuple(outbound)), inbound=Line(points=back), **more,
    )  # fmt: skip


class Truck:
    """Drives along paths and reports fixes every so often, with a receiver's slowly wandering error (Gauss and Markov)."""

    def __init__(self, path: geo.Path, *, every_s: float = 10.0, noise_m: float = 0.0, seed: int = 1, device: str = "d") -> None:
        self.path = path
        self.every_s = every_s
        self.at = T0
        self.fixes: list[Fix] = []
        self._noise_m = noise_m
        self._random = Random(seed)
        self._error = [self._random.gauss(0, noise_m), self._random.gauss(0, noise_m)]
        self._device = device
        self.said: dict[str, Any] = {"accuracy_m": 6.0}

    def report(self, place: LonLat, speed_kmh: float | None, course_deg: float | None) -> Fix:
        keep = exp(-self.every_s / 60)
        spread = self._noise_m * sqrt(1 - keep * keep)
        self._error = [e * keep + self._random.gauss(0, spread) for e in self._error]
        lon, lat = place_moved(place, *self._error)
        values = {"speed_kmh": speed_kmh, "course_deg": course_deg} | self.said
        fix = Fix(device=self._device, fixed_at=self.at, lat=lat, lon=lon, **values)
        self.fixes.append(fix)
        self.at += timedelta(seconds=self.every_s)
        return fix

    def drive(self, from_m: float, to_m: float, kmh: float = 72.0, path: geo.Path | None = None, side_m: float = 0.0) -> Truck:
        """Along the path from one place to another, forwards or back; `side_m` to the right of it."""
        path = path or self.path
        step = kmh / 3.6 * self.every_s * (1 if to_m >= from_m else -1)
        s = from_m
        while (to_m - s) * step > 0:
            s += step
            bearing = path.bearing_at(s)
            place = path.at(s)
            if side_m:
                place = _aside(place, bearing, side_m)
            self.report(place, kmh, bearing if step > 0 else (bearing + 180) % 360)
        return self

    def leave(self, from_m: float, angle_deg: float, length_m: float, kmh: float = 60.0) -> Truck:
        """Off the path, straight on at an angle to it."""
        start, course = self.path.at(from_m), (self.path.bearing_at(from_m) + angle_deg) % 360
        gone = 0.0
        while gone < length_m:
            gone += kmh / 3.6 * self.every_s
            self.report(_ahead(start, course, gone), kmh, course)
        return self

    def stand(self, seconds: float, place: LonLat | None = None, at_m: float | None = None) -> Truck:
        """Stays where it is."""
        where = place or self.path.at(at_m or 0.0)
        end = self.at + timedelta(seconds=seconds)
        while self.at < end:
            self.report(where, 0.0, None)
        return self

    def silent(self, seconds: float) -> Truck:
        self.at += timedelta(seconds=seconds)
        return self


def _ahead(place: LonLat, course_deg: float, metres: float) -> LonLat:
    return place_moved(place, metres * sin(radians(course_deg)), metres * cos(radians(course_deg)))


def _aside(place: LonLat, course_deg: float, metres: float) -> LonLat:
    return _ahead(place, course_deg + 90, metres)


# -- the road that most tests drive -------------------------------------------------------------------------------------

ROAD = road()
PATH = geo.Path(ROAD)
SAME_ROAD = loop_of(ROAD, policy=Policy(half_width_m=50))
END_M = PATH.length_m


def read(fixes: Sequence[Fix], loop: Loop = SAME_ROAD) -> TrackReading:
    """What a track says of these fixes."""
    track = Track(loop)
    for fix in fixes:
        track.add(fix)
    return track.reading()


def confirmed(reading: TrackReading, kind: str | None = None) -> list[Episode]:
    """The episodes that are more than suspected."""
    return [e for e in reading.episodes if e.confirmed_at is not None and kind in (None, e.kind)]
