"""Where on the loop a position is: its place on each of the two lines, cheaply and in order.

A loop passes the same road twice and ends where it starts, so the nearest segment alone would jump between passes. A
position is matched by cost: its distance off the line, plus what the step from the last match would ask of a truck (an
arc longer than the ground covered, going back, facing the other way). Penalties are held below a cap, so that a truck
that really is elsewhere is found there.

Looking starts at the place expected and reaches as far as the truck can have come, so the price does not grow with the
line. A vertex that is far away rules out all of the line that is nearer to it than that: looking leaps over it. Without a
last match, or when it has been lost, the whole line is looked at in the same way, from the nearest of every few vertices.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import cos, hypot, inf, radians, sin, sqrt
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.loop import Leg, Line, Loop, Policy

_COARSE = 32  # the whole line is first looked at by every so many vertices
_WINDOW = 400  # more segments than this: the whole line is cheaper
_SURE = 0.9  # a plane at one place errs over hundreds of kilometres; leaps stay this far on the safe side
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
        self._coarse = [(self._xs[i], self._ys[i], i) for i in range(0, len(self._xs) - 1, _COARSE)]

    def half_m(self, along_m: float) -> float:
        """The corridor's half-width there."""
        starts, widths = self._sections
        return widths[bisect_right(starts, along_m)] if starts else widths[0]

    def match(self, place: geo.LonLat, scale: geo.LonLat, near: float | None, reach_m: float, course_deg: float | None) -> Match:
        """The most likely place on this line.

        `scale` is metres per degree there (`geo.scale_m`), `near` where on the line the truck was last (None: not
        known), `reach_m` the straight ground covered since, `course_deg` the truck's course when it moves.
        """
        if near is None:
            return self.anywhere(place, scale, None, 0.0, course_deg)
        along = self._along
        first = max(0, bisect_right(along, near - 1.2 * reach_m - 100) - 1)
        last = min(len(along) - 1, bisect_right(along, near + 2 * reach_m + 150))
        if last - first > _WINDOW:
            return self.anywhere(place, scale, near, reach_m, course_deg)
        guess = min(max(bisect_right(along, near + reach_m) - 1, first), last - 1)
        return self._best(place, scale, first, last, guess, near, reach_m, course_deg)

    def anywhere(
        self, place: geo.LonLat, scale: geo.LonLat, near: float | None, reach_m: float, course_deg: float | None
    ) -> Match:
        """As `match`, looking at the whole line: when the last match has been lost."""
        px, py = place
        kx, ky = scale
        guess = min(self._coarse, key=lambda vertex: hypot((vertex[0] - px) * kx, (vertex[1] - py) * ky))[2]
        return self._best(place, scale, 0, len(self._xs) - 1, guess, near, reach_m, course_deg)

    def _best(
        self,
        place: geo.LonLat,
        scale: geo.LonLat,
        first: int,
        last: int,
        guess: int,
        near: float | None,
        reach_m: float,
        course_deg: float | None,
    ) -> Match:
        """The cheapest place on segments `first` to `last` (exclusive), `guess` first. The hot loop, hence written out."""
        xs, ys, along = self._xs, self._ys, self._along
        px, py = place
        kx, ky = scale
        if course_deg is not None:
            east, north = sin(radians(course_deg)), cos(radians(course_deg))
        best, best_off, best_i, best_t = inf, inf, guess, 0.0
        ahead_m = 1.5 * reach_m + 50
        i, guessing = guess, True
        while i < last:
            j = i + 1
            ax, ay = (xs[i] - px) * kx, (ys[i] - py) * ky
            bx, by = (xs[j] - px) * kx, (ys[j] - py) * ky
            dx, dy = bx - ax, by - ay
            length2 = dx * dx + dy * dy
            t = -(ax * dx + ay * dy) / length2
            t = 0.0 if t < 0.0 else 1.0 if t > 1.0 else t  # half the price of min and max
            ox, oy = ax + t * dx, ay + t * dy
            off = sqrt(ox * ox + oy * oy)
            if off < best:
                penalty = 0.0
                if near is not None:
                    step = along[i] + t * (along[j] - along[i]) - near
                    if step < -_BACK_M:
                        penalty = 0.1 * (-_BACK_M - step)
                    elif step > ahead_m:
                        penalty = 0.1 * (step - ahead_m)
                if course_deg is not None:
                    penalty += _FACING_M * (1 - (east * dx + north * dy) / sqrt(length2))
                cost = off + (_CAP_M if penalty > _CAP_M else penalty)
                if cost < best or (cost == best and i < best_i):
                    best, best_off, best_i, best_t = cost, off, i, t
            if guessing:
                i, guessing = first, False
                continue
            room = _SURE * sqrt(bx * bx + by * by) - best
            i = max(j, bisect_right(along, along[j] + room, j, last) - 1) if room > 0 else j
        return self._matched(place, scale, best_off, best_i, best_t)

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

    def clear_m(self, place: geo.LonLat, scale: geo.LonLat) -> float:
        """Metres to the box, at least; 0 inside it. On the safe side for places far away."""
        x1, y1, x2, y2 = self._box
        dx, dy = max(x1 - place[0], 0.0, place[0] - x2), max(y1 - place[1], 0.0, place[1] - y2)
        return _SURE * hypot(dx * scale[0], dy * scale[1])

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

    def clear_m(self, place: geo.LonLat, scale: geo.LonLat) -> float:
        """Metres that can be driven from a place, at least, before any station needs a look."""
        return min((fence.clear_m(place, scale) for fence in self.fences), default=inf)


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
