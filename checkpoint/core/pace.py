"""How long a stretch of line takes: by the plan, and as this truck has driven of late.

The law of this file: the plan's time is one number along the line, cruising outside towns and slower in them; a truck's
pace is how many times the plan's time it has needed. What is read off a track fades, and nothing is kept across a gap.
"""

from __future__ import annotations

from bisect import bisect_right
from math import exp

from checkpoint.core.episodes import Step, Watcher
from checkpoint.core.loop import Leg, Line, Loop, Policy

_FADING_S = 3_600.0  # planned seconds after which what was driven counts for a third
_LEAST_S, _LEAST_M = 60.0, 300.0  # shorter stretches are mostly noise
_MOST_TIMES = 4.0  # a stretch that took longer than this had a stop in it


class Plan:
    """One line of a loop with its planned time."""

    def __init__(self, line: Line, policy: Policy) -> None:
        cruise, town = max(policy.cruise_kmh, 1.0) / 3.6, max(policy.town_kmh, 1.0) / 3.6
        # A town's sections were given the town's half-width when the document was read.
        towns = [(s.from_m, s.half_width_m <= policy.town_half_width_m) for s in line.sections]
        self._starts = [0.0, *(start for start, _ in towns)]
        self._speeds = [cruise, *(min(town, cruise) if narrow else cruise for _, narrow in towns)]
        self._times = [0.0]
        for i in range(1, len(self._starts)):
            self._times.append(self._times[-1] + (self._starts[i] - self._starts[i - 1]) / self._speeds[i - 1])

    def at_s(self, along_m: float) -> float:
        """Planned seconds from the line's beginning to a place on it."""
        i = bisect_right(self._starts, along_m) - 1 if along_m > 0 else 0
        return self._times[i] + (along_m - self._starts[i]) / self._speeds[i]

    def between_s(self, from_m: float, to_m: float) -> float:
        """Planned seconds from one place on the line to another; negative backwards."""
        return self.at_s(to_m) - self.at_s(from_m)


_ready: dict[int, tuple[Loop, dict[Leg, Plan]]] = {}


def plan_of(loop: Loop, leg: Leg) -> Plan:
    """A leg's plan; made once for a few recent loops, since every truck on a loop shares it."""
    found = _ready.get(id(loop))
    if found is None or found[0] is not loop:
        plans: dict[Leg, Plan] = {
            "outbound": Plan(loop.outbound, loop.policy),
            "inbound": Plan(loop.inbound, loop.policy),
        }
        found = loop, plans
        while len(_ready) >= 16:
            _ready.pop(next(iter(_ready)), None)
        _ready[id(loop)] = found
    return found[1][leg]


class Pace(Watcher):
    """How many times the planned time a truck has needed of late, and on how much driving that rests."""

    def __init__(self) -> None:
        self._mark: Step | None = None
        self._planned_s = self._driven_s = 0.0

    def step(self, step: Step, loop: Loop) -> None:
        """Told of each step in order."""
        mark = self._mark
        if step.leg is None or step.gap or step.leaped or step.excess_m > 0 or mark is None or mark.leg != step.leg:
            self._mark = None if step.leg is None or step.leaped or step.excess_m > 0 else step
            return
        if step.at_s - mark.at_s < _LEAST_S or -_LEAST_M < step.match.along_m - mark.match.along_m < _LEAST_M:
            return
        self._mark = step
        planned_s = plan_of(loop, step.leg).between_s(mark.match.along_m, step.match.along_m)
        if planned_s <= 0:
            return
        # A stop in between is told of by itself; the rest of the stretch was driven.
        driven_s = min(step.at_s - mark.at_s, _MOST_TIMES * planned_s)
        fading = exp(-planned_s / _FADING_S)
        self._planned_s = self._planned_s * fading + planned_s
        self._driven_s = self._driven_s * fading + driven_s

    @property
    def times(self) -> float:
        """How many times the planned time; 1 while nothing is known."""
        return self._driven_s / self._planned_s if self._planned_s > 0 else 1.0

    @property
    def seen_s(self) -> float:
        """The driving this rests on, in planned seconds, older ones counting less."""
        return self._planned_s
