"""What a position report is, and what a track of them is read to say. Values only; the reading is made in `track.py`.

The law of this file: nothing here judges. An episode is a stretch of track that is off the plan in one way, with the
fixes that prove it; whether anybody is warned of it is for the rules.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.core.facts import Cited
from checkpoint.core.loop import Leg

MOCKED = "mocked"  # among the alarms: the phone's system says that another program made the position up


class Fix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One position report, WGS-84. None means: the device did not say.

    `encrypted` is set when the device says that its coordinates are enciphered (JT/T 808, status bit 5): they are kept, but
    are no place. `alarms` are the device's own alarms at this fix by name (JT/T 808 bits, an app's `sos`), `crossing` its own
    word that it went into or out of a region of ours: `enter STATION` or `leave STATION`. Both are evidence beside our own
    judgement, never a verdict. `mended` says what was put right at intake, by what was declared of the device.
    """

    device: str
    fixed_at: datetime
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None
    valid: bool = True
    encrypted: bool = False
    alarms: tuple[str, ...] = ()
    crossing: str = ""
    mended: str = ""

    @property
    def stands_for_a_place(self) -> bool:
        """Whether the device itself stands behind its coordinates: neither invalid nor enciphered nor simulated."""
        return self.valid and not self.encrypted and MOCKED not in self.alarms


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of track that is off the plan in one way: `off-loop`, `wrong-way`, `unscheduled-stop`,
    `position-unknown`, `datum-suspect`.

    Suspected at once (`confirmed_at` None), confirmed by rule; `until` is set when it ended. What was only suspected and
    ended leaves no episode. `evidence` cites fixes: `at` is when the device took it; `values` are `lat`, `lon`, `off_m`,
    `accuracy_m`. `values` of the episode itself, by kind:

    * `off-loop`: `leg`, `along_m` where it left, `farthest_m` off the middle of the line so far, `decisive`; once it is back on
      the line `rejoined_along_m`, `driven_m` off it (as the crow flies from fix to fix) and `skipped_m` of the line not driven.
    * `wrong-way`: `leg`, `along_m` where it turned, `back_m` how far back it went so far.
    * `unscheduled-stop`: `lat`, `lon`, `leg`, `along_m`, `driven_s` before it, `seen_until` (ISO 8601) the last fix at rest.
      The rules decide after how long it counts, and whether it is the break the law demands.
    * `position-unknown`: `fixes_count`, `accuracy_m` of the last (None: the device called it invalid).
    * `datum-suspect`: `shift_east_m`, `shift_north_m` of the positions against the line, `likely` (`GCJ-02` or empty).
    """

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


def is_terminal(device: str) -> bool:
    """Whether a device is a truck's own terminal, which may raise alarms; a phone raises none but a call for help."""
    return device.startswith("terminal-")


class DeviceAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that the device itself raised (`name` as in `Fix.alarms`), held from one fix to another: one event, however
    many fixes carried it.

    `seen_until` is the last fix that carried it, `until` the same once a fix came without it (None: it holds still).
    `farthest_m` is how far off the middle of the line we found the truck meanwhile (None: we could place it nowhere).
    """

    name: str
    device: str
    since: datetime
    seen_until: datetime
    until: datetime | None
    fixes_count: int
    farthest_m: float | None
    evidence: tuple[Cited, ...]


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """The phone's own word that it went into (`entered`) or out of a station, and where it was by our own measure:
    `outside_m` metres outside the boundary (0: inside; None: not said by a place we could use, or far away)."""

    station: str
    entered: bool
    at: datetime
    device: str
    outside_m: float | None


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """The track went by a required station: the instant it was seen beyond it on the same leg, and the fix that shows it."""

    station: str
    leg: Leg
    at: datetime
    evidence: Cited


class TrackReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the positions of one vehicle say so far.

    `last` is the newest fix of any quality: it tells that the device lives, and is what silence is counted from.
    `placed` is the newest fix that could be believed: what a map draws. `along_m` is the progress along the line of
    `leg` (both None until the direction is known), `off_m` how far off its middle the last believed fix was, `station`
    the station it is in. `interval_s` is the device's own rhythm. `at_rest_since` is set while the truck stands;
    `driving_since` is the start of the driving that no break of lawful length has interrupted, `driven_s` the seconds
    at the wheel since then. `place` says which of the three it is now: on the loop, off it, or unknown. `pace` is how
    many times the planned time it has needed of late, `pace_s` the planned seconds that this rests on. `alarms` and
    `crossings` are what the devices themselves said, the latest of them, in order of time: evidence beside ours. `passed`
    are the required stations that lie behind it, visited or not.
    """

    last: Fix | None = None
    placed: Fix | None = None
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
    pace: float = 1.0
    pace_s: float = 0.0
    alarms: tuple[DeviceAlarm, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    passed: tuple[Passed, ...] = ()
