"""Positions of one vehicle -> one reading, whatever the order and however often they come.

The law of this file: the fixes are kept sorted, by their own instant and then by all else they say, and the reading is a
fold over that order. Folding waits until somebody asks, so that a thousand late fixes cost one reading. At every so many
fixes the follower is forked; a late fix takes the fold back to the fork before it. Old forks are thinned out: most late
fixes are not very late, and a track of days should not weigh much.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime

from checkpoint.core.fixes import Episode, Fix, TrackReading, TrackVisit
from checkpoint.core.follow import Follower
from checkpoint.core.loop import Loop
from checkpoint.core.ways import ways_of

__all__ = ["Episode", "Fix", "Track", "TrackReading", "TrackVisit"]

_FORK_EVERY = 64
_OLD_FORK_EVERY = 1024
_YOUNG_FORKS = 32

_Key = tuple[datetime, str, float, float]


class Track:
    """Reads fixes as they come; late ones make it read again from before them. The same fixes in any order and any
    number of copies give the same reading."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._keys: list[_Key] = []
        self._fixes: list[Fix] = []
        self._follower = Follower(ways_of(loop))
        self._folded = 0  # how many of the sorted fixes the follower has been told
        self._forks: list[tuple[int, Follower]] = [(0, self._follower.fork())]
        self._reading: TrackReading | None = None

    def __len__(self) -> int:
        return len(self._fixes)

    def add(self, fix: Fix) -> bool:
        """Take a fix in; False when it was here already (same device and instant and place).

        Of two copies that differ in what else they say, the same one is kept whichever came first.
        """
        key = (fix.fixed_at, fix.device, fix.lat, fix.lon)
        keys = self._keys
        if not keys or key > keys[-1]:
            keys.append(key)
            self._fixes.append(fix)
            self._reading = None
            return True
        i = bisect_left(keys, key)
        if keys[i] == key:
            if _rest_of(fix) > _rest_of(self._fixes[i]):
                self._fixes[i] = fix
                self._back_to(i)
            return False
        keys.insert(i, key)
        self._fixes.insert(i, fix)
        self._back_to(i)
        return True

    def _back_to(self, index: int) -> None:
        self._reading = None
        if index >= self._folded:
            return
        while self._forks[-1][0] > index:
            self._forks.pop()
        self._folded, follower = self._forks[-1]
        self._follower = follower.fork()

    def reading(self) -> TrackReading:
        """What the fixes so far say."""
        if self._reading is None:
            fixes, follower = self._fixes, self._follower
            for i in range(self._folded, len(fixes)):
                if i % _FORK_EVERY == 0 and i > self._forks[-1][0]:
                    self._keep_fork(i, follower.fork())
                follower.step(fixes[i])
            self._folded = len(fixes)
            self._reading = follower.reading()
        return self._reading

    def _keep_fork(self, index: int, follower: Follower) -> None:
        self._forks.append((index, follower))
        old = len(self._forks) - _YOUNG_FORKS
        if old > 0 and self._forks[old][0] % _OLD_FORK_EVERY:
            del self._forks[old]


def _rest_of(fix: Fix) -> tuple[tuple[tuple[bool, float], ...], tuple[str, ...], str]:
    """What two copies of a fix can still differ in, comparable when things are missing."""
    said = (fix.accuracy_m, fix.speed_kmh, fix.course_deg, fix.altitude_m, float(fix.valid), float(fix.encrypted))
    return tuple((value is not None, value or 0.0) for value in said), fix.alarms, fix.crossing
