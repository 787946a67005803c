"""Which truck a device reports for."""

from __future__ import annotations

from checkpoint.core.facts import DeviceBound, Fact, digest_id
from checkpoint.web.access import Caller
from checkpoint.web.house import House


def bind_device(house: House, device: str, vehicle: str, caller: Caller) -> None:
    """The record says from when on a device reports for whom; the registry, whose its fixes from before that are."""
    now = house.now()
    if house.intake.vehicle_of(device, now) == vehicle:
        return
    if house.store.registry.device_vehicle(device) is None:
        house.store.registry.bind_device(device, vehicle)
    name = digest_id("bound", device, vehicle, now.isoformat())
    what = DeviceBound(device=device, vehicle=vehicle)
    house.intake.record(Fact(id=name, at=now, witness=caller.witness, by=caller.by, what=what))
