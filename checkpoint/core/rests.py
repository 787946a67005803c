"""Standing and driving: since when the truck rests, how long it has been driven without a lawful break, and stops.

The law of this file: a stop is held against a driver only as far as fixes show it; a break counts in the driver's favour
for as long as it can have lasted. A phone at rest goes silent by design, so a truck found in the same place before and
after a silence has rested in between.
"""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import Self

from checkpoint.core import geo
from checkpoint.core.episodes import Step, Values, cited
from checkpoint.core.fixes import Episode
from checkpoint.core.loop import Policy

_RADIUS_M = 50.0  # staying within this, and the fix's own accuracy, is standing
_SETTLED_S = 60.0  # without a reported speed, standing is believed after this
_STRAY_M = 300.0  # fixes this near a standing truck that do not drive may be the receiver's fault
_STRAY_S = 100.0  # ... for so long
_JITTER_KMH = 15.0  # what a receiver at rest may report; faster than this the truck moves
_FAST_MS = 25.0  # what a truck may have driven at in a gap: the least time at the wheel is distance over this


class Rest:
    """Told of each step in order; keeps the rest under way, the driving since the last break, and the stop it makes."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._anchor: Step | None = None
        self._around: geo.LonLat = (0.0, 0.0)  # where it stands: the anchor's place, or where standing was believed
        self._last: Step | None = None
        self._standing_at: datetime | None = None
        self._stray: Step | None = None
        self._station = False
        self._driving_since: datetime | None = None
        self._driven_s = 0.0
        self._driven_at_anchor_s = 0.0

    def fork(self) -> Self:
        """A copy to read on from."""
        return copy(self)

    @property
    def standing(self) -> bool:
        """Whether the truck stands, as of the last fix."""
        return self._standing_at is not None

    @property
    def at_rest_since(self) -> datetime | None:
        """When the rest under way began."""
        return self._anchor.fix.fixed_at if self._anchor is not None and self._standing_at is not None else None

    @property
    def _rested(self) -> bool:
        """Whether the rest under way is a break of lawful length already."""
        if self._anchor is None or self._last is None or self._standing_at is None:
            return False
        return self._last.at_s - self._anchor.at_s >= self._policy.break_s

    @property
    def driving_since(self) -> datetime | None:
        """Start of the driving that no break of lawful length has interrupted; None after one, until it drives on."""
        return None if self._rested else self._driving_since

    @property
    def driven_s(self) -> float:
        """Seconds at the wheel since then."""
        return 0.0 if self._rested else self._driven_s

    def step(self, step: Step) -> Episode | None:
        """Told of a step; the stop that has ended with it and lasted `stop_s`, or None."""
        anchor, last = self._anchor, self._last
        if anchor is None or last is None:
            self._settle(step)
            return None
        reported = step.fix.speed_kmh
        away = geo.apart_m(self._around, (step.fix.lon, step.fix.lat), step.scale)
        if away <= _RADIUS_M + min(step.accuracy_m, 50.0) and (reported is None or reported <= _JITTER_KMH):
            self._stay(step, anchor)
            return None
        if self.standing and away <= _STRAY_M and (reported is None or reported <= _JITTER_KMH):
            self._stray = self._stray or step
            if step.at_s - self._stray.at_s < _STRAY_S:
                return None
        return self._leave(step, anchor, last)

    def _settle(self, step: Step) -> None:
        self._anchor = self._last = step
        self._around = step.fix.lon, step.fix.lat
        self._stray = None
        self._station = bool(step.station)
        self._driven_at_anchor_s = self._driven_s
        still = step.fix.speed_kmh is not None and step.fix.speed_kmh < 2
        self._standing_at = step.fix.fixed_at if still else None

    def _stay(self, step: Step, anchor: Step) -> None:
        self._last, self._stray = step, None
        self._station = self._station or bool(step.station)
        if self._standing_at is None:
            if step.at_s - anchor.at_s < _SETTLED_S and (step.fix.speed_kmh is None or step.fix.speed_kmh >= 2):
                if self._driving_since is not None:
                    self._driven_s += step.dt_s
                return
            self._standing_at = step.fix.fixed_at
            if step.fix.speed_kmh is None:  # the anchor may be a place that the truck still drove through: noise would leave it
                self._around = step.fix.lon, step.fix.lat
            self._driven_s = self._driven_at_anchor_s  # what looked like crawling was the beginning of the rest

    def _leave(self, step: Step, anchor: Step, last: Step) -> Episode | None:
        closed, standing = None, self.standing
        wheel_s = step.at_s - last.at_s
        least_s = min(wheel_s, step.moved_m / _FAST_MS)
        if standing and not self._station and last.at_s - anchor.at_s >= self._policy.stop_s:
            closed = self._episode(last.fix.fixed_at)
        # The longest that the pause before this step can have been.
        pause_s = (step.at_s - anchor.at_s if standing else wheel_s) - (least_s if step.gap or standing else wheel_s)
        if pause_s >= self._policy.break_s:
            self._driving_since, self._driven_s = step.fix.fixed_at, 0.0
        else:
            if self._driving_since is None:
                self._driving_since = last.fix.fixed_at
            self._driven_s += least_s if step.gap or standing else wheel_s
        self._settle(step)
        return closed

    def open(self) -> Episode | None:
        """The stop under way away from stations, from its first fix on."""
        if self._anchor is None or self._standing_at is None or self._station:
            return None
        return self._episode(None)

    def _episode(self, until: datetime | None) -> Episode:
        anchor, last = self._anchor, self._last
        assert anchor is not None
        assert last is not None
        evidence = (cited(anchor),) if last is anchor else (cited(anchor), cited(last))
        values: Values = {
            "lat": anchor.fix.lat,
            "lon": anchor.fix.lon,
            "leg": anchor.leg,
            "along_m": round(anchor.match.along_m, 1),
            "driven_s": round(self._driven_at_anchor_s),
            "seen_until": last.fix.fixed_at.isoformat(),
        }
        return Episode(
            kind="unscheduled-stop",
            since=anchor.fix.fixed_at,
            confirmed_at=self._standing_at,
            until=until,
            evidence=evidence,
            values=values,
        )
