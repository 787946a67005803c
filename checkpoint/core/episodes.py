"""The kinds of episode a track can show, one small watcher each (two more in `rests.py` and `shift.py`). Every watcher is
told each step, in order, and says when an episode has closed; what is open can be asked for at any time.

The law of this file:

* One fix proves nothing. What is suspected at once is confirmed by several fixes over some time, and what began with a
  step no truck could make needs more of both.
* Nothing is claimed across a gap: a stretch without fixes is neither evidence for an episode nor against it.
* In doubt for the driver: an end is put at the last fix that shows the state, never later.
* Watchers hold only values that are never changed in place, so that a copy of one is a place to read on from.
"""

from __future__ import annotations

from datetime import datetime
from math import cos, radians, sin
from typing import Self

import msgspec

from checkpoint.core import geo
from checkpoint.core.facts import Cited
from checkpoint.core.fixes import Episode, Fix
from checkpoint.core.loop import Leg, Policy
from checkpoint.core.ways import Match

EVIDENCE_FIXES = 6
SLOW_KMH = 15.0  # at a station: slower than this a truck may turn and shunt
_FALL_M = 30.0
_PLAINLY = 0.7  # the cosine of half a right angle
Values = dict[str, str | int | float | bool | None]


class Step(msgspec.Struct, kw_only=True, gc=False):
    """One fix that could be believed, and what it means against the loop.

    `at_s` is its instant in seconds, `dt_s` the time since the believed fix before (0 for the first), `moved_m` the
    straight ground covered in it, `quiet_s` the longest in it that nothing at all was heard. `gap` says that `dt_s` is
    too long to claim anything across. `leaped` says that no truck like this one could have made the step. `match` is the
    place on the line of `leg` (on the likelier line while the leg is undecided). `excess_m` is how far outside the
    corridors of both lines it is once the fix's own accuracy is allowed for (negative: inside), `back_in` whether it is
    inside by the share that ends an excursion.
    """

    fix: Fix
    at_s: float
    dt_s: float
    quiet_s: float
    moved_m: float
    gap: bool
    leaped: bool
    speed_kmh: float
    accuracy_m: float
    scale: geo.LonLat
    leg: Leg | None
    match: Match
    excess_m: float
    back_in: bool
    station: str


def cited(step: Step) -> Cited:
    """A fix's values as evidence, that stand when the track has been thinned."""
    fix = step.fix
    values: Values = {"lat": fix.lat, "lon": fix.lon, "off_m": round(step.match.off_m, 1), "accuracy_m": fix.accuracy_m}
    return Cited(what="fix", at=fix.fixed_at, values=values)


