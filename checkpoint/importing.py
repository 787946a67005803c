"""Recorded tracks taken into the record of a vehicle, by the road that all positions come in.

The law of this file: a recording is laid to a vehicle for exactly the time it covers, by a device that is bound to it for that
time; a device that reported for another truck then is not bound away from it. The same file again changes nothing. Of a table
of several vehicles only those rows are taken that it says are this one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from checkpoint.bindings import IMPORTED, OWN_NAMES
from checkpoint.core.facts import MAX_ID_CHARS, DeviceBound, Fact, digest_id
from checkpoint.core.fixes import Fix
from checkpoint.decoders.recorded import Drive, fixes_of
from checkpoint.intake import Intake

_AT_ONCE = 1000


class NotImported(ValueError):
    """A recording that cannot be laid to the vehicle; `why` is a key of the catalogue (`import.<why>`)."""

    def __init__(self, why: str, **values: str | int) -> None:
        self.why, self.values = why, values
        super().__init__(f"{why} {values}")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the positions: new, here already, set aside to be looked at, left out for want of room; by which device."""

    device: str
    new: int
    repeated: int
    aside: int
    refused: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.new + self.repeated + self.aside + self.refused


def device_for(vehicle: str) -> str:
    """The device that a vehicle's recordings are laid to when nobody names another."""
    return f"{IMPORTED}{digest_id('import', vehicle)[:12]}"


def chosen(drives: Sequence[Drive], vehicle: str) -> list[Drive]:
    """The drives that are the vehicle's: all, unless a table names several vehicles. Raises `NotImported`."""
    mine = [drive for drive in drives if drive.whose == vehicle]
    if mine:
        return mine
    named = sorted({drive.whose for drive in drives if drive.whose})
    if len(named) > 1:
        raise NotImported("several-vehicles", names=", ".join(named)[:200])
    return list(drives)


def take_in(intake: Intake, vehicle: str, drives: Sequence[Drive], device: str, *, fact: Fact) -> Imported:
    """Lay the drives to a vehicle. `fact` says by whom and when: the binding is made in its image, where one is wanted. Raises
    `MalformedTrack` when a place has no time, `NotImported`, `StorageFull`."""
    fixes = [fix for drive in chosen(drives, vehicle) for fix, _ in fixes_of(drive, device)]
    fixes.sort(key=lambda fix: fix.fixed_at)
    _bind(intake, vehicle, fixes, device, fact)
    new = repeated = aside = refused = 0
    for start in range(0, len(fixes), _AT_ONCE):
        taken = intake.take_fixes(fixes[start : start + _AT_ONCE])
        new, repeated = new + taken.new, repeated + taken.repeated
        aside, refused = aside + taken.strange, refused + taken.refused
    return Imported(device=device, new=new, repeated=repeated, aside=aside, refused=refused)


def _bind(intake: Intake, vehicle: str, fixes: Sequence[Fix], device: str, fact: Fact) -> None:
    """Let the device report for the vehicle over the time of the fixes, unless it did. Raises `NotImported`."""
    if not (1 <= len(device) <= MAX_ID_CHARS and device.isascii() and device.isprintable()):
        raise NotImported("device", device=device[:40])
    bound = intake.bound(device)
    whose = {bound.vehicle(fix.fixed_at) for fix in fixes}
    if whose == {vehicle}:
        return
    others = sorted(other for other in whose if other not in (None, vehicle))
    if others:
        raise NotImported("another-vehicle", device=device, vehicle=str(others[0]))
    if device.startswith(OWN_NAMES) and device != device_for(vehicle):
        raise NotImported("not-bound", device=device, vehicle=vehicle)
    since, until = fixes[0].fixed_at, fixes[-1].fixed_at + timedelta(seconds=1)
    what = DeviceBound(device=device, vehicle=vehicle, since=since, until=until)
    name = digest_id("bound", device, vehicle, since.isoformat(), until.isoformat())
    intake.record(msgspec.structs.replace(fact, id=name, what=what))
