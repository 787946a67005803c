"""Where a JT/T 808 terminal says it is: 0x0200, and 0x0704, which holds many of them.

The law of this file: nothing that stands beside a position costs the position. Unknown items are kept as they came, broken
ones end the reading of items and are noted; a broken location in a batch costs itself alone.

Coordinates are WGS-84 unless status bit 5 is set. The time is GMT+8, whatever the terminal's own zone. Altitudes below the
sea are sent as negative numbers, though the standard's WORD has no sign: no road is higher than 32,767 m.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from struct import Struct

import msgspec

from checkpoint.core.fixes import Fix
from checkpoint.decoders.jt808.bodies import read
from checkpoint.decoders.jt808.header import Edition, Message

LOCATION, BATCH = 0x0200, 0x0704
DEVICE = "terminal-"  # with the digits of its number behind: what the record calls a terminal

# Bit -> our name (2011 table 18, 2013 table 24, 2019 table 25).
ALARMS = (
    "emergency", "overspeed", "fatigue", "danger", "gnss-fault", "gnss-antenna-cut", "gnss-antenna-short", "power-low",
    "power-cut", "display-fault", "speech-fault", "camera-fault", "card-fault", "overspeed-warning", "fatigue-warning",
    "violation", "tyre", "blind-spot", "day-driving-exceeded", "parked-too-long", "area", "route", "section-time",
    "route-deviation", "speed-sensor-fault", "fuel", "stolen", "illegal-ignition", "illegal-movement", "collision", "rollover",
    "illegal-door",
)  # fmt: skip
_FIXED, _SOUTH, _WEST, _ENCRYPTED = 1 << 1, 1 << 2, 1 << 3, 1 << 5
_CHINA = timedelta(hours=8)
_PLACE = Struct(">IIIIhHH")
_TIME_AT, _ITEMS_AT = 22, 28
_WORD = Struct(">H")
_DIGITS = {tens << 4 | ones: tens * 10 + ones for tens in range(10) for ones in range(10)}  # a byte of BCD


def _tenths(content: bytes) -> float:
    return int.from_bytes(content, "big") / 10


def _whole(content: bytes) -> float:
    return int.from_bytes(content, "big")


def _signed(content: bytes) -> float:
    """The highest bit is a minus sign before the rest (2019, table 27), not two's complement."""
    number = int.from_bytes(content, "big")
    return -(number & 0x7FFF) if number & 0x8000 else number


# Items of the standard whose value is one number: id -> its name, its length, how it is read. With another length the id
# is a vendor's own, and only kept.
_NUMBERS: dict[int, tuple[str, int, Callable[[bytes], float]]] = {
    0x01: ("mileage_km", 4, _tenths),
    0x02: ("fuel_l", 2, _tenths),
    0x03: ("recorder_speed_kmh", 2, _tenths),
    0x04: ("alarm_event", 2, _whole),
    0x06: ("cargo_c", 2, _signed),
    0x25: ("signal_flags", 4, _whole),
    0x2A: ("io_flags", 2, _whole),
    0x2B: ("analog", 4, _whole),
    0x30: ("signal", 1, _whole),
    0x31: ("satellites", 1, _whole),
}


class Region(msgspec.Struct, frozen=True):
    """Item 0x12: it went into (or out of) an area or a route that was set on it. `kind`: 1 circle, 2 rectangle, 3 polygon,
    4 route."""

    kind: int
    id: int
    out: bool


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """What a terminal said of where and how it is. Without a `fix`, `trouble` says why.

    `alarms` are those that this edition of the standard knows, by name; `alarm_bits` and `status_bits` are as they came, and
    so are `items` (id, content). `values` are the standard's own items with one number in them (`_NUMBERS`).

    `trouble`: `short` (fewer than the 28 bytes of every location), `time` (no date that exists), `coordinates` (not on
    Earth), each without a fix; `items`: the position was read, and what is behind it only in part.
    """

    alarms: tuple[str, ...] = ()
    alarm_bits: int = 0
    status_bits: int = 0
    fix: Fix | None = None
    values: dict[str, float] = {}
    region: Region | None = None
    items: tuple[tuple[int, bytes], ...] = ()
    trouble: tuple[str, ...] = ()


_SHORT = Location(trouble=("short",))  # one for all: a batch may hold ten thousands of them


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """0x0704. `resent`: they were kept while there was no network. `trouble`: `count` when more or fewer came than announced,
    `short` when it ends inside one of them."""

    resent: bool
    locations: tuple[Location, ...]
    trouble: tuple[str, ...] = ()


