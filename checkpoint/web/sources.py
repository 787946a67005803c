"""What tells us where a truck is: the phones and trackers that report for it, and how they do; and who reports for none.

The law of this file: a device that was heard lives, whether or not it knows where it is, so the two are said apart. A
stranger is shown with as much as is needed to know it again, and laid to a truck only by somebody who says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from checkpoint.bindings import PHONES, Binding, book_of
from checkpoint.core import geo
from checkpoint.core.facts import DeviceBound
from checkpoint.core.fixes import is_terminal
from checkpoint.core.loop import Loop
from checkpoint.store import StrangeDevice
from checkpoint.store.registry import Tracker
from checkpoint.web.house import House

# How far back the last position of each device is looked for.
LOOKED_AT = timedelta(days=2)
# So much later than its last position a device was heard: it lives and does not know where it is.
APART = timedelta(minutes=5)
NEAR_M = 100_000.0


class Source(NamedTuple):
    """A device of a truck. `binding` is the one that counts now, or the last that did; `placed_at` its last position,
    `lived_at` the last sign of life of a truck's own terminal, which speaks without a position too."""

    device: str
    is_phone: bool
    binding: Binding
    is_bound: bool
    tracker: Tracker | None
    placed_at: datetime | None
    lived_at: datetime | None = None

    @property
    def heard_at(self) -> datetime | None:
        """When it was last heard, with a position or without."""
        told = (self.placed_at, self.lived_at, self.tracker.seen_at if self.tracker else None)
        seen = [at for at in told if at is not None]
        return max(seen, default=None)

    @property
    def is_blind(self) -> bool:
        """It was heard, and has not said for a while where it is."""
        heard = self.heard_at
        return self.is_bound and heard is not None and (self.placed_at is None or heard - self.placed_at > APART)


def sources_of(house: House, vehicle: str) -> list[Source]:
    """The devices that report or reported for a truck, those that do now first."""
    name, now = f"vehicle:{vehicle}", house.now()
    bound = [f for f in book_of(house.store, name).of(name) if isinstance(f.what, DeviceBound)]
    placed = house.store.last_positions(vehicle, now - LOOKED_AT)
    found = []
    for device in dict.fromkeys(f.what.device for f in bound if isinstance(f.what, DeviceBound)):
        own = house.intake.bound(device)
        standing = own.at(now)
        mine = [b for b in own.bindings if b.vehicle == vehicle]
        if not mine:
            continue
        is_bound = standing is not None and standing.vehicle == vehicle
        found.append(
            Source(
                device=device,
                is_phone=device.startswith(PHONES),
                binding=standing if standing is not None and is_bound else mine[0],
                is_bound=is_bound,
                tracker=house.store.registry.tracker(device),
                placed_at=placed.get(device),
                lived_at=_lived(house, device),
            )
        )
    return sorted(found, key=lambda source: (not source.is_bound, source.device))


def _lived(house: House, device: str) -> datetime | None:
    terminal = house.store.registry.terminal(device) if is_terminal(device) else None
    return terminal.heard_at if terminal is not None else None


class Place(NamedTuple):
    """Roughly where: the station that is nearest, and how far it is; an empty name when none is near."""

    loop: Loop | None
    station: str
    off_m: float


def roughly(device: StrangeDevice, loops: Sequence[Loop]) -> Place:
    """Where a stranger was last, by the nearest station of any loop."""
    here = (device.last.lon, device.last.lat)
    near = [(geo.distance_m(here, s.center), loop.id, s.id, loop) for loop in loops for s in loop.stations]
    off_m, _, station, loop = min(near, default=(NEAR_M, "", "", None))
    return Place(loop, station, off_m) if off_m < NEAR_M else Place(None, "", off_m)
