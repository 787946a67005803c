"""A recorded track in whatever people keep it in (GPX, GeoJSON, CSV, a JSON list of positions) -> its drives, in WGS-84.

The law of this package: the source's datum is declared by whoever hands the file in, and everything is converted here, once.
Whatever is wrong comes out as one `MalformedTrack` that names the line and has a text that says what to do. Sizes are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec

from checkpoint.core.datum import TO_WGS, Datum
from checkpoint.core.fixes import Fix
from checkpoint.decoders import gpx
from checkpoint.decoders.broken import broken_line
from checkpoint.decoders.recorded import geojson, table
from checkpoint.decoders.recorded.drive import MAX_BYTES, MAX_POINTS, Drive, MalformedTrack, Place, Recording, placed

__all__ = ["MAX_BYTES", "MAX_POINTS", "Drive", "MalformedTrack", "Place", "Recording", "decode", "fixes_of"]


def decode(data: bytes, datum: Datum = "WGS-84", zone: tzinfo | None = None) -> Recording:
    """The drives in a file. `datum` is what its places are in, `zone` what times without a zone are in. Raises
    `MalformedTrack`."""
    if len(data) > MAX_BYTES:
        raise MalformedTrack("too-large", count=MAX_BYTES // 1024 // 1024)
    recording = _decode(data, zone)
    if datum == "WGS-84":
        return recording
    drives = tuple(_converted(drive, datum) for drive in recording.drives)
    return msgspec.structs.replace(recording, drives=drives)


def _decode(data: bytes, zone: tzinfo | None) -> Recording:
    begins = data[:400].decode("utf-16", "ignore") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data[:400].decode("latin-1")
    match begins.lstrip("\ufeff\u00ef\u00bb\u00bf \t\r\n")[:1]:
        case "":
            raise MalformedTrack("empty")
        case "<":
            return _from_gpx(data)
        case "{" | "[":
            return _from_json(data, zone)
        case _:
            return table.from_csv(data, zone)


def _from_json(data: bytes, zone: tzinfo | None) -> Recording:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedTrack("json-broken", line=broken_line(data)) from None
    return table.from_objects(found, zone) if isinstance(found, list) else geojson.from_json(found, zone)


def _from_gpx(data: bytes) -> Recording:
    try:
        traces = gpx.decode(data)
    except gpx.MalformedGpx as error:
        raise MalformedTrack(f"gpx-{error.why}", **error.values) from None
    # A planner's file holds its result twice: the route's turning points, and the track with the road's shape.
    kept = [trace for trace in traces if trace.kind == "track"] or list(traces)
    return Recording(
        drives=tuple(
            Drive(
                name=trace.name,
                kind=trace.kind,
                places=tuple(placed(_of_gpx(point, i)) for i, point in enumerate(trace.points, start=1)),
            )
            for trace in kept
        )
    )


def _of_gpx(point: gpx.Point, row: int) -> Place:
    return Place(
        lon=point.lon, lat=point.lat, at=point.at, speed_kmh=point.speed_kmh, course_deg=point.course_deg,
        altitude_m=point.altitude_m, row=row,
    )  # fmt: skip


def _converted(drive: Drive, datum: Datum) -> Drive:
    to_wgs = TO_WGS[datum]

    def moved(place: Place) -> Place:
        lon, lat = to_wgs(place.lon, place.lat)
        return msgspec.structs.replace(place, lon=lon, lat=lat) if place.valid else place

    return msgspec.structs.replace(drive, places=tuple(moved(place) for place in drive.places))


def fixes_of(drive: Drive, device: str) -> Sequence[tuple[Fix, datetime]]:
    """The drive as position reports of a device, each with when it was received (its own time, where the file does not say),
    in the order received. Raises `MalformedTrack` when a place has no time."""
    arrived = []
    if not drive.timed and all(place.at is not None for place in drive.places):
        raise MalformedTrack("untimed")
    for place in drive.places:
        if place.at is None:
            some = any(other.at is not None for other in drive.places)
            raise MalformedTrack("untimed-place" if some else "untimed", line=place.row)
        fix = Fix(
            device=device, fixed_at=place.at, lat=place.lat, lon=place.lon, accuracy_m=place.accuracy_m,
            speed_kmh=place.speed_kmh, course_deg=place.course_deg, altitude_m=place.altitude_m, valid=place.valid,
        )  # fmt: skip
        arrived.append((fix, place.received_at or place.at))
    # Sorted as they came; rows of one instant stay in the order of the file.
    return sorted(arrived, key=lambda pair: pair[1])
