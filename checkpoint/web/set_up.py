"""How an app on a phone becomes a truck's tracker: by one code or one link for each app, or by what is typed.

The law of this file: whatever is said here carries the tracker's key, so it is shown once, to whoever made it. The links are
the apps' own: Traccar Client reads an address with its settings behind it (its scanner), or the same under its own scheme (a
link that is opened on the phone); OwnTracks a whole configuration, base64 in the standard alphabet.

A phone that stands still sends nothing, and that is normal; so each app is also asked for a sign of life now and then.
"""

from __future__ import annotations

import base64
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from checkpoint.web.house import House

OSMAND, OWNTRACKS = "/api/v1/positions/osmand", "/api/v1/positions/owntracks"
INTERVAL_S = 15
ALIVE_S = 300
# As far as a truck in a town drives in that time: OwnTracks reports at the one or the other.
DISPLACEMENT_M = 100


class SetUp(NamedTuple):
    """What is scanned, opened or typed to set up a tracker's app. `link` is what Traccar Client scans, `traccar` what opens it
    on the phone; `owntracks` does both for OwnTracks; `osmand` is what OsmAnd wants as its address."""

    address: str
    key: str
    link: str
    traccar: str
    osmand: str
    owntracks: str
    owntracks_address: str


def set_up(house: House, device: str, key: str, vehicle: str) -> SetUp:
    """How the app of a tracker is set up, for the truck it reports for."""
    address, other = house.public_url + OSMAND, house.public_url + OWNTRACKS
    told = {
        "id": key,
        "accuracy": "high",
        "interval": INTERVAL_S,
        "fastest_interval": INTERVAL_S,
        "distance": 0,
        "angle": 0,
        "heartbeat": ALIVE_S,
        "stop_detection": "true",
        "buffer": "true",
    }
    # OsmAnd fills in the numbers itself.
    osmand = f"{address}?id={key}&lat={{0}}&lon={{1}}&timestamp={{2}}&hdop={{3}}&altitude={{4}}&speed={{5}}&speed_unit=mps"
    return SetUp(
        address=address,
        key=key,
        link=f"{address}?{urlencode(told)}",
        traccar=f"org.traccar.client://config?{urlencode({'url': address} | told)}",
        osmand=osmand,
        owntracks=_owntracks(other, device, key, vehicle),
        owntracks_address=other,
    )


def _owntracks(address: str, device: str, key: str, vehicle: str) -> str:
    """OwnTracks in HTTP mode, moving, open to the regions that we tell it. Its settings from before stay where none is named."""
    configuration = {
        "_type": "configuration",
        "mode": 3,
        "url": address,
        "auth": True,
        "username": device,
        "password": key,
        "deviceId": device,
        "tid": "".join(c for c in vehicle if c.isascii())[-2:] or "tk",
        "monitoring": 2,
        "locatorInterval": INTERVAL_S,
        "moveModeLocatorInterval": INTERVAL_S,  # what the same is called on Android
        "locatorDisplacement": DISPLACEMENT_M,
        "locatorPriority": 3,
        "ping": 15,
        "extendedData": True,
        "pubExtendedData": True,
        "cmd": True,
        "remoteConfiguration": True,
        "encryptionKey": "",
    }
    return "owntracks:///config?inline=" + quote(base64.b64encode(msgspec.json.encode(configuration)).decode(), safe="")
