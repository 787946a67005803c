"""Devices that send positions by themselves: which truck one reports for, and what it shows to be believed.

The law of this file: a device we set up shows a key of ours where its app has room for a device number; the record knows it by a
name that opens nothing. One that was bound by the number it came with shows no more than that number, and counts until it is
revoked. A driver's phone speaks through its own session: nobody speaks in its name here.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from checkpoint.core.facts import MAX_ID_CHARS, DeviceBound, Fact, digest_id
from checkpoint.web.access import Caller, digest
from checkpoint.web.house import House

KEY_BYTES = 16
NAMED, PHONES = "tracker-", "phone-link-"
INTERVAL_S = 30
# How often it is noted that a device was heard: each time would cost a commit.
NOTED_EVERY = timedelta(minutes=1)
RECEIVER = "/api/v1/positions/osmand"


class SetUp(NamedTuple):
    """What is typed or scanned into a tracker's app: the address, the key in place of its number, and both as one link."""

    address: str
    key: str
    link: str
    osmand: str


class Known(NamedTuple):
    """A device that spoke, by the record's name; `revoked`: it is not believed any more."""

    device: str
    keyed: bool = False
    revoked: bool = False


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


def may_be_named(device: str) -> bool:
    """Whether a text can be a device's number, and is none of the names we give."""
    plain = 1 <= len(device) <= MAX_ID_CHARS and device.isascii() and device.isprintable()
    return plain and not device.startswith((NAMED, PHONES))


def new_tracker(house: House, vehicle: str, caller: Caller) -> tuple[str, SetUp]:
    """A device with a key of its own that reports for a vehicle from now on: its name, and how it is set up."""
    device, key = f"{NAMED}{secrets.token_hex(4)}", new_key()
    house.store.registry.add_tracker(device, digest(key))
    bind_device(house, device, vehicle, caller)
    return device, set_up(house, key)


def new_key() -> str:
    """A tracker's key: 128 random bits in letters and digits that can be typed."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=").lower()


def set_up(house: House, key: str) -> SetUp:
    """How a tracker is set up. Traccar Client takes address, number and interval out of one scanned link."""
    address = house.public_url + RECEIVER
    link = f"{address}?{urlencode({'id': key, 'interval': INTERVAL_S})}"
    # OsmAnd fills in the numbers itself.
    osmand = f"{address}?id={key}&lat={{0}}&lon={{1}}&timestamp={{2}}&hdop={{3}}&altitude={{4}}&speed={{5}}"
    return SetUp(address, key, link, osmand)


def known_as(house: House, shown: str) -> Known | None:
    """Who it is that shows this number or key; None for whoever may not be believed to be who they say."""
    registry = house.store.registry
    tracker = registry.tracker_by_key(digest(shown))
    if tracker is not None:
        return Known(tracker.device, keyed=True, revoked=tracker.revoked_at is not None)
    tracker = registry.tracker(shown)
    if shown.startswith((NAMED, PHONES)) or (tracker is not None and tracker.keyed):
        return None  # a name that the record uses is no key
    return Known(shown, revoked=tracker is not None and tracker.revoked_at is not None)


def heard(house: House, device: str, now: datetime) -> None:
    """Note now and then that a device was heard."""
    tracker = house.store.registry.tracker(device)
    if tracker is None or tracker.seen_at is None or now - tracker.seen_at >= NOTED_EVERY:
        house.store.registry.tracker_seen(device)
