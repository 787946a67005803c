"""A driver's call for help, sent by the truck's terminal: alarm bit 0, `emergency`.

The law of this file: the bit is held, the call is one. It is made at the first fix that carries the bit after one that does not
(or after half an hour without any), by the order of the track and not of arrival, under an id made from that fix: a repeat, a
resend hours later and another process make the same call. A fix that turns out to stand before one that has called is the same
call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from checkpoint.core.facts import Fact, HelpCalled, digest_id
from checkpoint.core.fixes import Fix
from checkpoint.intake import Intake
from checkpoint.store import Store

EMERGENCY = "emergency"
ANOTHER_AFTER = timedelta(minutes=30)
FLICKER = timedelta(minutes=2)  # gone for no longer than this, it is the same call still
MOST_REMEMBERED = 10_000


class Calls:
    """Finds calls in what terminals send. On one thread."""

    def __init__(self, store: Store, intake: Intake, now: Callable[[], datetime]) -> None:
        self._store, self._intake, self._now = store, intake, now
        # Device -> its last fix with the bit, for the time when there is no room for fixes and the track cannot tell.
        self._held: dict[str, datetime] = {}

    def hear(self, fixes: Sequence[Fix]) -> None:
        """Make what calls there are in fixes of one device: after they are held, or when there is no room for them."""
        for fix in sorted((f for f in fixes if EMERGENCY in f.alarms), key=lambda f: f.fixed_at):
            vehicle = self._intake.vehicle_of(fix.device, fix.fixed_at)
            if vehicle is None:
                continue
            if self._begins(vehicle, fix):
                self._call(vehicle, fix.device, min(fix.fixed_at, self._now()), fix.fixed_at.isoformat())
            if len(self._held) >= MOST_REMEMBERED:
                self._held.clear()
            self._held[fix.device] = max(fix.fixed_at, self._held.get(fix.device, fix.fixed_at))

    def hear_without_place(self, device: str, received: bytes) -> None:
        """The bit in a message that has no place or no time that could be used: nobody waits for a better one."""
        now = self._now()
        vehicle = self._intake.vehicle_of(device, now)
        held = self._held.get(device)
        if vehicle is not None and (held is None or now - held > ANOTHER_AFTER):
            self._call(vehicle, device, now, received.hex())
            self._held[device] = now

    def _begins(self, vehicle: str, fix: Fix) -> bool:
        before, after = self._store.positions_around(vehicle, fix.device, fix.fixed_at)
        held = self._held.get(fix.device)
        since = fix.fixed_at - held if held is not None else ANOTHER_AFTER * 2
        seen_last = before is None or (held is not None and before.fixed_at <= held)  # whether or not there was room for it
        if timedelta() < since <= (ANOTHER_AFTER if seen_last else FLICKER):
            return False
        if before is not None and EMERGENCY in before.alarms and fix.fixed_at - before.fixed_at <= ANOTHER_AFTER:
            return False
        return after is None or EMERGENCY not in after.alarms or after.fixed_at - fix.fixed_at > ANOTHER_AFTER

    def _call(self, vehicle: str, device: str, at: datetime, name: str) -> None:
        id_ = digest_id("sos", device, name)
        if self._store.fact(id_) is None:
            what = HelpCalled(person="", vehicle=vehicle, words="SOS")
            self._intake.record(Fact(id=id_, at=at, witness=f"phone:{digest_id('device', device)[:12]}", what=what))
