"""How a truck moves along its loop: the line as a thing to drive on, one place a minute. Pure; no randomness of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from checkpoint.core.loop import Leg, LonLat, Loop
from checkpoint.demo.drawing import moved

TOWN_KMH = 38.0
TOWN_WIDTH_M = 50.0  # where the corridor is as narrow as this, one drives through a town


class Moment(NamedTuple):
    """Where a truck is at an instant, as it really is: what a device makes of it has noise."""

    at: datetime
    place: LonLat
    speed_kmh: float
    course_deg: float
    leg: Leg
    along_m: float


class Road:
    """The two lines of a loop, and how fast one drives where."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._along = {(leg, stop.station.id): stop.along_m for leg in loop.stops for stop in loop.stops[leg]}

    def along_m(self, leg: Leg, station: str) -> float:
        """How far along a leg a station is passed."""
        return self._along[leg, station]

    def standing(self, at: datetime, leg: Leg, station: str) -> Moment:
        """A truck parked in the middle of a station."""
        place = self.loop.station(station)
        assert place is not None
        return Moment(at, place.center, 0.0, 0.0, leg, self.along_m(leg, station))

    def drive(
        self,
        leg: Leg,
        begin: str,
        end: str,
        start: datetime,
        cruise_kmh: float,
        every_s: float = 60.0,
        aside_m: Callable[[Leg, float], float] = lambda leg, along_m: 0.0,
    ) -> Iterator[Moment]:
        """From one station to another: a moment every `every_s` seconds, the last one on arriving.

        `aside_m` says how far to the right of the line the truck is, at so many metres along it.
        """
        path = self.loop.paths[leg]
        along_m, target_m = self.along_m(leg, begin), self.along_m(leg, end)
        at = start
        while along_m < target_m:
            speed_kmh = min(cruise_kmh, TOWN_KMH) if self._width_m(leg, along_m) <= TOWN_WIDTH_M else cruise_kmh
            step_m = min(speed_kmh / 3.6 * every_s, target_m - along_m)
            along_m += step_m
            at += timedelta(seconds=step_m / (speed_kmh / 3.6))
            course = path.bearing_at(along_m)
            place = moved(path.at(along_m), course + 90, aside_m(leg, along_m))
            yield Moment(at, place, speed_kmh, course, leg, along_m)

    def _width_m(self, leg: Leg, along_m: float) -> float:
        widths = [s.half_width_m for s in self.loop.line(leg).sections if s.from_m <= along_m]
        return widths[-1] if widths else self.loop.policy.half_width_m


def detour(from_m: float, length_m: float, most_m: float) -> Callable[[float], float]:
    """A way round beside the line: out over the first fifth of its length, back over the last, `most_m` to the right between."""

    def aside_m(along_m: float) -> float:
        share = (along_m - from_m) / length_m
        if not 0 < share < 1:
            return 0.0
        return most_m * min(1.0, share * 5, (1 - share) * 5)

    return aside_m
