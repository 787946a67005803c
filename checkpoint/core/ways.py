"""Where on the loop a position is: its place on each of the two lines, cheaply and in order.

A loop passes the same road twice and ends where it starts, so the nearest segment alone would jump between passes. A
position is matched by cost: its distance off the line, plus what the step from the last match would ask of a truck (an
arc longer than the ground covered, going back, facing the other way). Penalties are held below a cap, so that a truck
that really is elsewhere is found there.

Looking starts at the last match and reaches as far as the truck can have come, so the price does not grow with the line.
Without a last match, or when it has been lost, boxes around runs of segments say which of them are worth a look.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import cos, hypot, inf, radians, sin, sqrt
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.loop import Leg, Line, Loop, Policy

_RUN = 32  # segments in one box
_WINDOW = 160  # more segments than this: the boxes are cheaper
_BACK_M = 30.0  # going back by less than this is noise
_CAP_M = 150.0  # what all penalties together can come to
_FACING_M = 25.0  # the price of a right angle between the truck's course and the line's; twice that for opposite


class Match(NamedTuple):
    """A position on a line: metres off its middle, metres along it, the segment, the corridor's half-width there, the
    segment's own direction (east, north; length 1), and the distance off with its sign (left of the line is positive)."""

    off_m: float
    along_m: float
    segment: int
    half_m: float
    east: float
    north: float
    left_m: float


class Way:
    """One line of the loop, made ready for matching."""

    def __init__(self, leg: Leg, line: Line, policy: Policy) -> None:
        self.leg = leg
        path = geo.Path(_without_repeats(line.points))
        self.path = path
        self.length_m = path.length_m
        self._xs = [p[0] for p in path.points]
        self._ys = [p[1] for p in path.points]
        self._along = list(path.along_m)
        starts = [s.from_m for s in line.sections]
        widths = [policy.half_width_m, *(s.half_width_m for s in line.sections)]
        self._sections = starts, widths
        self.widest_m = max(widths)
        count = len(self._xs) - 1
        self._boxes: list[tuple[float, float, float, float, int, int]] = []
        for first in range(0, count, _RUN):
            last = min(first + _RUN, count)
            xs, ys = self._xs[first : last + 1], self._ys[first : last + 1]
            self._boxes.append((min(xs), min(ys), max(xs), max(ys), first, last))

    def half_m(self, along_m: float) -> float:
        """The corridor's half-width there."""
        starts, widths = self._sections
        return widths[bisect_right(starts, along_m)] if starts else widths[0]

    def match(self, place: geo.LonLat, scale: geo.LonLat, near: float | None, reach_m: float, course_deg: float | None) -> Match:
        """The most likely place on this line.

        `scale` is metres per degree there (`geo.scale_m`), `near` where on the line the truck was last (None: not
        known), `reach_m` the straight ground covered since, `course_deg` the truck's course when it moves.
        """
        facing = (sin(radians(course_deg)), cos(radians(course_deg))) if course_deg is not None else None
        if near is None:
            return self._anywhere(place, scale, None, 0.0, facing)
        along = self._along
        first = max(0, bisect_right(along, near - 1.2 * reach_m - 100) - 1)
        last = min(len(along) - 1, bisect_right(along, near + 2 * reach_m + 150))
        if last - first > _WINDOW:
            return self._anywhere(place, scale, near, reach_m, facing)
        _, off, segment, t = self._best(place, scale, first, last, near, reach_m, facing, inf)
        return self._matched(place, scale, off, segment, t)

    def anywhere(
        self, place: geo.LonLat, scale: geo.LonLat, near: float | None, reach_m: float, course_deg: float | None
    ) -> Match:
        """As `match`, looking at the whole line: when the last match has been lost."""
        facing = (sin(radians(course_deg)), cos(radians(course_deg))) if course_deg is not None else None
        return self._anywhere(place, scale, near, reach_m, facing)

    def _anywhere(
        self, place: geo.LonLat, scale: geo.LonLat, near: float | None, reach_m: float, facing: geo.LonLat | None
    ) -> Match:
        px, py = place
        kx, ky = scale
        lows = []
        for x1, y1, x2, y2, first, last in self._boxes:
            dx = x1 - px if px < x1 else px - x2 if px > x2 else 0.0
            dy = y1 - py if py < y1 else py - y2 if py > y2 else 0.0
            lows.append((hypot(dx * kx, dy * ky), first, last))
        lows.sort()
        best = (inf, inf, 0, 0.0)
        for low, first, last in lows:
            if low >= best[0]:
                break
            found = self._best(place, scale, first, last, near, reach_m, facing, best[0])
            if found[0] < best[0]:
                best = found
        return self._matched(place, scale, *best[1:])

    def _best(
        self,
        place: geo.LonLat,
        scale: geo.LonLat,
        first: int,
        last: int,
        near: float | None,
        reach_m: float,
        facing: geo.LonLat | None,
        limit: float,
    ) -> tuple[float, float, int, float]:
        """The cheapest of some segments: (cost, off, segment, share along it). The hot loop, hence written out."""
        xs, ys, along = self._xs, self._ys, self._along
        px, py = place
        kx, ky = scale
        best, best_off, best_i, best_t = limit, inf, first, 0.0
        ahead_m = 1.5 * reach_m + 50
        bx, by = (xs[first] - px) * kx, (ys[first] - py) * ky
        for i in range(first, last):
            ax, ay = bx, by
            bx, by = (xs[i + 1] - px) * kx, (ys[i + 1] - py) * ky
            dx, dy = bx - ax, by - ay
            length2 = dx * dx + dy * dy
            t = -(ax * dx + ay * dy) / length2
            t = 0.0 if t < 0.0 else min(t, 1.0)
            ox, oy = ax + t * dx, ay + t * dy
            off = sqrt(ox * ox + oy * oy)
            if off >= best:
                continue
            penalty = 0.0
            if near is not None:
                step = along[i] + t * (along[i + 1] - along[i]) - near
                if step < -_BACK_M:
                    penalty = 0.1 * (-_BACK_M - step)
                elif step > ahead_m:
                    penalty = 0.1 * (step - ahead_m)
            if facing is not None:
                penalty += _FACING_M * (1 - (facing[0] * dx + facing[1] * dy) / sqrt(length2))
            cost = off + min(penalty, _CAP_M)
            if cost < best:
                best, best_off, best_i, best_t = cost, off, i, t
        return best, best_off, best_i, best_t

    def _matched(self, place: geo.LonLat, scale: geo.LonLat, off: float, i: int, t: float) -> Match:
        xs, ys, along = self._xs, self._ys, self._along
        dx, dy = (xs[i + 1] - xs[i]) * scale[0], (ys[i + 1] - ys[i]) * scale[1]
        length = sqrt(dx * dx + dy * dy)
        east, north = dx / length, dy / length
        left = east * (place[1] - ys[i]) * scale[1] - north * (place[0] - xs[i]) * scale[0]
        at = along[i] + t * (along[i + 1] - along[i])
        return Match(off, at, i, self.half_m(at), east, north, left)


