"""Where things are: distance, inside a fence, off a line, progress along it. WGS-84, places as (longitude, latitude).

Distances are taken in a local plane at the place asked about, with the ellipsoid's two radii there: 0.5 m off within
5.5 km. Over longer ways the great circle is used.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import asin, atan2, cos, degrees, hypot, radians, sin, sqrt
from typing import NamedTuple, Protocol

LonLat = tuple[float, float]
_A = 6378137.0
_E2 = 6.69437999014e-3
_MEAN_RADIUS_M = 6371008.8


def scale_m(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and of latitude at a latitude (WGS-84 radii of curvature)."""
    s2 = sin(radians(lat)) ** 2
    w = 1 - _E2 * s2
    east = _A / sqrt(w) * cos(radians(lat))
    north = _A * (1 - _E2) / w**1.5
    return radians(1) * east, radians(1) * north


def distance_m(a: LonLat, b: LonLat) -> float:
    """Metres between two places: local plane when near, great circle when far."""
    if abs(a[0] - b[0]) < 0.05 and abs(a[1] - b[1]) < 0.05:
        kx, ky = scale_m((a[1] + b[1]) / 2)
        return hypot((a[0] - b[0]) * kx, (a[1] - b[1]) * ky)
    la, lb = radians(a[1]), radians(b[1])
    h = sin((lb - la) / 2) ** 2 + cos(la) * cos(lb) * sin(radians(b[0] - a[0]) / 2) ** 2
    return 2 * _MEAN_RADIUS_M * asin(min(1.0, sqrt(h)))


def apart_m(a: LonLat, b: LonLat, scale: LonLat) -> float:
    """As `distance_m`, with the metres per degree at one of the two (`scale_m`) known already."""
    dx, dy = a[0] - b[0], a[1] - b[1]
    if -0.05 < dx < 0.05 and -0.05 < dy < 0.05:
        return hypot(dx * scale[0], dy * scale[1])
    return distance_m(a, b)


def bearing_deg(a: LonLat, b: LonLat) -> float:
    """Course from one place to another near it, degrees clockwise from north, 0 to 360."""
    kx, ky = scale_m((a[1] + b[1]) / 2)
    return degrees(atan2((b[0] - a[0]) * kx, (b[1] - a[1]) * ky)) % 360


class _CircleLike(Protocol):
    @property
    def center(self) -> LonLat: ...
    @property
    def radius_m(self) -> float: ...


class BoundaryLike(Protocol):
    """Either a circle or a polygon of one ring."""

    @property
    def circle(self) -> _CircleLike | None: ...
    @property
    def polygon(self) -> Sequence[LonLat]: ...


def outside_m(boundary: BoundaryLike, place: LonLat) -> float:
    """Metres from a place to a boundary; 0 inside it and on its edge."""
    if boundary.circle is not None:
        return max(0.0, distance_m(boundary.circle.center, place) - boundary.circle.radius_m)
    ring = boundary.polygon
    if inside_ring(ring, place):
        return 0.0
    kx, ky = scale_m(place[1])
    return min(
        _to_segment((a[0] - place[0]) * kx, (a[1] - place[1]) * ky, (b[0] - place[0]) * kx, (b[1] - place[1]) * ky)[0]
        for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)
    )


def inside_ring(ring: Sequence[LonLat], place: LonLat) -> bool:
    """Whether a place lies in a polygon's ring (even-odd rule)."""
    x, y = place
    inside = False
    x1, y1 = ring[-1]
    for x2, y2 in ring:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        x1, y1 = x2, y2
    return inside


def _to_segment(ax: float, ay: float, bx: float, by: float) -> tuple[float, float]:
    """Distance from the plane's zero to a segment, and the share (0 to 1) along it of the nearest place."""
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    t = 0.0 if length2 == 0 else min(1.0, max(0.0, -(ax * dx + ay * dy) / length2))
    return hypot(ax + t * dx, ay + t * dy), t


def off_chord_m(place: LonLat, a: LonLat, b: LonLat) -> float:
    """Metres from a place to the straight piece between two others, in the plane at the place."""
    kx, ky = scale_m(place[1])
    return _to_segment((a[0] - place[0]) * kx, (a[1] - place[1]) * ky, (b[0] - place[0]) * kx, (b[1] - place[1]) * ky)[0]


class Near(NamedTuple):
    """The place on a path nearest to one asked about: how far off, how far along, and on which segment."""

    off_m: float
    along_m: float
    segment: int


class Path:
    """A polyline with its length measured, asked for the nearest place on it."""

    def __init__(self, points: Sequence[LonLat]) -> None:
        self.points = tuple((float(x), float(y)) for x, y in points)
        if len(self.points) < 2:
            raise ValueError("a path has at least two points")
        along = [0.0]
        for a, b in zip(self.points, self.points[1:], strict=False):
            along.append(along[-1] + distance_m(a, b))
        self.along_m = tuple(along)
        self.length_m = along[-1]

    def nearest(self, place: LonLat, first: int = 0, last: int | None = None) -> Near:
        """The nearest place among segments `first` to `last` (exclusive; all by default). The earliest wins a tie."""
        points, along = self.points, self.along_m
        px, py = place
        kx, ky = scale_m(py)
        best = Near(float("inf"), 0.0, first)
        for i in range(first, len(points) - 1 if last is None else last):
            a, b = points[i], points[i + 1]
            off, t = _to_segment((a[0] - px) * kx, (a[1] - py) * ky, (b[0] - px) * kx, (b[1] - py) * ky)
            if off < best.off_m:
                best = Near(off, along[i] + t * (along[i + 1] - along[i]), i)
        return best

    def at(self, along_m: float) -> LonLat:
        """The place so many metres along the path, held to its ends."""
        s = min(max(along_m, 0.0), self.length_m)
        i = min(max(bisect_right(self.along_m, s) - 1, 0), len(self.points) - 2)
        span = self.along_m[i + 1] - self.along_m[i]
        t = 0.0 if span == 0 else (s - self.along_m[i]) / span
        a, b = self.points[i], self.points[i + 1]
        return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])

    def bearing_at(self, along_m: float) -> float:
        """The path's own course there, degrees clockwise from north."""
        i = min(max(bisect_right(self.along_m, along_m) - 1, 0), len(self.points) - 2)
        return bearing_deg(self.points[i], self.points[i + 1])
