"""Devices that send positions by themselves: which truck one reports for, and what it shows to be believed.

The law of this file: a device we set up shows a key of ours where its app has room for a device number; the record knows it by a
name that opens nothing. One that was bound by the number it came with shows no more than that number, and counts until it is
revoked. A driver's phone speaks through its own session, a truck's terminal through the gateway: nobody speaks in their names
here.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from checkpoint.bindings import NAMED, OWN_NAMES, TERMINALS
from checkpoint.core.facts import MAX_ID_CHARS, DeviceBound, DeviceReleased, Fact, digest_id
from checkpoint.web.access import Caller, digest
from checkpoint.web.board import loops_now
from checkpoint.web.house import House
from checkpoint.web.page import FALLBACK_ZONE
from checkpoint.web.set_up import SetUp, set_up

KEY_BYTES = 16
# How often it is noted that a device was heard: each time would cost a commit.
NOTED_EVERY = timedelta(minutes=1)


class Known(NamedTuple):
    """A device that spoke, by the record's name. `keyed`: it showed a key of ours; `ours`: it did, or somebody bound it once;
    `revoked`: it is not believed any more."""

    device: str
    keyed: bool = False
    ours: bool = False
    revoked: bool = False


def bind_device(
    house: House,
    device: str,
    vehicle: str,
    caller: Caller,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Let a device report for a vehicle, from when (None: now) to when (None: until bound elsewhere or released). What it sent
    before as a stranger is laid to the vehicle for exactly that time. Raises `Malformed` when it would end before it begins."""
    now = house.now()
    standing = house.intake.bound(device).at(now)
    if since is None and until is None and standing is not None and (standing.vehicle, standing.until) == (vehicle, None):
        return
    what = DeviceBound(device=device, vehicle=vehicle, since=since, until=until)
    name = digest_id("bound", device, vehicle, now.isoformat(), str(since), str(until))
    house.intake.record(Fact(id=name, at=now, witness=caller.witness, by=caller.by, what=what))
    house.store.registry.add_device(device)


def release_device(house: House, device: str, vehicle: str, caller: Caller, since: datetime | None = None) -> None:
    """From `since` (None: now) on a device reports for nobody. What it sends is set aside, and one with a key is not turned
    away for it: its app has nothing that could be mended."""
    now = house.now()
    what = DeviceReleased(device=device, vehicle=vehicle, since=since)
    name = digest_id("released", device, vehicle, now.isoformat(), str(since))
    house.intake.record(Fact(id=name, at=now, witness=caller.witness, by=caller.by, what=what))


def zone_here(house: House) -> ZoneInfo:
    """The zone that times are typed in at a desk: the loop's."""
    loops = loops_now(house, house.now())
    return loops[0].zone if loops else FALLBACK_ZONE


def times_of(house: House, asked: Mapping[str, str]) -> tuple[datetime | None, datetime | None]:
    """From when to when, as a form has it; empty fields are None. Raises `ValueError` when it ends before it begins."""
    zone = zone_here(house)
    since, until = (
        datetime.fromisoformat(written).replace(tzinfo=zone).astimezone(UTC) if (written := asked.get(name, "").strip()) else None
        for name in ("since", "until")
    )
    if until is not None and until <= (since or house.now()):
        raise ValueError("it ends before it begins")
    return since, until


def may_be_bound(house: House, device: str) -> bool:
    """Whether a text is a device's number, or the name of one of our trackers or terminals. A driver's phone is bound by its
    link alone."""
    plain = 1 <= len(device) <= MAX_ID_CHARS and device.isascii() and device.isprintable()
    registry = house.store.registry
    ours = device.startswith(NAMED) and registry.tracker(device) is not None
    terminal = device.startswith(TERMINALS) and registry.terminal(device) is not None
    return ours or terminal or (plain and not device.startswith(OWN_NAMES))


def new_tracker(
    house: House, vehicle: str, caller: Caller, since: datetime | None = None, until: datetime | None = None
) -> tuple[str, SetUp]:
    """A device with a key of its own that reports for a vehicle, from when to when: its name, and how it is set up."""
    device, key = f"{NAMED}{secrets.token_hex(4)}", new_key()
    house.store.registry.add_tracker(device, digest(key))
    bind_device(house, device, vehicle, caller, since, until)
    return device, set_up(house, device, key, vehicle)


def new_key() -> str:
    """A tracker's key: 128 random bits in letters and digits that can be typed."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=").lower()


def known_as(house: House, shown: str) -> Known | None:
    """Who it is that shows this number or key; None for whoever may not be believed to be who they say."""
    registry = house.store.registry
    # A phone's keyboard begins what is typed with a capital.
    tracker = registry.tracker_by_key(digest(shown)) or registry.tracker_by_key(digest(shown.lower()))
    if tracker is not None:
        return Known(tracker.device, keyed=True, ours=True, revoked=tracker.revoked_at is not None)
    tracker = registry.tracker(shown)
    if shown.startswith(OWN_NAMES) or (tracker is not None and tracker.keyed):
        return None  # a name that the record uses is no key
    return Known(shown, ours=house.intake.bound(shown).ever, revoked=tracker is not None and tracker.revoked_at is not None)


def heard(house: House, device: str, now: datetime) -> None:
    """Note now and then that a device was heard."""
    tracker = house.store.registry.tracker(device)
    if tracker is None or tracker.seen_at is None or now - tracker.seen_at >= NOTED_EVERY:
        house.store.registry.tracker_seen(device)
