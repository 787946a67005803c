"""WGS-84 and GCJ-02. We keep WGS-84 only; a source or a map that says it is GCJ-02 is converted at the edge.

Chinese map tiles and route planners show GCJ-02: WGS-84 moved 100 to 700 m by a published polynomial with sines. Outside
the rectangle the formula is made for, both are the same. The way back has no formula; it is found by iteration and
agrees to less than a millimetre.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, radians, sin, sqrt
from typing import Literal

LonLat = tuple[float, float]
Datum = Literal["WGS-84", "GCJ-02"]

# The formula has its own ellipsoid (Krassovsky 1940), whatever the positions are on.
_A = 6378245.0
_EE = 0.00669342162296594323


def is_shifted(lon: float, lat: float) -> bool:
    """Whether GCJ-02 differs from WGS-84 here (the rectangle of the formula, larger than the country)."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


def _waves(value: float) -> float:
    return (20 * sin(6 * value * pi) + 20 * sin(2 * value * pi)) * 2 / 3


def wgs_to_gcj(lon: float, lat: float) -> LonLat:
    """Where a WGS-84 place is drawn on a GCJ-02 map."""
    if not is_shifted(lon, lat):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + _waves(x)
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi) + 160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + _waves(x)
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi) + 150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    phi = radians(lat)
    w2 = 1 - _EE * sin(phi) ** 2
    w = sqrt(w2)
    return (
        lon + east * 180 / (_A / w * cos(phi) * pi),
        lat + north * 180 / (_A * (1 - _EE) / (w2 * w) * pi),
    )


def gcj_to_wgs(lon: float, lat: float) -> LonLat:
    """The WGS-84 place of a point on a GCJ-02 map."""
    if not is_shifted(lon, lat):
        return lon, lat
    x, y = lon, lat
    for _ in range(12):  # each round leaves about a thousandth of the error
        gx, gy = wgs_to_gcj(x, y)
        dx, dy = lon - gx, lat - gy
        x, y = x + dx, y + dy
        if abs(dx) < 1e-10 and abs(dy) < 1e-10:
            break
    return x, y


# What a datum is called where people type it.
BY_NAME: dict[str, Datum] = {"wgs84": "WGS-84", "gcj02": "GCJ-02"}
TO_WGS: dict[Datum, Callable[[float, float], LonLat]] = {
    "WGS-84": lambda lon, lat: (lon, lat),
    "GCJ-02": gcj_to_wgs,
}
