"""What devices send: laid to vehicles, put right by what was declared, set aside where nobody can use it; their clocks noticed.

The law of this file: each fix is taken for itself, by what was bound and declared of its device; it is durable when we return.
What cannot be true is kept as it came, with why, until somebody says what to make of it: then it is taken in like any other.
A device of ours is never refused for what it sent: what waits behind it, in a queue that is emptied from its head, would wait for
ever. Bounds are for numbers that nobody bound.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite

import msgspec

from checkpoint.bindings import OWN_NAMES, Bindings, Bound
from checkpoint.core import declared
from checkpoint.core.declared import AS_SENT, TOLERANCE, Declared
from checkpoint.core.fixes import Fix
from checkpoint.store import WITHDRAWN, Store, Stranger

MOST_UNUSABLE = 100
# Devices whose clocks are remembered; an offset is noticed anew within minutes.
MOST_CLOCKS = 20_000


class FixesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of fixes, counted. `strange` are kept apart, for `refused` there was no room: try again later."""

    new: int = 0
    repeated: int = 0
    strange: int = 0
    refused: int = 0


class Hearing:
    """Takes in what devices send. From any thread."""

    def __init__(
        self, store: Store, now: Callable[[], datetime], noticed: Callable[[Iterable[str]], None], bindings: Bindings
    ) -> None:
        self._store = store
        self._now = now
        self._noticed = noticed
        self._bindings = bindings
        self._offsets: OrderedDict[str, declared.Offset] = OrderedDict()
        self._offsets_lock = threading.Lock()

    def take(self, fixes: Sequence[Fix]) -> FixesTaken:
        """Take in fixes of devices, each laid to the vehicle its device was bound to at that time. Raises `StorageFull`."""
        self._store.headroom.ask("positions")
        revision = self._bindings.revision()
        known: list[tuple[str, Fix]] = []
        strange: list[tuple[Fix, str]] = []
        bound = {device: self._bindings.of(device) for device in {fix.device for fix in fixes}}
        ways, now = self._store.registry.declared(bound), self._now()
        ours = {device for device, of in bound.items() if of.ever or device.startswith(OWN_NAMES)}
        unusable = refused = 0
        for fix in fixes:
            if why := _unusable(fix):
                taken = self.keep_aside(fix.device, msgspec.json.encode(fix), why) or fix.device in ours
                unusable, refused = unusable + taken, refused + (not taken)
                continue
            found = _whose(fix, bound[fix.device], ways.get(fix.device, AS_SENT), now)
            if isinstance(found, str):
                strange.append((fix, found))
            else:
                known.append(found)
        new = self._store.add_positions(known) if known else []
        kept = self._store.add_strangers(strange, ours) if strange else []
        if self._bindings.revision() != revision:
            for device in bound:
                if self._bindings.of(device) != bound[device]:
                    self.settle(device)  # it was bound while we read: whoever bound it has settled what was there then
        self._hear_clocks(fixes, bound, now)
        self._noticed({vehicle for (vehicle, _), fresh in zip(known, new, strict=True) if fresh})
        return FixesTaken(
            new=sum(new),
            repeated=len(new) - sum(new),
            strange=sum(kept) + unusable,
            refused=len(kept) - sum(kept) + refused,
        )

    def whose(self, fix: Fix, received_at: datetime) -> tuple[str, Fix] | str:
        """The vehicle that a fix as it was sent belongs to, and the fix as it is kept; a text: why it is nobody's."""
        said = self._store.registry.declared((fix.device,)).get(fix.device, AS_SENT)
        return _whose(fix, self._bindings.of(fix.device), said, received_at)

    def keep_aside(self, device: str, received: bytes, why: str, detail: str = "") -> bool:
        """Set aside what a device sent and nobody can use. False when it has sent too much, and it is only counted: a broken one
        sends for ever, and what it sent first is enough to see what it does."""
        source = f"device:{device}"
        if len(self._store.aside(MOST_UNUSABLE, source=source)) >= MOST_UNUSABLE:
            self._store.tally.took_fixes("unusable", 1)
            return False
        self._store.set_aside(source, received, why, detail)
        return True

    def declare(self, device: str, said: Declared) -> int:
        """What a coordinator says of a device's datum and clock counts from the next fix on; what waited for it is taken in.
        Returns how many fixes that were."""
        self._store.registry.declare(device, said)
        return self.adopt(device)

    def settle(self, device: str) -> None:
        """Lay all that a device ever sent to the vehicles it reported for by what is said now, whatever was said before."""
        bound: Bound | None = None
        while bound != (bound := self._bindings.of(device)):  # until nothing was said meanwhile
            for vehicle, since, until in self._bindings.astray(device):
                self._store.withdraw(vehicle, device, since, until)
            self.adopt(device)

    def adopt(self, device: str) -> int:
        """Lay what waits of a device to the vehicles it reported for, as far as that is known now."""
        bound, said = self._bindings.of(device), self._store.registry.declared((device,)).get(device, AS_SENT)

        def whose(waits: Stranger) -> tuple[str, Fix] | None:
            if waits.why == WITHDRAWN:  # put right once, by what was declared then
                vehicle = bound.vehicle(waits.fix.fixed_at)
                return (vehicle, waits.fix) if vehicle is not None else None
            found = _whose(waits.fix, bound, said, waits.received_at)
            return None if isinstance(found, str) else found

        return self._store.adopt(device, whose)

    def _hear_clocks(self, fixes: Sequence[Fix], bound: Mapping[str, Bound], now: datetime) -> None:
        """Notice a clock that keeps its distance from ours, and keep what was noticed when it changes."""
        newest: dict[str, datetime] = {}
        for fix in fixes:
            if fix.fixed_at.tzinfo is not None and bound[fix.device].ever:
                newest[fix.device] = max(fix.fixed_at, newest.get(fix.device, fix.fixed_at))
        for device, at in newest.items():
            with self._offsets_lock:
                before = self._offsets.pop(device, None)
                offset = self._offsets[device] = declared.heard(before, at, now)
                if len(self._offsets) > MOST_CLOCKS:
                    self._offsets.popitem(last=False)
            steady_s = offset.steady_s
            if steady_s is None or (before is not None and before.steady_s == steady_s):
                continue
            seen_s = self._store.registry.ways_of(device).seen_clock_s
            if (steady_s or seen_s) and (seen_s is None or abs(seen_s - steady_s) > TOLERANCE.total_seconds()):
                self._store.registry.clock_seen(device, steady_s)


def _whose(fix: Fix, bound: Bound, said: Declared, received_at: datetime) -> tuple[str, Fix] | str:
    """The vehicle that a fix belongs to and the fix as it is kept; a text: why it is nobody's."""
    fix = declared.mended(msgspec.structs.replace(fix, fixed_at=fix.fixed_at.astimezone(UTC)), said)
    odd = declared.odd_time(fix.fixed_at, received_at)
    vehicle = bound.vehicle(fix.fixed_at)
    return odd or ((vehicle, fix) if vehicle is not None else "unknown-device")


def _unusable(fix: Fix) -> str:
    """Why a fix says nothing of where anything was, or empty."""
    if fix.fixed_at.tzinfo is None:
        return "no-zone"
    on_earth = isfinite(fix.lat) and isfinite(fix.lon) and abs(fix.lat) <= 90 and abs(fix.lon) <= 180
    return "" if on_earth else "no-such-place"
