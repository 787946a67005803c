"""A shortcut that no fix shows: between two fixes the truck got farther along its line than it can have driven.

The law of this file: both fixes lie in the corridor, so that only the way between them was elsewhere. It is claimed when no
speed a truck is allowed would have sufficed, when the straight way between leaves the corridor, and when the fixes after go
on from the second: one fix matched to another part of the line is no proof. It is told as the excursion that it was, with
its end.
"""

from __future__ import annotations

from checkpoint.core.episodes import Step, Watcher, cited
from checkpoint.core.fixes import Episode
from checkpoint.core.ways import Ways

_SLACK_M = 300.0  # what places at both ends may err along the line, and a clock by some seconds
_FASTER = 1.25  # than the policy's highest speed nobody drives


class Shortcut(Watcher):
    """Progress without the way driven for it."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._ms = _FASTER * ways.loop.policy.max_speed_kmh / 3.6
        self._last: Step | None = None
        self._cut: tuple[Step, Step] | None = None
        self._off_m = 0.0
        self._count = 0

    def step(self, step: Step) -> Episode | None:
        """Told of a step; the shortcut that it proves, or None."""
        last = self._last
        if step.excess_m > 0 or step.leg is None or step.station or step.leaped:
            self._last, self._cut = None, None
            return None
        self._last = step
        if last is None or step.gap or last.leg != step.leg:
            self._cut = None
            return None
        gained = step.match.along_m - last.match.along_m
        if gained > self._ms * step.dt_s + _SLACK_M:
            self._cut, self._count = ((last, step) if self._left_between(last, step) else None), 1
        elif self._cut is not None:
            return self._proved(self._cut, step)
        return None

    def _left_between(self, before: Step, step: Step) -> bool:
        way = self._ways.legs[step.leg or "outbound"]
        middle = (before.fix.lon + step.fix.lon) / 2, (before.fix.lat + step.fix.lat) / 2
        match = way.match(middle, step.scale)
        self._off_m = match.off_m
        return match.off_m > match.half_m + max(before.accuracy_m, step.accuracy_m)

    def _proved(self, cut: tuple[Step, Step], step: Step) -> Episode | None:
        before, after = cut
        policy = self._ways.loop.policy
        if step.match.along_m < after.match.along_m - _SLACK_M:
            self._cut = None
            return None
        self._count += 1
        if self._count < policy.confirm_fixes or step.at_s - after.at_s < policy.confirm_s:
            return None
        self._cut = None
        return Episode(
            kind="off-loop",
            since=before.fix.fixed_at,
            confirmed_at=step.fix.fixed_at,
            until=after.fix.fixed_at,
            evidence=(cited(before), cited(after), cited(step)),
            values={
                "leg": after.leg,
                "along_m": round(before.match.along_m, 1),
                "farthest_m": round(self._off_m, 1),
                "decisive": False,
                "rejoined_along_m": round(after.match.along_m, 1),
                "driven_m": round(after.moved_m),
                "skipped_m": round(after.match.along_m - before.match.along_m),
            },
        )