def _without_repeats(points: tuple[geo.LonLat, ...]) -> list[geo.LonLat]:
    kept = [points[0]]
    kept.extend(p for before, p in pairwise(points) if p != before)
    # A line of one place only cannot be driven; a hair's length keeps the geometry whole.
    return kept if len(kept) > 1 else [points[0], (points[0][0] + 1e-7, points[0][1])]


class Fence:
    """The boundary of a station, with a box around it that answers most questions."""

    def __init__(self, station_id: str, boundary: geo.BoundaryLike, turning: bool) -> None:
        self.station = station_id
        self.turning = turning
        self._boundary = boundary
        circle = boundary.circle
        ring = [circle.center] if circle is not None else list(boundary.polygon)
        kx, ky = geo.scale_m(ring[0][1])
        radius = (circle.radius_m if circle is not None else 0.0) + FENCE_MARGIN_M
        self._box = (
            min(p[0] for p in ring) - radius / kx,
            min(p[1] for p in ring) - radius / ky,
            max(p[0] for p in ring) + radius / kx,
            max(p[1] for p in ring) + radius / ky,
        )

    def outside_m(self, place: geo.LonLat) -> float:
        """Metres outside the boundary, 0 inside; infinity beyond `FENCE_MARGIN_M`."""
        x1, y1, x2, y2 = self._box
        if not (x1 <= place[0] <= x2 and y1 <= place[1] <= y2):
            return inf
        return geo.outside_m(self._boundary, place)


FENCE_MARGIN_M = 500.0
_TURNING_M = 10_000.0


class Ways:
    """A loop made ready for reading tracks: both lines and all stations. The same for every vehicle on it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.legs: dict[Leg, Way] = {
            "outbound": Way("outbound", loop.outbound, loop.policy),
            "inbound": Way("inbound", loop.inbound, loop.policy),
        }
        # A truck may turn at the two points, and at the stations around them (sampling, rest, loading lie together).
        points = [s.center for s in loop.stations if s.id in (loop.origin, loop.destination)]
        self.fences = tuple(
            Fence(s.id, s.boundary, any(geo.distance_m(s.center, p) <= _TURNING_M for p in points)) for s in loop.stations
        )


_ready: dict[int, Ways] = {}


def ways_of(loop: Loop) -> Ways:
    """The loop made ready; made once for a few recent loops, since every track on a loop shares it."""
    found = _ready.get(id(loop))
    if found is None or found.loop is not loop:
        found = Ways(loop)
        while len(_ready) >= 16:
            _ready.pop(next(iter(_ready)), None)
        _ready[id(loop)] = found
    return found
