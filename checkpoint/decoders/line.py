"""A drawn or driven line (GPX, or a GeoJSON LineString) -> the line of a loop.

The law of this file: the source says its datum and we convert here, once; what comes out is WGS-84, longitude first, no
denser than the tolerance asks. A line that could not be meant is refused with the place that is wrong, never mended in
silence: a corridor in the wrong place makes a departure of every truck.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import TypeVar

import msgspec

from checkpoint.core import geo
from checkpoint.core.datum import TO_WGS, Datum
from checkpoint.core.loop import MAX_VERTICES, Line, Loop
from checkpoint.decoders import gpx
from checkpoint.decoders.broken import broken_line

TOLERANCE_M = 10.0
MIN_LENGTH_M = 200.0
_JUMP_M = 100_000.0
_NEAR_M = 50_000.0


class MalformedLine(ValueError):
    """The file is not a line that a loop could have. `why` is a key of the catalogue whose text says what to do, `values` fill it
    in: the `point` is counted from 1."""

    def __init__(self, why: str, **values: str | int | float) -> None:
        self.why, self.values = why, values
        super().__init__(f"{why} {values}" if values else why)


def decode(
    data: bytes, datum: Datum = "WGS-84", *, name: str = "", tolerance_m: float = TOLERANCE_M, loop: Loop | None = None
) -> Line:
    """The line in a file.

    `datum` is what the source is in, `name` picks one of several tracks. With a `loop`, a line that comes near none of its
    stations is refused. Raises `MalformedLine`.
    """
    stations = tuple(station.center for station in loop.stations) if loop is not None else ()
    data = data.removeprefix(b"\xef\xbb\xbf")  # as Windows' own tools write it
    is_json = data.lstrip()[:1] in (b"{", b"[")
    places = _from_geojson(data, name) if is_json else _from_gpx(data, name)
    _check(places)
    to_wgs = TO_WGS[datum]
    points = simplified([to_wgs(lon, lat) for lon, lat in places], tolerance_m)
    _check_stations(points, stations)
    if len(points) > MAX_VERTICES:
        raise MalformedLine("line.too-many", count=len(points), most=MAX_VERTICES)
    return Line(points=tuple((round(lon, 6), round(lat, 6)) for lon, lat in points))


def _from_gpx(data: bytes, name: str) -> list[geo.LonLat]:
    try:
        traces = gpx.decode(data)
    except gpx.MalformedGpx as error:
        raise MalformedLine(f"recorded.gpx-{error.why}", **error.values) from None
    # A planner's file holds its result twice: the route's turning points, and the track with the road's shape.
    tracks = [trace for trace in traces if trace.kind == "track"] or list(traces)
    chosen = _chosen([(trace.name, trace) for trace in tracks], name)
    return [(point.lon, point.lat) for point in chosen.points]


class _Geometry(msgspec.Struct, tag_field="type", tag="LineString"):
    coordinates: list[list[float]]


class _Feature(msgspec.Struct, tag_field="type", tag="Feature"):
    geometry: _Geometry
    properties: dict[str, object] | None = None


class _Collection(msgspec.Struct, tag_field="type", tag="FeatureCollection"):
    features: list[_Feature]


def _from_geojson(data: bytes, name: str) -> list[geo.LonLat]:
    try:
        found = msgspec.json.decode(data, type=_Geometry | _Feature | _Collection)
    except msgspec.ValidationError:
        raise MalformedLine("line.not-geojson") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedLine("recorded.json-broken", line=broken_line(data)) from None
    if isinstance(found, _Geometry):
        found = _Feature(found)
    features = found.features if isinstance(found, _Collection) else [found]
    named = [(str((feature.properties or {}).get("name") or ""), feature) for feature in features]
    if not named:
        raise MalformedLine("line.empty")
    coordinates = _chosen(named, name).geometry.coordinates
    for i, place in enumerate(coordinates, start=1):
        if len(place) < 2:
            raise MalformedLine("recorded.coordinate", line=i)
    return [(place[0], place[1]) for place in coordinates]


_T = TypeVar("_T")


def _chosen(named: Sequence[tuple[str, _T]], name: str) -> _T:
    wanted = [one for called, one in named if not name or called == name]
    if len(wanted) == 1:
        return wanted[0]
    names = ", ".join(repr(called) for called, _ in named)[:200]
    if wanted:
        raise MalformedLine("line.several", count=len(wanted), names=names)
    raise MalformedLine("line.no-such", name=name, names=names)


def _check(places: Sequence[geo.LonLat]) -> None:
    if len(places) < 2:
        raise MalformedLine("line.two-points")
    for i, (lon, lat) in enumerate(places, start=1):
        if not (isfinite(lon) and isfinite(lat)):
            raise MalformedLine("line.no-number", point=i)
        if abs(lat) > 90 >= abs(lon):
            raise MalformedLine("line.exchanged", point=i, lat=lat)
        if abs(lon) > 180 or abs(lat) > 85:
            raise MalformedLine("line.nowhere", point=i, lon=lon, lat=lat)
        if lon == 0 and lat == 0:
            raise MalformedLine("line.zero", point=i)
    for i, (a, b) in enumerate(pairwise(places), start=2):
        if geo.distance_m(a, b) > _JUMP_M:
            raise MalformedLine("line.jump", point=i)
    if sum(geo.distance_m(a, b) for a, b in pairwise(places)) < MIN_LENGTH_M:
        raise MalformedLine("line.short", metres=round(MIN_LENGTH_M))


def _check_stations(points: Sequence[geo.LonLat], stations: Sequence[geo.LonLat]) -> None:
    if not stations or _comes_near(points, stations):
        return
    if _comes_near([(lat, lon) for lon, lat in points], stations):
        raise MalformedLine("line.all-exchanged")
    raise MalformedLine("line.elsewhere")


def _comes_near(points: Sequence[geo.LonLat], stations: Sequence[geo.LonLat]) -> bool:
    path = geo.Path(points)
    return any(path.nearest(station).off_m <= _NEAR_M for station in stations)


def simplified(places: Sequence[geo.LonLat], tolerance_m: float) -> list[geo.LonLat]:
    """The fewest of the places so that none is further than the tolerance from the line left (Douglas and Peucker, 1973).

    Without recursion: a recorded drive has more points than Python has frames.
    """
    kept = {0, len(places) - 1}
    spans = [(0, len(places) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        off, worst = max((geo.off_chord_m(places[i], places[first], places[last]), i) for i in range(first + 1, last))
        if off > tolerance_m:
            kept.add(worst)
            spans += [(first, worst), (worst, last)]
    return [places[i] for i in sorted(kept)]
