"""Positions -> visits, stops, excursions, silences; incremental and restartable.

TYPES FIRST.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.core.facts import Cited
from checkpoint.core.loop import Leg, Loop


class Fix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One position report, WGS-84. None means: the device did not say."""

    device: str
    fixed_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None
    valid: bool = True


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of track that is off the plan in one way: `off-loop`, `wrong-way`, `unscheduled-stop`,
    `position-unknown`, `datum-suspect`. Suspected at once, confirmed by rule; `until` is set when it ended."""

    kind: str
    since: datetime
    confirmed_at: datetime | None
    until: datetime | None
    evidence: tuple[Cited, ...]
    values: dict[str, str | int | float | bool | None] = {}


class TrackVisit(msgspec.Struct, frozen=True, kw_only=True):
    """The track was inside a station's boundary from one instant to another (None: still is)."""

    station: str
    since: datetime
    until: datetime | None


class TrackReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the positions of one vehicle say so far.

    `along_m` is the progress along the line of `leg`, `off_m` how far off its middle the last usable fix was, `station`
    the station it is in. `interval_s` is the device's own rhythm. `at_rest_since` is set while the truck stands;
    `driving_since` is the start of the driving that no break of lawful length has interrupted. `place` says which of
    the three it is now: on the loop, off it, or unknown.
    """

    last: Fix | None = None
    leg: Leg | None = None
    along_m: float | None = None
    off_m: float | None = None
    station: str = ""
    place: Literal["on", "off", "unknown"] = "unknown"
    interval_s: float = 60.0
    at_rest_since: datetime | None = None
    driving_since: datetime | None = None
    driven_s: float = 0.0
    visits: tuple[TrackVisit, ...] = ()
    episodes: tuple[Episode, ...] = ()
    fixes_count: int = 0


class Track:
    """Reads fixes as they come; late ones make it read again from before them. The same fixes in any order and any
    number of copies give the same reading."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop

    def add(self, fix: Fix) -> bool:
        """Take a fix in; False when it was here already (same device and instant and place)."""
        raise NotImplementedError

    def reading(self) -> TrackReading:
        """What the fixes so far say."""
        raise NotImplementedError
