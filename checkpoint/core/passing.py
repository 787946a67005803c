"""Which required stations a truck has passed, by the one number that its track gives: its place along the line.

The law of this file: passing is no visit and no departure by itself, only a fact of the track. It is told of where the
truck was before the station and is beyond it on the same leg, also when it came back to the line beyond it after a shortcut.
Across a gap nothing is told: a phone that sleeps at a station is found beyond it when it wakes.
"""

from __future__ import annotations

from datetime import datetime
from math import inf

from checkpoint.core.episodes import Step, Watcher, cited
from checkpoint.core.fixes import Passed
from checkpoint.core.loop import Leg, Loop

_BEYOND_M = 1_000.0  # so far beyond its place on the line a station is passed
_MOST = 24


class Passing(Watcher):
    """Keeps the stations passed, the latest of them."""

    def __init__(self) -> None:
        self._leg: Leg | None = None
        self._next_m = inf
        self._next = ""
        self.passed: tuple[Passed, ...] = ()

    def step(self, step: Step, loop: Loop) -> None:
        """Told of each step in order."""
        if step.leg is None or step.leaped or step.excess_m > 0:
            return
        along = step.match.along_m
        if step.gap or step.leg != self._leg:
            self._leg = step.leg
            self._look_ahead(loop, along)
            return
        while along >= self._next_m:
            self.passed = (
                *self.passed[1 - _MOST :],
                Passed(station=self._next, leg=step.leg, at=step.fix.fixed_at, evidence=cited(step)),
            )
            self._look_ahead(loop, self._next_m - _BEYOND_M)

    def forget(self, before: datetime) -> None:
        """Let go of what was passed before an instant."""
        self.passed = tuple(p for p in self.passed if p.at >= before)

    def _look_ahead(self, loop: Loop, along_m: float) -> None:
        self._next_m, self._next = inf, ""
        assert self._leg is not None
        if not any(self._leg in station.required_on for station in loop.stations):
            return  # where the stations lie along a line is dear to find out
        for stop in loop.stops[self._leg]:
            if stop.along_m > along_m and self._leg in stop.station.required_on:
                self._next_m, self._next = stop.along_m + _BEYOND_M, stop.station.id
                return
