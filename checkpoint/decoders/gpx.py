"""GPX 1.0 and 1.1 -> the tracks and routes in it.

The law of this file: whatever is wrong with a file comes out as one `MalformedGpx` that names it; a file with
entities or a document type is refused before anything is expanded. Points keep their order; times may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Literal, Protocol
from xml.etree.ElementTree import ParseError

import gpxpy
import gpxpy.gpx
import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_BYTES = 20 * 1024 * 1024
MAX_POINTS = 200_000


class MalformedGpx(ValueError):
    """The bytes are not a GPX file with a drive in it. `why` is a key of the catalogue (`recorded.gpx-<why>`) whose text says
    what to do, `values` fill it in."""

    def __init__(self, why: str, **values: str | int | float) -> None:
        self.why, self.values = why, values
        super().__init__(f"{why} {values}" if values else why)


class Point(msgspec.Struct, frozen=True):
    """A place of a drive, degrees, and when it was passed, how fast, on which course (None: not said)."""

    lon: float
    lat: float
    at: datetime | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One track (its segments joined in order) or one route of a file."""

    kind: Literal["track", "route"]
    name: str
    points: tuple[Point, ...]


def decode(data: bytes) -> tuple[Trace, ...]:
    """The tracks, then the routes, that have at least one point. Raises `MalformedGpx`."""
    if len(data) > MAX_BYTES:
        raise MalformedGpx("too-large", count=MAX_BYTES // 1024 // 1024)
    text = _text(data)
    try:
        root = fromstring(text.encode(), forbid_dtd=True)
    except DefusedXmlException:
        raise MalformedGpx("entities") from None
    except ParseError as error:
        raise MalformedGpx("not-xml", line=error.position[0]) from None
    except (ValueError, RecursionError):
        raise MalformedGpx("not-xml", line=1) from None
    if root.tag.rsplit("}", 1)[-1] != "gpx":
        raise MalformedGpx("not-gpx", tag=root.tag.rsplit("}", 1)[-1][:40])
    try:
        read = gpxpy.parse(text)
    except (gpxpy.gpx.GPXException, ValueError, TypeError, KeyError, AttributeError) as error:
        # The library lets what it stumbles over through as it is; for the reader it is all the same.
        raise MalformedGpx("value", error=str(error)[:200]) from None
    traces = [
        *(_trace("track", track.name, [p for segment in track.segments for p in segment.points]) for track in read.tracks),
        *(_trace("route", route.name, route.points) for route in read.routes),
    ]
    found = tuple(trace for trace in traces if trace.points)
    if not found:
        raise MalformedGpx("empty")
    if sum(len(trace.points) for trace in found) > MAX_POINTS:
        raise MalformedGpx("too-many", count=MAX_POINTS)
    return found


def _text(data: bytes) -> str:
    """The characters, by byte order mark, by what the XML declaration says, or as UTF-8. The declaration itself goes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        said = re.match(rb'(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding=["\']([A-Za-z0-9._-]{1,40})["\']', data)
        encoding = said[1].decode() if said else "utf-8-sig"
    if encoding.lower() in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        raise MalformedGpx("characters", encoding=encoding.removesuffix("-sig")) from None
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1)


class _Located(Protocol):
    """What the library calls a point."""

    longitude: float
    latitude: float
    time: datetime | None
    elevation: float | None


def _trace(kind: Literal["track", "route"], name: str | None, points: Sequence[_Located]) -> Trace:
    return Trace(kind=kind, name=(name or "").strip()[:200], points=tuple(_point(p) for p in points))


def _point(point: _Located) -> Point:
    lon, lat = float(point.longitude), float(point.latitude)
    if not (isfinite(lon) and isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90):
        raise MalformedGpx("nowhere", lat=lat, lon=lon)
    at = point.time
    if at is not None:
        try:
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except OverflowError as error:
            raise MalformedGpx("value", error=str(error)[:200]) from None
    # GPX 1.0 has both, in m/s and degrees; 1.1 has neither, and what makers put into extensions is theirs.
    speed, course = _number(getattr(point, "speed", None)), _number(getattr(point, "course", None))
    return Point(
        lon,
        lat,
        at,
        speed_kmh=round(speed * 3.6, 3) if speed is not None and speed >= 0 else None,
        course_deg=course if course is not None and 0 <= course <= 360 else None,
        altitude_m=_number(point.elevation),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
