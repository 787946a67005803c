"""Lines in a plane, in metres: evenly sampled, and asked where on them a place is, near where it is expected.

The law of this file: one plane for a whole loop errs by a few per cent in its far corners, which is nothing to widths of tens
of metres; lengths that end up in a document are measured on the ellipsoid instead.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import hypot

from checkpoint.core import geo
from checkpoint.core.geo import LonLat

XY = tuple[float, float]


class Plane:
    """Metres east and north of a place."""

    def __init__(self, middle: LonLat) -> None:
        self._middle = middle
        self._scale = geo.scale_m(middle[1])

    def xy(self, place: LonLat) -> XY:
        """A place in the plane."""
        return (place[0] - self._middle[0]) * self._scale[0], (place[1] - self._middle[1]) * self._scale[1]

    def lonlat(self, xy: XY) -> LonLat:
        """The place of a point of the plane."""
        return self._middle[0] + xy[0] / self._scale[0], self._middle[1] + xy[1] / self._scale[1]


class Poly:
    """A polyline of the plane with its length measured."""

    def __init__(self, points: Sequence[XY]) -> None:
        self.points = list(points)
        along = [0.0]
        for a, b in zip(self.points, self.points[1:], strict=False):
            along.append(along[-1] + apart(a, b))
        self.along = along
        self.length = along[-1]

    def at(self, along_m: float) -> XY:
        """The point so far along, held to the ends."""
        s = min(max(along_m, 0.0), self.length)
        i = min(max(bisect_right(self.along, s) - 1, 0), len(self.points) - 2)
        span = self.along[i + 1] - self.along[i]
        t = (s - self.along[i]) / span if span else 0.0
        a, b = self.points[i], self.points[i + 1]
        return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])

    def sampled(self, step_m: float) -> list[XY]:
        """Points as evenly apart as fits, the ends among them."""
        count = max(1, round(self.length / step_m))
        return [self.at(self.length * i / count) for i in range(count + 1)]

    def near(self, point: XY, first_m: float = 0.0, last_m: float | None = None) -> tuple[float, float]:
        """How far a point is off the line, and how far along; looked for between two distances along it."""
        first = max(0, bisect_right(self.along, first_m) - 1)
        last = len(self.points) - 1 if last_m is None else min(len(self.points) - 1, bisect_left(self.along, last_m) + 1)
        best, best_along = float("inf"), self.along[min(first, len(self.along) - 1)]
        px, py = point
        for i in range(first, max(last, first)):
            if i + 1 >= len(self.points):
                break
            (ax, ay), (bx, by) = self.points[i], self.points[i + 1]
            dx, dy = bx - ax, by - ay
            length2 = dx * dx + dy * dy
            t = 0.0 if not length2 else min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length2))
            off = hypot(ax + t * dx - px, ay + t * dy - py)
            if off < best:
                best, best_along = off, self.along[i] + t * (self.along[i + 1] - self.along[i])
        return best, best_along

    def left_of(self, point: XY, along_m: float) -> float:
        """How far left of the line a point is, by the direction of the line there; right is negative."""
        i = min(max(bisect_right(self.along, along_m) - 1, 0), len(self.points) - 2)
        (ax, ay), (bx, by) = self.points[i], self.points[i + 1]
        size = hypot(bx - ax, by - ay)
        return ((bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)) / size if size else 0.0

    def part(self, first_m: float, last_m: float) -> Poly:
        """The line from one distance along to another."""
        inner = [p for p, s in zip(self.points, self.along, strict=True) if first_m < s < last_m]
        return Poly([self.at(first_m), *inner, self.at(last_m)])

    def reversed(self) -> Poly:
        """The line the other way."""
        return Poly(self.points[::-1])


def apart(a: XY, b: XY) -> float:
    """Metres between two points."""
    return hypot(a[0] - b[0], a[1] - b[1])


def followed(line: Poly, samples: Sequence[XY], lost_m: float) -> list[tuple[float, float]]:
    """Where on a line each of a row of samples is (off, along), one after another: never far back, never far ahead, so that a
    line that crosses or repeats itself is followed and not jumped about on. Beyond `lost_m` it is lost, and looked for further
    ahead of where it was last."""
    found: list[tuple[float, float]] = []
    along, known, before = 0.0, 0.0, None
    for sample in samples:
        step = apart(before, sample) if before is not None else 0.0
        off, at = line.near(sample, along - 100, along + 3 * step + 250)
        if off > lost_m:
            wide = line.near(sample, known, along + 5000 + 3 * step)
            if wide[0] <= lost_m:
                off, at = wide
        if off <= lost_m:
            along = known = max(known, at)
        else:
            along = min(line.length, along + step)
        found.append((off, at))
        before = sample
    return found
