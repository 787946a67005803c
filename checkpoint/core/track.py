"""Positions of one vehicle -> one reading, whatever the order and however often they come.

The law of this file: the reading is a fold over the fixes in the order of their own instant, and then of all else they say.
Folding waits until somebody asks, so that a thousand late fixes cost one reading. On the way the follower is forked; a late
fix takes the fold back to the fork before it. The older, the fewer the forks: going back costs in proportion to how late a
fix is, and a track of days weighs little more than one of an hour.

A track over a store holds the newest fixes only and asks for older ones when it has to go back; what it is told of lies in
the store already. What ended longer than `span` ago leaves its reading, and a fix from before that is not read any more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from checkpoint.core.fixes import Episode, Fix, TrackReading, TrackVisit
from checkpoint.core.follow import Follower
from checkpoint.core.loop import Loop
from checkpoint.core.ways import ways_of

__all__ = ["Episode", "Fix", "Track", "TrackReading", "TrackVisit"]

_FORK_EVERY = 64
# A fork that stands at a multiple of 2^n times so many fixes is dropped when it lies further back than this times as many.
_FORKS_EACH = 3
# How many fixes a track over a store holds beside those that are to be read.
_HELD = 64
_MICROSECOND = timedelta(microseconds=1)

_Key = tuple[datetime, str, float, float]
# The fixes from one instant on and before another (None: from the first, to the last), in any order.
Stored = Callable[[datetime | None, datetime | None], Iterable[Fix]]
# Followers of the same track up to earlier fixes, the earliest first.
Recall = Callable[[], list[Follower]]


class Track:
    """Reads fixes as they come; late ones make it read again from before them. The same fixes in any order and any
    number of copies give the same reading."""

    def __init__(self, loop: Loop, stored: Stored | None = None, span: timedelta | None = None) -> None:
        self.loop = loop
        self._stored, self._span = stored, span
        self._since: datetime | None = None
        # In order: all of them, or over a store those after `_floor`. `_told` of them the follower knows.
        self._fixes: list[Fix] = []
        self._told = 0
        self._floor: _Key | None = None
        self._unread = stored is not None
        self._follower = Follower(ways_of(loop))
        self._forks: list[Follower] = [self._follower.fork()]
        self._recall: Recall = list
        self._reading: TrackReading | None = None

    @classmethod
    def over(cls, loop: Loop, stored: Stored, since: datetime, span: timedelta) -> Track:
        """A track over a store, read from an instant on when it is first asked."""
        track = cls(loop, stored, span)
        track._since = since
        return track

    @classmethod
    def resumed(cls, stored: Stored, span: timedelta, follower: Follower, recall: Recall) -> Track:
        """A track over a store that was read up to some fix before; `recall` brings what was kept of it from before that."""
        assert follower.last is not None
        track = cls(follower.ways.loop, stored, span)
        track._unread, track._floor = False, _key(follower.last)
        track._follower, track._forks, track._recall = follower, [follower.fork()], recall
        return track

    def __len__(self) -> int:
        return self._follower.count + len(self._fixes) - self._told

    def put_by(self, since: datetime) -> tuple[Follower, list[Follower]]:
        """All that is worth keeping of a track that was just read: the follower as it stands, and the forks before it whose
        last fix is from an instant or later."""
        self._forks, self._recall = [*self._recall(), *self._forks], list
        count = self._follower.count
        return self._follower, [f for f in self._forks if f.count < count and f.last is not None and f.last.fixed_at >= since]

    def add(self, fix: Fix) -> bool:
        """Take a fix in; False when it was here already (same device and instant and place).

        Of two copies that differ in what else they say, the same one is kept whichever came first.
        """
        if self._unread:
            return True  # it will be read with all others
        fixes = self._fixes
        if fixes and fix.fixed_at > fixes[-1].fixed_at:
            fixes.append(fix)
            self._reading = None
            return True
        key = _key(fix)
        if self._floor is not None and key <= self._floor:
            return self._back_to(key)
        i = bisect_left(fixes, key, key=_key)
        if i < len(fixes) and _key(fixes[i]) == key:
            if _rest_of(fix) > _rest_of(fixes[i]):
                self._back_to(key)
                fixes[i] = fix
            return False
        if i < len(fixes):
            self._back_to(key)
        fixes.insert(i, fix)
        self._reading = None
        return True

    def _back_to(self, key: _Key) -> bool:
        """Read on from before a fix, if it was read already. False when that is further back than the track goes."""
        last = self._follower.last
        if last is None or _key(last) < key:
            return True
        if self._before(key) is None:
            self._forks, self._recall = [*self._recall(), *self._forks], list
        before = self._before(key)
        if before is None:
            if self._span is not None and key[0] < last.fixed_at - self._span:
                return False
            if self._span is not None:
                self._since = last.fixed_at - self._span
            self._forks, before = [Follower(self._follower.ways)], 0
        del self._forks[before + 1 :]
        self._follower = self._forks[-1].fork()
        self._reading = None
        place = self._follower.last
        self._told = 0 if place is None else bisect_right(self._fixes, _key(place), key=_key)
        return True

    def _before(self, key: _Key) -> int | None:
        """Which fork is the last that was not told of a fix."""
        for i in range(len(self._forks) - 1, -1, -1):
            last = self._forks[i].last
            if last is None or _key(last) < key:
                return i
        return None

    def reading(self) -> TrackReading:
        """What the fixes so far say."""
        if self._reading is None:
            self._fetch()
            fixes, follower = self._fixes, self._follower
            for i in range(self._told, len(fixes)):
                if follower.count % _FORK_EVERY == 0 and follower.count > self._forks[-1].count:
                    self._fork(follower)
                follower.step(fixes[i])
            self._told = len(fixes)
            self._reading = follower.reading()
            if self._stored is not None and len(fixes) > 2 * _HELD:
                self._floor = _key(fixes[-_HELD - 1])
                del fixes[:-_HELD]
                self._told = _HELD
        return self._reading

    def _fetch(self) -> None:
        """Get what lies between the follower and the fixes that are held."""
        if self._stored is None:
            return
        last, floor = self._follower.last, self._floor
        here = _key(last) if last is not None else None
        if not self._unread and (floor is None or (here is not None and here >= floor)):
            return
        since = here[0] if here is not None else self._since
        found = self._stored(since, floor[0] + _MICROSECOND if floor is not None else None)
        wanted = [f for f in found if (here is None or _key(f) > here) and (floor is None or _key(f) <= floor)]
        wanted.sort(key=_key)  # a database may sort names in another way than we do
        self._fixes[:0] = wanted
        self._floor, self._told, self._unread = here, 0, False

    def _fork(self, follower: Follower) -> None:
        newest = follower.count
        kept = [f for f in self._forks if newest - f.count <= _FORKS_EACH * (f.count & -f.count) or not f.count]
        if self._span is not None and follower.last is not None:
            horizon = follower.last.fixed_at - self._span
            follower.forget(horizon)
            while len(kept) > 1 and (last := kept[1].last) is not None and last.fixed_at < horizon:
                del kept[0]
        self._forks = [*kept, follower.fork()]


def _key(fix: Fix) -> _Key:
    return fix.fixed_at, fix.device, fix.lat, fix.lon


def _rest_of(fix: Fix) -> tuple[tuple[tuple[bool, float], ...], tuple[str, ...], str, str]:
    """What two copies of a fix can still differ in, comparable when things are missing."""
    said = (fix.accuracy_m, fix.speed_kmh, fix.course_deg, fix.altitude_m, float(fix.valid), float(fix.encrypted))
    return tuple((value is not None, value or 0.0) for value in said), fix.alarms, fix.crossing, fix.mended
