"""What is known of a device's own ways: the datum of its positions, and how far its clock is off.

The law of this file: a device's word is put right only by what a coordinator declared of it, once, at the door, and the fix
says so; what we merely noticed of its clock is said, and changes nothing. A time that cannot be true is named, never guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from checkpoint.core.datum import Datum, gcj_to_wgs
from checkpoint.core.fixes import Fix

# How far a device's clock may be ahead of ours (domain: clock tolerance).
TOLERANCE = timedelta(seconds=120)
ODD_TIMES = frozenset({"in-the-future", "week-rollover", "clock-unset"})
_UNSET = datetime(2001, 1, 1, tzinfo=UTC)  # receivers begin at 1970, 1980 or 2000 while they know no date
_ROLLOVER = timedelta(weeks=1024)  # the week number of GPS has ten bits
_ROLLOVER_WITHIN = timedelta(days=3)

_STEADY_S = 120.0  # an offset that moves by more than this is no clock's: it is a delay
_ENOUGH, _LONG_ENOUGH_S = 5, 600.0
_BEHIND_S = 600.0  # later than this a device's newest position comes only when its clock is behind, or it has a delay of its own


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What a coordinator declared of a device: the datum it sends, and by how many seconds its clock is ahead of the true
    time (negative: behind)."""

    datum: Datum = "WGS-84"
    clock_s: int = 0


AS_SENT = Declared()


def mended(fix: Fix, declared: Declared) -> Fix:
    """The fix in WGS-84 and true time, by what was declared; `Fix.mended` says what was put right."""
    said = []
    if declared.datum == "GCJ-02" and not fix.encrypted:
        lon, lat = gcj_to_wgs(fix.lon, fix.lat)
        fix, said = msgspec.structs.replace(fix, lon=lon, lat=lat), ["GCJ-02"]
    if declared.clock_s:
        at = fix.fixed_at - timedelta(seconds=declared.clock_s)
        fix, said = msgspec.structs.replace(fix, fixed_at=at), [*said, f"clock {declared.clock_s:+d} s"]
    return msgspec.structs.replace(fix, mended=", ".join(said)) if said else fix


def odd_time(fixed_at: datetime, received_at: datetime) -> str:
    """Why the time of a fix cannot be true, or empty."""
    if fixed_at > received_at + TOLERANCE:
        return "in-the-future"
    for rounds in (1, 2):
        if abs(received_at - fixed_at - rounds * _ROLLOVER) <= _ROLLOVER_WITHIN:
            return "week-rollover"
    return "clock-unset" if fixed_at < _UNSET else ""


class Offset(NamedTuple):
    """How far a device's clock was from ours over some deliveries in a row: when the first came, how many, from and to."""

    first_at: datetime
    times: int
    low_s: float
    high_s: float

    @property
    def steady_s(self) -> int | None:
        """The constant offset, to the minute; 0 when the clock is right, None while nobody can say."""
        if self.times < _ENOUGH:
            return None
        middle_s = (self.low_s + self.high_s) / 2
        right = -_BEHIND_S <= middle_s <= TOLERANCE.total_seconds()
        return 0 if right else round(middle_s / 60) * 60


def heard(before: Offset | None, newest: datetime, now: datetime) -> Offset:
    """Take in a delivery, by its newest fix. What is sent hours late comes nearer and nearer; a clock keeps its distance.

    Deliveries close to each other are one: a phone that empties its memory sends many.
    """
    off_s = (newest - now).total_seconds()
    if before is None or off_s > before.low_s + _STEADY_S or off_s < before.high_s - _STEADY_S:
        return Offset(now, 1, off_s, off_s)
    apart_s = (now - before.first_at).total_seconds()
    count = before.times + 1 if apart_s >= before.times * _LONG_ENOUGH_S / (_ENOUGH - 1) else before.times
    return Offset(before.first_at, min(count, _ENOUGH), min(before.low_s, off_s), max(before.high_s, off_s))
