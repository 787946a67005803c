"""A driver's call for help, sent by the truck's terminal: alarm bit 0, `emergency`.

The law of this file: the bit is held, the call is one. It is made at the first fix that carries the bit after one that does not
(or after half an hour without any), by the order of the track and not of arrival, under an id made from that fix: a repeat, a
resend hours later and another process make the same call. A fix that turns out to stand before one that has called is the same
call. What stands in a call's way in a message (no place, no date that can be) costs the place, never the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from checkpoint.core.declared import ODD_TIMES
from checkpoint.core.facts import Fact, HelpCalled, digest_id
from checkpoint.core.fixes import Fix
from checkpoint.intake import Intake
from checkpoint.store import Store

EMERGENCY = "emergency"
ANOTHER_AFTER = timedelta(minutes=30)
FLICKER = timedelta(minutes=2)  # gone for no longer than this, it is the same call still
MOST_REMEMBERED = 10_000
# A bit that is stuck goes back for ever; so many fixes are looked at for the one that called.
MOST_LOOKED_AT = 2_000


class _Held(NamedTuple):
    """From when to when, by its fixes, a device held the bit in a call that was made."""

    first_at: datetime
    last_at: datetime


class Calls:
    """Finds calls in what terminals send. On one thread."""

    def __init__(self, store: Store, intake: Intake, now: Callable[[], datetime]) -> None:
        self._store, self._intake, self._now = store, intake, now
        self._held: dict[str, _Held] = {}
        # Device -> when the bit last came, by our clock.
        self._heard: dict[str, datetime] = {}

    def hear(self, fixes: Sequence[Fix]) -> None:
        """Make what calls there are in fixes of one device: after they are held, or when there is no room for them."""
        now = self._now()
        for sent in sorted((f for f in fixes if EMERGENCY in f.alarms), key=lambda f: f.fixed_at):
            found = self._intake.whose(sent, now)
            if isinstance(found, str):
                if found in ODD_TIMES:
                    self.hear_without_place(sent.device, msgspec.json.encode(sent))
                continue
            vehicle, fix = found
            held = self._held.get(fix.device)
            if self._begins(vehicle, fix, held):
                self._call(vehicle, fix.device, min(fix.fixed_at, now), fix.fixed_at.isoformat())
                held = None
            self._remember(fix.device, held, fix.fixed_at, now)

    def hear_without_place(self, device: str, received: bytes) -> None:
        """The bit in a message that has no place or no time that could be used: nobody waits for a better one."""
        now = self._now()
        vehicle = self._intake.vehicle_of(device, now)
        if vehicle is None:
            return
        heard = self._heard.get(device)
        before, _ = self._store.positions_around(vehicle, device, now)
        held = before is not None and EMERGENCY in before.alarms and now - before.fixed_at <= ANOTHER_AFTER
        if not held and (heard is None or now - heard > ANOTHER_AFTER):
            self._call(vehicle, device, now, received.hex())
        self._remember(device, None, None, now)

    def _remember(self, device: str, held: _Held | None, at: datetime | None, now: datetime) -> None:
        for memory in (self._held, self._heard):
            if len(memory) >= MOST_REMEMBERED:
                memory.clear()
        self._heard[device] = now
        if at is not None:
            self._held[device] = _Held(min(at, held.first_at), max(at, held.last_at)) if held is not None else _Held(at, at)

    def _begins(self, vehicle: str, fix: Fix, held: _Held | None) -> bool:
        at = fix.fixed_at
        before, after = self._store.positions_around(vehicle, fix.device, at)
        if held is not None:
            seen_last = before is None or before.fixed_at <= held.last_at  # whether or not there was room for it
            if held.first_at <= at <= held.last_at + (ANOTHER_AFTER if seen_last else FLICKER):
                return False
        if self._called(fix.device, at):
            return False
        # Neighbours that carry the bit are the same call if one of them has made it: they may have come with this fix.
        for side, near in enumerate((before, after)):
            here = at
            for _ in range(MOST_LOOKED_AT):
                if near is None or EMERGENCY not in near.alarms or abs(near.fixed_at - here) > ANOTHER_AFTER:
                    break
                here = near.fixed_at
                if (held is not None and held.first_at <= here <= held.last_at) or self._called(fix.device, here):
                    return False
                near = self._store.positions_around(vehicle, fix.device, here)[side]
        return True

    def _called(self, device: str, at: datetime) -> bool:
        return self._store.fact(_name(device, at.isoformat())) is not None

    def _call(self, vehicle: str, device: str, at: datetime, name: str) -> None:
        id_ = _name(device, name)
        if self._store.fact(id_) is None:
            what = HelpCalled(person="", vehicle=vehicle, words="SOS")
            self._intake.record(Fact(id=id_, at=at, witness=f"phone:{digest_id('device', device)[:12]}", what=what))


def _name(device: str, name: str) -> str:
    return digest_id("sos", device, name)
