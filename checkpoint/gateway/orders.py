"""What a terminal is told once it has proved itself: how often to report (0x8103), and the line to keep to (0x8606, 0x8607).

The law of this file: an order is sent, answered (0x0001) and written down, one at a time. One that the terminal cannot take is
shown to the coordinator and not sent again; one that it says nothing to is sent `SENT_MOST` times. The line is the loop's own for
the leg the truck is on, thinned to what fits into a terminal; how much the thinning moved it is added to its width, and a line
that would have to be moved further than a corridor is wide is not sent at all. What the terminal makes of it is its own word,
beside our judgement and never in its place.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from checkpoint.core.journey import closes_at
from checkpoint.core.loop import Leg, Loop
from checkpoint.decoders.jt808 import Route, Turn
from checkpoint.decoders.line import simplified
from checkpoint.watch import Look

# The least by which the thinned line may be off, and the points that any terminal may be asked to hold (five frames' worth).
THINNED_M = (10.0, 15.0, 25.0, 40.0, 60.0)
MOST_TURNS = 250
WIDEST_M = 255
SENT_MOST = 3

HEARTBEAT, STRATEGY, INTERVAL = 0x0001, 0x0020, 0x0029
HEARTBEAT_S = 60


class Wanted(NamedTuple):
    """A line that a terminal should hold: its name, its number on the terminal, and its points (none: it does not fit). Without
    a name: it should hold none."""

    name: str
    number: int
    turns: tuple[Turn, ...]


NO_LINE = Wanted("", 0, ())


def number_of(name: str) -> int:
    """The number by which a terminal knows the line of that name."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


def parameters_of(interval_s: int) -> tuple[str, Mapping[int, int | str]]:
    """How often to report, in two numbers of seconds (heartbeat, position), and as the standard has it: at fixed times, and a
    heartbeat when there is nothing."""
    return f"{HEARTBEAT_S} {interval_s}", {HEARTBEAT: HEARTBEAT_S, STRATEGY: 0, INTERVAL: interval_s}


class Lines:
    """The lines for vehicles as the watch last saw them, each thinned once."""

    def __init__(self, looks: Callable[[], Mapping[str, Look]]) -> None:
        self._looks = looks
        self._thinned: dict[str, Wanted] = {}

    def of(self, vehicle: str | None, now: datetime) -> Wanted | None:
        """The line that a vehicle should keep to now; None: nobody can tell on which leg it is."""
        look = self._looks().get(vehicle) if vehicle is not None else None
        if look is None or look.view.loop is None or look.view.pass_ is None:
            return NO_LINE
        view, loop = look.view, look.view.loop
        if not look.view.pass_.grant.not_before <= now < closes_at(view.passes, look.view.pass_):
            return NO_LINE
        leg: Leg | None = view.track.leg if view.track is not None else None
        if leg is None and view.journey is not None and (view.journey.closed_at is None or now < view.journey.closed_at):
            leg = view.journey.leg
        if leg is None:
            return None
        name = f"{loop.id}/{loop.version}/{leg}"
        found = self._thinned.get(name)
        if found is None:
            found = self._thinned[name] = Wanted(name, number_of(name), turns_of(loop, leg))
        return found


def turns_of(loop: Loop, leg: Leg) -> tuple[Turn, ...]:
    """A leg's line as a terminal takes it, as wide as its corridor where the standard can say so; none when it does not fit."""
    path = loop.paths[leg]
    for off_m in THINNED_M:
        points = simplified(path.points, off_m)
        if len(points) <= MOST_TURNS:
            # In order, since a line may come by the same place twice.
            whole = iter(zip(path.points, path.along_m, strict=True))
            starts = [next(along for place, along in whole if place == point) for point in points]
            return tuple(
                Turn(lat=point[1], lon=point[0], width_m=_width(loop, leg, start, end, off_m))
                for point, start, end in zip(points, starts, [*starts[1:], path.length_m], strict=True)
            )
    return ()


def _width(loop: Loop, leg: Leg, from_m: float, to_m: float, off_m: float) -> int:
    """The whole width of a stretch: of the widest corridor in it."""
    halves, half_m = [], loop.policy.half_width_m
    for section in loop.line(leg).sections:
        if section.from_m >= to_m:
            break
        if section.from_m > from_m:
            halves.append(half_m)
        half_m = section.half_width_m
    return min(WIDEST_M, round(2 * (max([*halves, half_m]) + off_m)))


def route_of(line: Wanted) -> Route:
    """A line as it is sent."""
    return Route(id=line.number, turns=line.turns, name=line.name)
