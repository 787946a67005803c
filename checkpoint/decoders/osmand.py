"""What Traccar Client and OsmAnd send: one position a request, in three generations on one address.

* the native clients and OsmAnd: everything in the query, whatever the method;
* Traccar Client 9: `application/json`, one `{"location": {…}, "device_id": "…"}`, as its background SDK sends it;
* Traccar Client 10, the current one: the query's parameters as a form in the body.

The law of this file: a phone that is refused keeps the message at the head of its queue and sends nothing else ever
after. So a message is refused (`MalformedMessage`) only when it does not say whom it is from, which the phone's owner can
mend; whatever else is wrong is accepted, with `trouble` saying why it gave no fix. A message without a place is a sign of
life and never a position.

Speeds in the query are knots, as Traccar Client sends them; in JSON metres a second. OsmAnd sends metres a second in the query
and says so nowhere: the address that we set it up with says it for it (`speed_unit=mps`); with another address its speeds are
read as half of what they are. Times without a zone are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from checkpoint.core.fixes import MOCKED, Fix
from checkpoint.decoders import phones

KMH_PER_KNOT = 1.852
KMH_PER_MS = 3.6
MAX_DEVICE_CHARS = 100
SOS = "sos"
# What a fix says of itself, by whether the driver calls for help and whether the phone calls the position simulated.
_ALARMS = {(False, False): (), (True, False): (SOS,), (False, True): (MOCKED,), (True, True): (SOS, MOCKED)}
MAX_PARAMETERS = 200


class MalformedMessage(ValueError):
    """The message does not say which device it is from; the text says what to set on the phone."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a request said.

    `heartbeat` is set when there was no place in it; `at` is the device's own time then (None: it gave none). `alarm` is the
    device's word for it (`sos`), also among the fix's alarms. A position that the phone's system calls simulated is `mocked`,
    also among the fix's alarms: it is kept and seen, and no place is judged by it. `trouble` is a catalogue key of why
    something in it gave no fix: `time`, `place`, `unreadable`.
    """

    device: str
    fixes: tuple[Fix, ...] = ()
    heartbeat: bool = False
    at: datetime | None = None
    alarm: str = ""
    battery_percent: float | None = None
    mocked: bool = False
    trouble: str = ""


def decode(method: str, query: str, content_type: str, body: bytes, received_at: datetime) -> Message:
    """Read a request; the query wins over the body. Raises `MalformedMessage` when it names no device."""
    del method  # clients use GET and POST for the same thing
    if content_type.strip().lower().startswith("application/json") and body:
        return _json(body, _parameters(query), received_at)
    said = _parameters(query) or _parameters(body.decode("utf-8", "replace"))
    return _form(said, received_at)


# -- the query and the form --------------------------------------------------------------------------------------------


def _parameters(text: str) -> dict[str, str]:
    """The first value of each parameter."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _form(said: Mapping[str, str], received_at: datetime) -> Message:
    device = _device(said.get("id") or said.get("deviceid"))
    alarm, battery = said.get("alarm", "")[:200], phones.number(said.get("batt"))
    at = trouble = None
    if said.get("timestamp"):
        at = phones.instant(said["timestamp"])
        trouble = "time" if at is None else None
    lat, lon = said.get("lat"), said.get("lon")
    if lat is None and lon is None and "location" in said:
        lat, _, lon = said["location"].partition(",")
    if not lat and not lon:
        return Message(device=device, heartbeat=True, at=at, alarm=alarm, battery_percent=battery, trouble=trouble or "")
    place = phones.place(lat, lon)
    if trouble or place is None:
        return Message(device=device, at=at, alarm=alarm, battery_percent=battery, trouble=trouble or "place")
    fix = Fix(
        device=device,
        fixed_at=at or received_at,
        lat=place[0],
        lon=place[1],
        accuracy_m=phones.positive(said.get("accuracy")),
        speed_kmh=phones.speed_kmh(said.get("speed"), KMH_PER_MS if said.get("speed_unit") == "mps" else KMH_PER_KNOT),
        course_deg=phones.course_deg(said.get("bearing", said.get("heading"))),
        altitude_m=phones.number(said.get("altitude")),
        valid=said.get("valid", "true").lower() in ("true", "1"),
        alarms=_ALARMS[alarm == SOS, False],
    )
    return Message(device=device, fixes=(fix,), at=at, alarm=alarm, battery_percent=battery)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json(body: bytes, said: Mapping[str, str], received_at: datetime) -> Message:
    named = said.get("id") or said.get("deviceid")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Message(device=_device(named), trouble="unreadable")
    if not isinstance(document, dict):
        return Message(device=_device(named), trouble="unreadable")
    device = _device(document.get("device_id") or document.get("id") or named)
    location = document.get("location")
    places = location if isinstance(location, list) else [location]
    read = [_location(device, place, received_at) for place in places if isinstance(place, dict)]
    if not read:
        return Message(device=device, heartbeat=location is None, trouble="" if location is None else "unreadable")
    last = read[-1]
    return msgspec.structs.replace(
        last,
        fixes=tuple(fix for message in read for fix in message.fixes),
        alarm=next((m.alarm for m in read if m.alarm), ""),
        mocked=any(m.mocked for m in read),
        trouble=next((m.trouble for m in read if m.trouble), ""),
    )


def _location(device: str, said: Mapping[str, Any], received_at: datetime) -> Message:
    coords, battery, extras = (phones.part(said.get(key)) for key in ("coords", "battery", "extras"))
    level = phones.positive(battery.get("level"))
    alarm = phones.text(said.get("alarm") or extras.get("alarm"))
    mocked = said.get("mock") is True
    at = trouble = None
    if said.get("timestamp") is not None:
        at = phones.instant(said["timestamp"])
        trouble = "time" if at is None else None
    rest = Message(
        device=device,
        at=at,
        alarm=alarm,
        battery_percent=round(level * 100, 1) if level is not None else None,
        mocked=mocked,
        trouble=trouble or "",
    )
    if coords.get("latitude") is None and coords.get("longitude") is None:
        return msgspec.structs.replace(rest, heartbeat=True)
    place = phones.place(coords.get("latitude"), coords.get("longitude"))
    if trouble or place is None:
        return msgspec.structs.replace(rest, trouble=trouble or "place")
    fix = Fix(
        device=device,
        fixed_at=at or received_at,
        lat=place[0],
        lon=place[1],
        accuracy_m=phones.positive(coords.get("accuracy")),
        speed_kmh=phones.speed_kmh(coords.get("speed"), KMH_PER_MS),
        course_deg=phones.course_deg(coords.get("heading")),
        altitude_m=phones.number(coords.get("altitude")),
        alarms=_ALARMS[alarm == SOS, mocked],
    )
    return msgspec.structs.replace(rest, fixes=(fix,))


# -- single values -----------------------------------------------------------------------------------------------------


def _device(value: object) -> str:
    named = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not named:
        raise MalformedMessage("the message names no device: set the device identifier in the app")
    if len(named) > MAX_DEVICE_CHARS or not named.isprintable():
        raise MalformedMessage(f"a device identifier has 1 to {MAX_DEVICE_CHARS} printable characters: set it anew in the app")
    return named