class Watcher:
    """What all watchers share: they can be copied, and start from nothing."""

    def fork(self) -> Self:
        """A copy to read on from."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


class WrongWay(Watcher):
    """Going back along the line by more than `wrong_way_m`, seen in at least three fixes one after the other; in two when
    they show twice as much of it, and no more than the truck can have driven.

    Distance along the route is what counts, not distance to a goal, which is wrong at every roundabout. Only fixes inside
    the corridor count, or near it with a course that leads back, and none of a truck that is at a station, where trucks
    turn and shunt: one that drives through is not at it.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._leg: Leg | None = None
        self._peak: Step | None = None
        # The last fix that was still there, for all one can say: a truck may stand before it turns.
        self._left: Step | None = None
        self._lowest = self._fallen_to = 0.0
        self._falls = 0
        self._rises = 0
        self._confirmed: datetime | None = None
        self._evidence: tuple[Cited, ...] = ()
        self._turned: Step | None = None

    def step(self, step: Step) -> Episode | None:
        """Told of a step; the episode that has closed with it, or None."""
        along = step.match.along_m
        at_station = step.station and (step.speed_kmh < SLOW_KMH or step.excess_m > 0)
        if at_station or step.gap or step.leg is None or step.leg != self._leg or self._peak is None:
            closed = self._close(self._turned.fix.fixed_at if self._turned else None)
            self._restart(step)
            return closed
        if step.leaped or (step.excess_m > 0 and not self._faces_back(step)):
            return None
        if self._confirmed is None and along >= self._peak.match.along_m - max(_FALL_M, step.accuracy_m):
            self._left, self._evidence = step, ()
        if along < self._lowest:
            self._lowest, self._rises, self._turned = along, 0, step
            if along < self._fallen_to - _FALL_M:  # each fall must show by itself; standing jitters, and one fix may be thrown
                self._fallen_to, self._falls = along, self._falls + 1
                if self._confirmed is None:
                    self._evidence = (*self._evidence, cited(step))[-EVIDENCE_FIXES:]
        elif along > self._lowest + max(_FALL_M, step.accuracy_m):
            self._rises += 1
        if along >= self._peak.match.along_m or self._rises >= 2:
            closed = self._close(self._turned.fix.fixed_at if self._turned else None)
            self._restart(step)
            return closed
        if self._confirmed is None and self._falls >= 2 and not self._faces_ahead(step):
            back, peak, least = self._peak.match.along_m - self._lowest, self._peak, self._policy.wrong_way_m
            plain = back > 2 * least and back <= 1.5 * (step.at_s - peak.at_s) * max(step.speed_kmh, peak.speed_kmh) / 3.6
            if plain or (back > least and self._falls >= 3):
                self._confirmed = step.fix.fixed_at
        return None

    @staticmethod
    def _faces_ahead(step: Step) -> bool:
        """Plainly so: at a corner a course may lie between those of both streets."""
        course = step.fix.course_deg
        return course is not None and step.speed_kmh >= 10 and _facing(course, step.match) > _PLAINLY

    @staticmethod
    def _faces_back(step: Step) -> bool:
        """As plainly: then a fix counts that a receiver has thrown out of the corridor."""
        course = step.fix.course_deg
        return course is not None and step.speed_kmh >= 10 and _facing(course, step.match) < -_PLAINLY

    def _restart(self, step: Step) -> None:
        self._leg, self._peak, self._left = step.leg, step, step
        self._lowest = self._fallen_to = step.match.along_m
        self._falls = self._rises = 0
        self._turned, self._confirmed, self._evidence = None, None, ()

    def _close(self, until: datetime | None) -> Episode | None:
        return self._episode(until) if self._confirmed is not None else None

    def open(self) -> Episode | None:
        """The open episode: suspected once half the distance has been driven back."""
        if self._peak is None or self._falls < 2:
            return None
        if self._confirmed is None and self._peak.match.along_m - self._lowest < self._policy.wrong_way_m / 2:
            return None
        return self._episode(None)

    def _episode(self, until: datetime | None) -> Episode:
        peak, left = self._peak, self._left
        assert peak is not None
        assert left is not None
        return Episode(
            kind="wrong-way",
            since=left.fix.fixed_at,
            confirmed_at=self._confirmed,
            until=until,
            evidence=(cited(left), *self._evidence),
            values={
                "leg": self._leg,
                "along_m": round(peak.match.along_m, 1),
                "back_m": round(peak.match.along_m - self._lowest, 1),
            },
        )


def _facing(course_deg: float, match: Match) -> float:
    """Cosine of the angle between a course and the line's own direction."""
    return sin(radians(course_deg)) * match.east + cos(radians(course_deg)) * match.north


class Unknown(Watcher):
    """Fixes come, but too inaccurate (or called invalid by the device) to say where the truck is, for `unknown_s`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._since: datetime | None = None
        self._last: Fix | None = None
        self._count = 0
        self._confirmed: datetime | None = None
        self._evidence: tuple[Cited, ...] = ()

    def unusable(self, fix: Fix, gap: bool) -> Episode | None:
        """Told of a fix that says nothing."""
        closed = None
        if gap or self._since is None:
            closed = self.usable()
            self._since = fix.fixed_at
        self._count += 1
        self._last = fix
        if self._confirmed is None:
            self._evidence = (*self._evidence, _cited_unplaced(fix))[-EVIDENCE_FIXES:]
            if self._since is not None and (fix.fixed_at - self._since).total_seconds() >= self._policy.unknown_s:
                self._confirmed = fix.fixed_at
        return closed

    def usable(self) -> Episode | None:
        """Told that a fix could be believed; the episode that has closed, or None."""
        if self._since is None:
            return None
        closed = self._episode(self._last.fixed_at) if self._confirmed is not None and self._last is not None else None
        self._since, self._last, self._count, self._confirmed, self._evidence = None, None, 0, None, ()
        return closed

    @property
    def confirmed(self) -> bool:
        """Whether it has lasted long enough."""
        return self._confirmed is not None

    def open(self) -> Episode | None:
        """The open episode; one poor fix is not even a suspicion."""
        return self._episode(None) if self._since is not None and self._count > 1 else None

    def _episode(self, until: datetime | None) -> Episode:
        assert self._since is not None
        assert self._last is not None
        accuracy = self._last.accuracy_m if self._last.stands_for_a_place else None
        return Episode(
            kind="position-unknown",
            since=self._since,
            confirmed_at=self._confirmed,
            until=until,
            evidence=self._evidence,
            values={"fixes_count": self._count, "accuracy_m": accuracy},
        )


def _cited_unplaced(fix: Fix) -> Cited:
    values: Values = {"lat": fix.lat, "lon": fix.lon, "accuracy_m": fix.accuracy_m, "valid": fix.stands_for_a_place}
    return Cited(what="fix", at=fix.fixed_at, values=values)
