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

TOLERANCE_M = 10.0
MIN_LENGTH_M = 200.0
_JUMP_M = 100_000.0
_NEAR_M = 50_000.0


class MalformedLine(ValueError):
    """The file is not a line that a loop could have; the text says where and what to do. Where the file is no GPX at all, `why`
    is a key of the catalogue whose text does, and `values` fill it in."""

    def __init__(self, text: str, why: str = "", **values: str | int | float) -> None:
        self.why, self.values = why, values
        super().__init__(text)


def decode(
    data: bytes, datum: Datum = "WGS-84", *, name: str = "", tolerance_m: float = TOLERANCE_M, loop: Loop | None = None
) -> Line:
    """The line in a file.

    `datum` is what the source is in, `name` picks one of several tracks. With a `loop`, a line that comes near none of its
    stations is refused. Raises `MalformedLine`.
    """
    stations = tuple(station.center for station in loop.stations) if loop is not None else ()
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    places = _from_geojson(data, name) if is_json else _from_gpx(data, name)
    _check(places)
    to_wgs = TO_WGS[datum]
    points = simplified([to_wgs(lon, lat) for lon, lat in places], tolerance_m)
    _check_stations(points, stations)
    if len(points) > MAX_VERTICES:
        raise MalformedLine(f"{len(points)} points are left, at most {MAX_VERTICES} wanted: ask for a larger tolerance")
    return Line(points=tuple((round(lon, 6), round(lat, 6)) for lon, lat in points))


def _from_gpx(data: bytes, name: str) -> list[geo.LonLat]:
    try:
        traces = gpx.decode(data)
    except gpx.MalformedGpx as error:
        raise MalformedLine(str(error), f"recorded.gpx-{error.why}", **error.values) from None
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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedLine(f"not a GeoJSON LineString: {error}") from None
    if isinstance(found, _Geometry):
        found = _Feature(found)
    features = found.features if isinstance(found, _Collection) else [found]
    named = [(str((feature.properties or {}).get("name") or ""), feature) for feature in features]
    if not named:
        raise MalformedLine("the collection is empty: draw a line, then export it")
    coordinates = _chosen(named, name).geometry.coordinates
    for i, place in enumerate(coordinates):
        if len(place) < 2:
            raise MalformedLine(f"[longitude, latitude] wanted - at `coordinates[{i}]`")
    return [(place[0], place[1]) for place in coordinates]


_T = TypeVar("_T")


def _chosen(named: Sequence[tuple[str, _T]], name: str) -> _T:
    wanted = [one for called, one in named if not name or called == name]
    if len(wanted) == 1:
        return wanted[0]
    names = ", ".join(repr(called) for called, _ in named)
    if wanted:
        raise MalformedLine(f"there are {len(wanted)} lines in the file; say which by its name: {names}")
    raise MalformedLine(f"no line is called {name!r}; there are: {names}")


def _check(places: Sequence[geo.LonLat]) -> None:
    if len(places) < 2:
        raise MalformedLine("a line has at least two points")
    for i, (lon, lat) in enumerate(places):
        if not (isfinite(lon) and isfinite(lat)):
            raise MalformedLine(f"no number - at point {i}")
        if abs(lat) > 90 >= abs(lon):
            raise MalformedLine(f"{lat} is no latitude; longitude and latitude are the wrong way round - at point {i}")
        if abs(lon) > 180 or abs(lat) > 85:
            raise MalformedLine(f"{lon}, {lat} is no place that a truck could be - at point {i}")
        if lon == 0 and lat == 0:
            raise MalformedLine(f"0, 0 is what a receiver says that knows nothing; delete it - at point {i}")
    for i, (a, b) in enumerate(pairwise(places), start=1):
        if geo.distance_m(a, b) > _JUMP_M:
            raise MalformedLine(f"more than 100 km from the point before: a line through nowhere - at point {i}")
    if sum(geo.distance_m(a, b) for a, b in pairwise(places)) < MIN_LENGTH_M:
        raise MalformedLine(f"the line is shorter than {MIN_LENGTH_M:.0f} m")


def _check_stations(points: Sequence[geo.LonLat], stations: Sequence[geo.LonLat]) -> None:
    if not stations or _comes_near(points, stations):
        return
    if _comes_near([(lat, lon) for lon, lat in points], stations):
        raise MalformedLine("longitude and latitude are the wrong way round: exchanged, the line meets the stations")
    raise MalformedLine("the line comes within 50 km of none of the loop's stations")


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
