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
_SURE_NEAR, _NEAR_M = 0.98, 10_000.0  # ... and less so over a few
_BACK_M = 30.0  # going back by less than this is noise
_CAP_M = 150.0  # what all penalties together can come to
_FACING_M = 25.0  # the price of a right angle between the truck's course and the line's; twice that for opposite


# What a place on the line costs, how far off it is, its segment, and the share along that.
_Best = tuple[float, float, int, float]
_NOTHING: _Best = (inf, inf, 0, 0.0)
_NO_COURSE = (0.0, 0.0)


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
        self._coarse_along = [self._along[i] for _, _, i in self._coarse]

    def half_m(self, along_m: float) -> float:
        """The corridor's half-width there."""
        starts, widths = self._sections
        return widths[bisect_right(starts, along_m)] if starts else widths[0]

    def match(
        self,
        place: geo.LonLat,
        scale: geo.LonLat,
        near: float | None = None,
        reach_m: float = 0.0,
        course_deg: float | None = None,
    ) -> Match:
        """The most likely place on this line.

        `scale` is metres per degree there (`geo.scale_m`), `near` where on the line the truck was last (None: not
        known), `reach_m` the straight ground covered since, `course_deg` the truck's course when it moves.
        """
        return self.follow(place, scale, near, reach_m, course_deg, 0.0)[0]

    def follow(
        self,
        place: geo.LonLat,
        scale: geo.LonLat,
        near: float | None,
        reach_m: float,
        course_deg: float | None,
        searched_m: float,
    ) -> tuple[Match, bool]:
        """As `match`, and whether the whole line was looked at again: off the line that is done now and then, by
        `searched_m`, the ground covered since it was done."""
        along, end = self._along, len(self._along) - 1
        course = _NO_COURSE
        if course_deg is not None:
            course = sin(radians(course_deg)), cos(radians(course_deg))
        if near is None:
            first, last = 0, end
        else:
            first = max(0, bisect_right(along, near - 1.2 * reach_m - 100) - 1)
            last = min(end, bisect_right(along, near + 2 * reach_m + 150))
        whole = near is None or last - first > _WINDOW
        if whole:
            first, last = 0, end
            guess = self._nearest_vertex(place, scale, near)
        else:
            assert near is not None
            guess = min(max(bisect_right(along, near + reach_m) - 1, first), last - 1)
        best = self._best(place, scale, guess, guess + 1, near, reach_m, course, _NOTHING)
        best = self._best(place, scale, first, last, near, reach_m, course, best)
        found = self._matched(place, scale, best)
        if found.off_m > 2 * found.half_m and searched_m > max(200.0, found.off_m / 2):
            if not whole:
                best = self._best(place, scale, 0, first, near, reach_m, course, best)
                best = self._best(place, scale, last, end, near, reach_m, course, best)
                found = self._matched(place, scale, best)
            return found, True
        return found, False

    def _nearest_vertex(self, place: geo.LonLat, scale: geo.LonLat, near: float | None) -> int:
        """The nearest of every few vertices, leaping over those that are too near to one far away."""
        px, py = place
        kx, ky = scale
        coarse, along = self._coarse, self._coarse_along
        likely = coarse[::_COARSE] if near is None else (coarse[max(0, bisect_right(along, near) - 1)],)
        best, nearest = min([(hypot((x - px) * kx, (y - py) * ky), vertex) for x, y, vertex in likely])
        i, last = 0, len(coarse)
        while i < last:
            x, y, vertex = coarse[i]
            away = hypot((x - px) * kx, (y - py) * ky)
            if away < best:
                best, nearest = away, vertex
            i = max(i + 1, bisect_right(along, along[i] + _SURE * away - best, i, last))
        return nearest

    def _best(
        self,
        place: geo.LonLat,
        scale: geo.LonLat,
        first: int,
        last: int,
        near: float | None,
        reach_m: float,
        course: tuple[float, float],
        found: _Best,
    ) -> _Best:
        """The cheapest place on segments `first` to `last` (exclusive), or what was found before if nothing there is cheaper.
        The hot loop, hence written out."""
        if first >= last:
            return found
        best, best_off, best_i, best_t = found
        xs, ys, along = self._xs, self._ys, self._along
        px, py = place
        kx, ky = scale
        east, north = course
        ahead_m = 1.5 * reach_m + 50
        i = first
        ax, ay = (xs[i] - px) * kx, (ys[i] - py) * ky
        while True:
            j = i + 1
            away = sqrt(ax * ax + ay * ay)
            room = along[i] + away * (_SURE_NEAR if away < _NEAR_M else _SURE) - best
            if room >= along[j]:
                i = bisect_right(along, room, j, last + 1) - 1
                if i >= last:
                    break
                ax, ay = (xs[i] - px) * kx, (ys[i] - py) * ky
                continue
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
                if course is not _NO_COURSE:
                    penalty += _FACING_M * (1 - (east * dx + north * dy) / sqrt(length2))
                cost = off + (_CAP_M if penalty > _CAP_M else penalty)
                if cost < best or (cost == best and i < best_i):
                    best, best_off, best_i, best_t = cost, off, i, t
            i = j
            if i >= last:
                break
            ax, ay = bx, by
        return best, best_off, best_i, best_t

    def _matched(self, place: geo.LonLat, scale: geo.LonLat, best: _Best) -> Match:
        _, off, i, t = best
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

    def __init__(self, station_id: str, boundary: geo.BoundaryLike, turning: bool, end: bool) -> None:
        self.station = station_id
        self.turning = turning  # trucks may turn here
        self.end = end  # ... and here they always do: one of the two points
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
            Fence(
                s.id,
                s.boundary,
                any(geo.distance_m(s.center, p) <= _TURNING_M for p in points),
                s.id in (loop.origin, loop.destination),
            )
            for s in loop.stations
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
