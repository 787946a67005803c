"""GeoJSON -> drives: lines with the times of their points, or points that each have their own.

The law of this file: longitude stands first. A line's times are where recorders put them (`coordTimes`, `times`,
`timestamps`, in `properties` or in `coordinateProperties` there) and are as many as its points. Points of a collection are one
drive for each vehicle that they name, in their order. A shape that is no drive (a polygon) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from checkpoint.decoders.recorded import table
from checkpoint.decoders.recorded.drive import MAX_POINTS, Drive, MalformedTrack, Place, Recording, placed
from checkpoint.decoders.recorded.times import NotATime, ZoneWanted, instant

_TIMES = ("coordTimes", "coordtimes", "times", "timestamps", "time", "timestamp")
_DEEP = 6


def from_json(found: object, zone: tzinfo | None) -> Recording:
    """The drives of a GeoJSON object. Raises `MalformedTrack`."""
    if not isinstance(found, Mapping):
        raise MalformedTrack("json-shape", shape=type(found).__name__)
    drives: list[Drive] = []
    points: list[Mapping[str, object]] = []
    for properties, geometry in _features(found, 0):
        _take(properties, geometry, zone, drives, points)
    placeless = 0
    if points:
        recorded = table.from_objects(points, zone)
        drives += recorded.drives
        placeless = recorded.placeless_count
    if not drives:
        raise MalformedTrack("empty")
    if sum(len(drive.places) for drive in drives) > MAX_POINTS:
        raise MalformedTrack("too-many", count=MAX_POINTS)
    return Recording(drives=tuple(drives), placeless_count=placeless)


def _features(found: Mapping[str, Any], depth: int) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every shape with its properties."""
    match found.get("type"):
        case "FeatureCollection" if depth < _DEEP and isinstance(found.get("features"), list):
            return [pair for one in found["features"] if isinstance(one, Mapping) for pair in _features(one, depth + 1)]
        case "Feature":
            geometry, properties = found.get("geometry"), found.get("properties")
            if not isinstance(geometry, Mapping):
                return []
            said = properties if isinstance(properties, Mapping) else {}
            return [(said, shape) for shape in _shapes(geometry, depth)]
        case _:
            return [({}, shape) for shape in _shapes(found, depth)]


def _shapes(geometry: Mapping[str, Any], depth: int) -> list[Mapping[str, Any]]:
    if geometry.get("type") == "GeometryCollection" and depth < _DEEP and isinstance(geometry.get("geometries"), list):
        return [s for one in geometry["geometries"] if isinstance(one, Mapping) for s in _shapes(one, depth + 1)]
    return [geometry]


def _take(
    properties: Mapping[str, Any],
    geometry: Mapping[str, Any],
    zone: tzinfo | None,
    drives: list[Drive],
    points: list[Mapping[str, object]],
) -> None:
    shape, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise MalformedTrack("json-shape", shape=str(shape)[:40])
    match shape:
        case "LineString" | "MultiPoint":
            drives.append(_line(coordinates, _times(properties), properties, zone))
        case "MultiLineString":
            parts = [part for part in coordinates if isinstance(part, list)]
            joined = [place for part in parts for place in part]
            times = _times(properties)
            if times is not None and times and all(isinstance(part, list) for part in times):
                times = [at for part in times for at in part]
            drives.append(_line(joined, times, properties, zone))
        case "Point":
            lon, lat = _lonlat(coordinates, len(points) + 1)
            points.append({**{k: v for k, v in properties.items() if not isinstance(v, dict | list)}, "lon": lon, "lat": lat})
        case _:
            raise MalformedTrack("json-shape", shape=str(shape)[:40])


def _times(properties: Mapping[str, Any]) -> Sequence[Any] | None:
    """The times of a line's points, or None."""
    inner = properties.get("coordinateProperties")
    for said in (properties, inner if isinstance(inner, Mapping) else {}):
        for name in _TIMES:
            if isinstance(said.get(name), list):
                return list(said[name])
    return None


def _line(coordinates: Sequence[Any], times: Sequence[Any] | None, properties: Mapping[str, Any], zone: tzinfo | None) -> Drive:
    if times is not None and len(times) != len(coordinates):
        raise MalformedTrack("times-count", times=len(times), points=len(coordinates))
    if not coordinates:
        raise MalformedTrack("empty")
    places = []
    for i, coordinate in enumerate(coordinates, start=1):
        lon, lat = _lonlat(coordinate, i)
        at = _instant(times[i - 1], i, zone) if times is not None and times[i - 1] is not None else None
        places.append(placed(Place(lon=lon, lat=lat, at=at, altitude_m=_altitude(coordinate), row=i)))
    return Drive(
        name=str(properties.get("name") or "").strip()[:200],
        kind="track" if times is not None else "route",
        places=tuple(places),
    )


def _lonlat(coordinate: object, row: int) -> tuple[float, float]:
    if isinstance(coordinate, list) and len(coordinate) >= 2:
        lon, lat = coordinate[:2]
        if _is_number(lon) and _is_number(lat):
            return float(lon), float(lat)
    raise MalformedTrack("coordinate", line=row)


def _altitude(coordinate: list[Any]) -> float | None:
    return float(coordinate[2]) if len(coordinate) > 2 and _is_number(coordinate[2]) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _instant(value: object, row: int, zone: tzinfo | None) -> datetime:
    try:
        return instant(value, zone)
    except ZoneWanted:
        raise MalformedTrack("zone-wanted", line=row, column="times", value=str(value)[:60]) from None
    except NotATime:
        raise MalformedTrack("time", line=row, column="times", value=str(value)[:60]) from None
