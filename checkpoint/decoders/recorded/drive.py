"""What a recorded drive is: places in order, each with what its receiver said, and the one error all its readers raise.

The law of this file: values only. A reader builds places in the file's own datum; `decode` converts them once.
"""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Literal

import msgspec

MAX_BYTES = 20 * 1024 * 1024
MAX_POINTS = 200_000


class MalformedTrack(ValueError):
    """The bytes are not a recorded drive. `why` is a key of the catalogue (`recorded.<why>`) whose text says what to do;
    `values` fill it in: the `line` of the file, the `column`, the `value` that cannot be read."""

    def __init__(self, why: str, **values: str | int | float) -> None:
        self.why = why
        self.values = values
        super().__init__(f"{why} {values}" if values else why)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place of a drive, degrees. None means: not said. `received_at` is when a server had it, in a file that says so.

    `row` is the line of the file (a table), or which of the points it is, counted from 1.
    """

    lon: float
    lat: float
    at: datetime | None = None
    received_at: datetime | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    accuracy_m: float | None = None
    altitude_m: float | None = None
    valid: bool = True
    row: int = 0


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """One drive of a file: a track as it was driven, or a route as it was planned. `whose` is the vehicle or device that a table
    says it is of."""

    name: str
    whose: str = ""
    kind: Literal["track", "route"] = "track"
    places: tuple[Place, ...]

    @property
    def timed(self) -> bool:
        """Whether every place has its time. One and the same for all is no time: so planners write it."""
        times = {place.at for place in self.places}
        return None not in times and (len(times) > 1 or len(self.places) == 1)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a file: its drives, and how many of its rows stated no place at all (a receiver that knew none)."""

    drives: tuple[Drive, ...]
    placeless_count: int = 0


def placed(place: Place) -> Place:
    """The place, held to what is a place on earth. Raises `MalformedTrack`.

    0, 0 is what a receiver says that knows nothing: it stays, and is not valid.
    """
    lon, lat = place.lon, place.lat
    if not (isfinite(lon) and isfinite(lat)):
        raise MalformedTrack("no-number", line=place.row)
    if abs(lat) > 90 >= abs(lon) and abs(lat) <= 180:
        raise MalformedTrack("exchanged", line=place.row, lon=lon, lat=lat)
    if abs(lon) > 180 or abs(lat) > 90:
        raise MalformedTrack("nowhere", line=place.row, lon=lon, lat=lat)
    if lon == 0 and lat == 0:
        return msgspec.structs.replace(place, valid=False)
    return place
