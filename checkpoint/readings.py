"""Readings put by: what the watch has read of tracks, so that a start reads on instead of reading days of fixes again.

The law of this file:

* What is put by is a copy that may be lost at any moment, and is never the record: anything wrong with it costs a reading from
  the fixes, is said once in the log, and nothing else. It is taken up only by the program that wrote it (a digest of the
  core's source, and of the libraries that made the bytes) for the very loop it was read against.
* It is written by the watch that tells, a few vehicles at a time and after its round, never on the way of a scan; each vehicle
  no more than once in `KEEP_EVERY_S`. A crash costs what came since: that much is read and judged again.
* Whatever arrived up to the number that is written with the rows is in them. `_behind` knows of what came after it.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from math import inf
from pathlib import Path
from typing import NamedTuple

import msgspec

from checkpoint import core
from checkpoint.core.fixes import Fix
from checkpoint.core.follow import Follower
from checkpoint.core.kept import pack, unpack
from checkpoint.core.loop import Loop
from checkpoint.core.track import Track
from checkpoint.core.ways import Ways, ways_of
from checkpoint.store import Arrived, KeptReading, Store

log = logging.getLogger(__name__)
KEEP_EVERY_S = 300.0
AT_ONCE = 8
# Places to go back to are kept for this long: a fix that comes later still has its track read again from the store.
BACK = timedelta(days=1)
# With more than this to read on, reading the tracks again is no slower.
_MOST_BEHIND = 1_000_000


@cache
def program() -> str:
    """A digest of all that makes a reading what it is: the core's source, and what wrote the bytes."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(f"{sys.version_info[:2]} {msgspec.__version__}".encode())
    assert core.__file__ is not None
    for path in sorted(Path(core.__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\x1f" + path.read_bytes())
    return digest.hexdigest()


def made_by(loop: Loop) -> str:
    """What must be the same for a reading to be taken up again."""
    return f"{program()} {hashlib.blake2b(msgspec.json.encode(loop), digest_size=12).hexdigest()}"


class _Rest:
    """A row that waits for its vehicle to be met, and what arrived of it since the row was written."""

    def __init__(self, row: KeptReading) -> None:
        self.row = row
        self.came: list[Fix] = []


class Draft(NamedTuple):
    """What is to be written: rows, rows to delete, the number that all of it goes to then; and what stood behind before."""

    rows: list[KeptReading]
    gone: set[str]
    number: int
    behind: dict[str, int]


class Readings:
    """What is put by of the tracks of one watch, and what is to be. All but `write` is called under the watch's lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = ""
        self._made_by: dict[int, tuple[Loop, str]] = {}
        self._resting: dict[str, _Rest] = {}
        # Vehicles with a row; and for those of which something came since, the number of the first fix that it has not.
        self._rows: set[str] = set()
        self._behind: dict[str, int] = {}
        # Vehicles whose track is other than its row, and when each row was written (`monotonic`).
        self._changed: set[str] = set()
        self._kept_s: dict[str, float] = {}
        # Rows that are to be deleted.
        self._gone: set[str] = set()

    # -- taking up ---------------------------------------------------------------------------------------------------------

    def begin(self, loops: Iterable[Loop], last: int) -> int:
        """Find what is put by. Returns the number of the position to read on from; `last` is that of the newest."""
        account = self._store.readings([self._program(loop) for loop in loops])
        self._turn, self._gone = account.turn, set(account.unreadable)
        if account.unreadable:
            log.info("what was put by of %d tracks is another program's, or damaged: they are read again", len(self._gone))
        behind = last - account.number
        if account.rows and not 0 <= behind <= _MOST_BEHIND:
            log.info("what was put by is %d positions behind: all tracks are read again", behind)
            self._gone |= {row.vehicle for row in account.rows}
        elif account.rows:
            self._resting = {row.vehicle: _Rest(row) for row in account.rows}
            self._rows = set(self._resting)
            return account.number
        return last

    def arrived(self, arrived: Arrived) -> None:
        """A fix came, in the order of arrival."""
        vehicle = arrived.vehicle
        resting = self._resting.get(vehicle)
        if resting is not None:
            if arrived.number <= resting.row.number:
                return
            resting.came.append(arrived.fix)
        self._behind.setdefault(vehicle, arrived.number)
        self._changed.add(vehicle)

    def rests(self, vehicle: str) -> bool:
        """Whether a track is put by and waits to be taken up."""
        return vehicle in self._resting

    def track(self, vehicle: str, loop: Loop, since: datetime, span: timedelta, now_s: float) -> Track:
        """The track as it was put by, with what came since; or one that reads from the store when it is asked."""
        resting, stored = self._resting.pop(vehicle, None), partial(self._store.positions, vehicle)
        if resting is not None and resting.row.made_by == self._program(loop):
            ways, before = ways_of(loop), resting.row.before
            try:
                [follower] = unpack(resting.row.state, ways)
            except ValueError as error:
                log.warning("what was put by of a track cannot be read, and it is read again: %s", error)
            else:
                track = Track.resumed(stored, span, follower, lambda: _recalled(before, ways))
                self._kept_s[vehicle] = now_s
                for fix in resting.came:
                    track.add(fix)
                    self._changed.add(vehicle)
                return track
        # Whatever row there is does not go with this track.
        if vehicle in self._rows:
            self._rows.discard(vehicle)
            self._gone.add(vehicle)
        self._kept_s.pop(vehicle, None)
        self._changed.add(vehicle)
        return Track.over(loop, stored, since, span)

    def forget(self, vehicle: str) -> None:
        """The watch follows a vehicle no more."""
        self._resting.pop(vehicle, None)
        self._behind.pop(vehicle, None)
        self._kept_s.pop(vehicle, None)
        self._changed.discard(vehicle)
        if vehicle in self._rows:
            self._rows.discard(vehicle)
            self._gone.add(vehicle)

    # -- putting by --------------------------------------------------------------------------------------------------------

    def draft(self, tracks: Mapping[str, Track], read_to: int, now_s: float, *, everything: bool = False) -> Draft | None:
        """A few tracks to put by, those that waited longest first; `everything`: also such as were put by a moment ago.
        None when there are none. `read_to` is the number of the last position that was read."""
        self._changed &= tracks.keys()
        late = now_s - KEEP_EVERY_S
        due = [v for v in self._changed if everything or self._kept_s.get(v, -inf) <= late]
        due = sorted(due, key=lambda v: (self._kept_s.get(v, -inf), v))[:AT_ONCE]
        rows: list[KeptReading] = []
        for vehicle in due:
            row = self._row(vehicle, tracks[vehicle], read_to)
            self._changed.discard(vehicle)
            self._kept_s[vehicle] = now_s
            if row is not None:
                rows.append(row)
        if not rows and not self._gone:
            return None
        behind = {row.vehicle: self._behind.pop(row.vehicle) for row in rows if row.vehicle in self._behind}
        self._rows |= {row.vehicle for row in rows}
        number = min((self._behind[v] - 1 for v in self._rows if v in self._behind), default=read_to)
        gone, self._gone = self._gone - {row.vehicle for row in rows}, set()
        return Draft(rows, gone, min(number, read_to), behind)

    def _row(self, vehicle: str, track: Track, read_to: int) -> KeptReading | None:
        last = track.reading().last
        if last is None:
            return None
        follower, before = track.put_by(last.fixed_at - BACK)
        try:
            state, forks = pack([follower]), pack(before)
        except TypeError as error:  # ours to mend: until then this track is read again at every start
            log.error("a track cannot be put by: %s", error)
            return None
        assert state.oldest is not None
        return KeptReading(
            vehicle=vehicle,
            made_by=self._program(track.loop),
            number=read_to,
            oldest=min(state.oldest, forks.oldest or state.oldest),
            state=state.data,
            before=forks.data,
        )

    def write(self, draft: Draft) -> bool:
        """Write what was drafted. False when another watch wrote meanwhile: then nothing is put by any more."""
        turn = self._store.keep_readings(self._turn, draft.number, draft.rows, draft.gone)
        self._turn = turn or ""
        return turn is not None

    def unwritten(self, draft: Draft) -> None:
        """A draft could not be written: all as it was before."""
        self._gone |= draft.gone
        self._changed |= {row.vehicle for row in draft.rows}
        for vehicle, number in draft.behind.items():
            self._behind[vehicle] = number

    def lost(self, vehicles: Iterable[str]) -> None:
        """Another watch threw all away: begin anew, with these."""
        self._rows, self._gone, self._kept_s = set(), set(), {}
        self._changed |= set(vehicles)

    def _program(self, loop: Loop) -> str:
        found = self._made_by.get(id(loop))
        if found is None or found[0] is not loop:
            found = self._made_by[id(loop)] = loop, made_by(loop)
        return found[1]


def _recalled(before: bytes, ways: Ways) -> list[Follower]:
    try:
        return unpack(before, ways)
    except ValueError as error:
        log.warning("where to go back to on a track cannot be read, and it is read again: %s", error)
        return []