def location(message: Message) -> Location:
    """The body of 0x0200. Raises `Malformed` when it is another message, a fragment, or enciphered."""
    return _location(DEVICE + message.phone, message.version, read(message, LOCATION, 0))


def batch(message: Message) -> Batch:
    """The body of 0x0704. Raises `Malformed` as `location` does, and when there is no count in it."""
    body = read(message, BATCH, 3)
    announced, resent = _WORD.unpack_from(body)[0], body[2] == 1
    device, found, trouble, at = DEVICE + message.phone, [], set(), 3
    while at < len(body):
        end = at + 2 + _WORD.unpack_from(body, at)[0] if at + 2 <= len(body) else len(body) + 1
        if end > len(body):
            trouble.add("short")
            if at + 2 < len(body):  # the beginning of one more: its position may be whole
                found.append(_location(device, message.version, body[at + 2 :]))
            break
        found.append(_location(device, message.version, body[at + 2 : end]))
        at = end
    if len(found) != announced:
        trouble.add("count")
    return Batch(resent=resent, locations=tuple(found), trouble=tuple(sorted(trouble)))


def alarm_names(bits: int, edition: Edition) -> tuple[str, ...]:
    """The alarms that a terminal of this edition can mean; bits that its edition reserves say nothing."""
    bits &= _KNOWN[edition]
    return tuple(name for bit, name in enumerate(ALARMS) if bits >> bit & 1) if bits else ()


_KNOWN: dict[Edition, int] = {
    "2011": 0xFFFFFFFF & ~(0b111111 << 12) & ~(0b111 << 29),
    "2013": 0xFFFFFFFF & ~(0b111 << 15),
    "2019": 0xFFFFFFFF & ~(1 << 31),
}


def _location(device: str, edition: Edition, body: bytes) -> Location:
    if len(body) < _ITEMS_AT:
        return _SHORT
    alarm_bits, status, lat, lon, altitude, speed, course = _PLACE.unpack_from(body)
    fixed_at = _time(body[_TIME_AT:_ITEMS_AT])
    items, whole = _items(body)
    trouble = []
    if fixed_at is None:
        trouble.append("time")
    if lat > 90_000_000 or lon > 180_000_000:
        trouble.append("coordinates")
    alarms = alarm_names(alarm_bits, edition)
    fix = None
    if fixed_at is not None and not trouble:
        fix = Fix(
            device=device,
            fixed_at=fixed_at,
            lat=(-lat if status & _SOUTH else lat) / 1_000_000,
            lon=(-lon if status & _WEST else lon) / 1_000_000,
            altitude_m=altitude,
            speed_kmh=speed / 10 if speed != 0xFFFF else None,
            course_deg=course % 360 if course <= 360 else None,
            valid=bool(status & _FIXED),
            encrypted=bool(status & _ENCRYPTED),
            alarms=alarms,
        )
    if not whole:
        trouble.append("items")
    values: dict[str, float] = {}
    region = None
    for id_, content in items:
        number = _NUMBERS.get(id_)
        if number is not None and len(content) == number[1]:
            values[number[0]] = number[2](content)
        elif id_ == 0x12 and len(content) == 6:
            region = Region(content[0], int.from_bytes(content[1:5], "big"), content[5] == 1)
    return Location(
        alarms=alarms,
        alarm_bits=alarm_bits,
        status_bits=status,
        fix=fix,
        values=values,
        region=region,
        items=items,
        trouble=tuple(trouble),
    )


def _items(body: bytes) -> tuple[tuple[tuple[int, bytes], ...], bool]:
    """The items behind a position, as far as they can be told apart; and whether that was all of them."""
    found, at = [], _ITEMS_AT
    while at + 2 <= len(body):
        end = at + 2 + body[at + 1]
        if end > len(body):
            break
        found.append((body[at], body[at + 2 : end]))
        at = end
    return tuple(found), at == len(body)


def _time(bcd: bytes) -> datetime | None:
    """An instant from YYMMDDhhmmss of GMT+8; None when there is no such date or it has other digits than 0 to 9."""
    try:
        year, month, day, hour, minute, second = map(_DIGITS.__getitem__, bcd)
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC) - _CHINA
    except (KeyError, ValueError):
        return None
