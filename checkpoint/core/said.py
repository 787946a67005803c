"""What the devices themselves say beside their positions: alarms that a terminal raises, regions that a phone crosses.

The law of this file: nothing is judged here, and nothing said here moves a finding about the truck's place. An alarm that
many fixes carry is one event, from its first fix to its last; the edge is made here, from the sorted track, so that order
and repetition do not show in it. Only the latest are kept: a bit that flickers must not grow a track.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from checkpoint.core.episodes import Step, Watcher
from checkpoint.core.facts import Cited
from checkpoint.core.fixes import Crossing, DeviceAlarm, Fix
from checkpoint.core.ways import FENCE_MARGIN_M, Ways

_MOST = 60  # crossings that are kept
_MOST_OF_ONE = 10  # alarms of one name that are over
_FLICKER_S = 120.0  # gone for less than this, it is the same alarm still
_GAP_S = 1_800.0  # ... and after a silence longer than this it is another


class Said(Watcher):
    """Keeps the alarms held and the crossings told, of all devices of a vehicle."""

    def __init__(self) -> None:
        self._held: tuple[DeviceAlarm, ...] = ()  # the latest of each device and name, over or not
        self._over: tuple[DeviceAlarm, ...] = ()
        self.crossings: tuple[Crossing, ...] = ()

    def step(self, fix: Fix, ways: Ways) -> None:
        """Told of every fix in order, also of those that are no place."""
        if fix.alarms or self._held:
            self._alarmed(fix)
        if fix.crossing:
            self._crossed(fix, ways)

    def placed(self, step: Step) -> None:
        """Told of the fixes that could be believed: how far off the line we find the truck while its device complains."""
        if self._held:
            off_m, device = round(step.match.off_m, 1), step.fix.device
            self._held = tuple(
                msgspec.structs.replace(a, farthest_m=max(a.farthest_m or 0.0, off_m))
                if a.until is None and a.device == device
                else a
                for a in self._held
            )

    def forget(self, before: datetime) -> None:
        """Let go of what was over, or was crossed, before an instant."""
        self._over = tuple(a for a in self._over if a.seen_until >= before)
        self._held = tuple(a for a in self._held if a.until is None or a.seen_until >= before)
        self.crossings = tuple(c for c in self.crossings if c.at >= before)

    def _alarmed(self, fix: Fix) -> None:
        kept, said = [], dict.fromkeys(fix.alarms)
        for alarm in self._held:
            if alarm.device != fix.device:
                kept.append(alarm)
                continue
            quiet_s = (fix.fixed_at - alarm.seen_until).total_seconds()
            if alarm.name in said and quiet_s <= (_GAP_S if alarm.until is None else _FLICKER_S):
                del said[alarm.name]
                kept.append(
                    msgspec.structs.replace(alarm, seen_until=fix.fixed_at, until=None, fixes_count=alarm.fixes_count + 1)
                )
            elif alarm.name in said or quiet_s > _FLICKER_S:
                self._ended(msgspec.structs.replace(alarm, until=alarm.seen_until))
            else:
                kept.append(msgspec.structs.replace(alarm, until=alarm.seen_until))
        kept += [_begun(name, fix) for name in said]
        self._held = tuple(kept)

    def _ended(self, alarm: DeviceAlarm) -> None:
        alike = [a for a in self._over if a.name == alarm.name]
        oldest = alike[0] if len(alike) >= _MOST_OF_ONE else None
        self._over = (*(a for a in self._over if a is not oldest), alarm)

    def _crossed(self, fix: Fix, ways: Ways) -> None:
        way, _, station = fix.crossing.partition(" ")
        if way not in ("enter", "leave"):
            return
        fence = next((f for f in ways.fences if f.station == station), None)
        outside_m = fence.outside_m((fix.lon, fix.lat)) if fence is not None and fix.stands_for_a_place else None
        crossing = Crossing(
            station=station,
            entered=way == "enter",
            at=fix.fixed_at,
            device=fix.device,
            outside_m=round(outside_m, 1) if outside_m is not None and outside_m <= FENCE_MARGIN_M else None,
        )
        self.crossings = (*self.crossings[1 - _MOST :], crossing)

    def alarms(self) -> tuple[DeviceAlarm, ...]:
        """Those that hold and the latest of those that are over, in order of time."""
        if not self._held and not self._over:
            return ()
        return tuple(sorted((*self._over, *self._held), key=lambda a: (a.since, a.name, a.device)))


def _begun(name: str, fix: Fix) -> DeviceAlarm:
    at: datetime = fix.fixed_at
    cited = Cited(what="fix", at=at, values={"lat": fix.lat, "lon": fix.lon, "accuracy_m": fix.accuracy_m})
    return DeviceAlarm(
        name=name, device=fix.device, since=at, seen_until=at, until=None, fixes_count=1, farthest_m=None, evidence=(cited,)
    )
