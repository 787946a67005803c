"""Our stations as regions of an OwnTracks app, which then says by itself when it goes into one or out of it.

The law of this file: an app is told only what it does not hold. Told is what its phone has shown to have taken: an app drops a
message once it was answered, so whoever sends another one has read the answer to the last. A station that is told no more is
taken off where the app can do that (iOS drops a region whose place is impossible); what an app says of a region that is no
station of ours is its driver's own business.
"""

from __future__ import annotations

from binascii import crc32
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from threading import Lock

import msgspec

from checkpoint.core import geo
from checkpoint.core.loop import Loop, Station
from checkpoint.store.registry import Tracker
from checkpoint.web.house import House

MOST = 20  # an iPhone watches no more at a time
LEAST_RADIUS_M = 50  # a phone's rough fixes would jump in and out of a smaller one
ASK_AFTER = timedelta(minutes=15)
_KEPT = 10_000
# An app takes the time that a region was made for its name: past, one for each station, and always the same.
_MADE_S, _MADE_FOR_S = 1_500_000_000, 100_000_000


class Waypoint(msgspec.Struct, frozen=True, kw_only=True):
    """A region of an app: a circle, its radius in metres."""

    type: str = msgspec.field(name="_type", default="waypoint")
    desc: str
    lat: float
    lon: float
    rad: int
    tst: int
    rid: str


class Waypoints(msgspec.Struct, frozen=True, kw_only=True):
    """Regions that are put beside those that an app has."""

    type: str = msgspec.field(name="_type", default="waypoints")
    waypoints: tuple[Waypoint, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an app is asked to do: `setWaypoints`, `reportLocation`."""

    # In the answer in any case: without its type an app takes it for nothing.
    type: str = msgspec.field(name="_type")
    action: str
    waypoints: Waypoints | None = None


def waypoints_of(loop: Loop, lang: str = "zh") -> tuple[Waypoint, ...]:
    """The stations of a loop as regions, those that must be visited first, at most as many as a phone watches."""
    chosen = sorted(loop.stations, key=lambda station: not station.required_on)[:MOST]
    names = [getattr(station.name, lang).replace(":", "\N{FULLWIDTH COLON}") for station in chosen]  # behind a colon: a beacon
    found, taken = [], set()
    for station, name in zip(chosen, names, strict=True):
        made = _MADE_S + crc32(station.id.encode()) % _MADE_FOR_S
        while made in taken:
            made += 1
        taken.add(made)
        desc = name if names.count(name) == 1 else f"{name} ({station.id})"
        lon, lat = station.center
        found.append(Waypoint(desc=desc, lat=round(lat, 6), lon=round(lon, 6), rad=_radius_m(station), tst=made, rid=station.id))
    return tuple(found)


def _radius_m(station: Station) -> int:
    circle = station.boundary.circle
    if circle is not None:
        return max(LEAST_RADIUS_M, ceil(circle.radius_m))
    return max(LEAST_RADIUS_M, ceil(max(geo.distance_m(station.center, corner) for corner in station.boundary.polygon)))


def told_to(tracker: Tracker | None) -> dict[str, Waypoint]:
    """The regions that a device's app holds of ours, by station."""
    if tracker is None or not tracker.regions:
        return {}
    return {each.rid: each for each in msgspec.json.decode(tracker.regions, type=tuple[Waypoint, ...])}


def station_of(held: Mapping[str, Waypoint], rid: str, desc: str) -> str:
    """The station that an app means, by the name we gave its region or by what we called it; empty when it is none of ours."""
    if rid in held:
        return rid
    # Android's apps give regions numbers of their own.
    return next((each.rid for each in held.values() if each.desc == desc), "") if desc else ""


class Answers:
    """What the apps are to be asked with the answer to their messages. From any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        # By device: what was sent with the last answer, and a digest of the message that it answered.
        self._sent: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()
        self._asked: OrderedDict[str, datetime] = OrderedDict()

    def to(self, house: House, device: str, wanted: tuple[Waypoint, ...], body: bytes) -> list[Asked]:
        """What the answer to a message carries: regions that the app does not hold yet, or none."""
        held = told_to(house.store.registry.tracker(device))
        gone = [msgspec.structs.replace(old, lat=100.0, lon=500.0) for rid, old in held.items() if rid not in _names(wanted)]
        news = [each for each in wanted if held.get(each.rid) != each]
        if not news and not gone:
            return []
        now_held, message = msgspec.json.encode(wanted), sha256(body).digest()
        with self._lock:
            sent, answered = self._sent.get(device, (b"", b""))
            if sent == now_held and answered != message:
                del self._sent[device]
            else:
                self._sent[device] = (now_held, message)
                self._sent.move_to_end(device)
                if len(self._sent) > _KEPT:
                    self._sent.popitem(last=False)
                return [Asked(type="cmd", action="setWaypoints", waypoints=Waypoints(waypoints=(*news, *gone)))]
        house.store.registry.tell_tracker(device, now_held.decode())
        return []

    def wants_position(self, device: str, last: datetime | None, now: datetime) -> bool:
        """Whether to ask an app where it is: it lives and says nothing of it. Once in a while, so that no answer asks again."""
        if last is not None and now - last < ASK_AFTER:
            return False
        with self._lock:
            asked = self._asked.get(device)
            if asked is not None and now - asked < ASK_AFTER:
                return False
            self._asked[device] = now
            self._asked.move_to_end(device)
            if len(self._asked) > _KEPT:
                self._asked.popitem(last=False)
        return True


def _names(wanted: tuple[Waypoint, ...]) -> set[str]:
    return {each.rid for each in wanted}
