"""What reading a device's message costs, against the least that any reader of it has to do.

The floor of a terminal's frame is one `struct.unpack` of the fields of a position that lie in a row, and nothing of what makes
a frame a frame (cutting, escapes, checksum, header, date, items); of an app's message `msgspec.json.decode` of its body.
Processor time, so that what else runs does not count. Rounds of floor and ours alternate; figures are medians.
"""

from __future__ import annotations

import statistics
import struct
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))

from checkpoint.decoders import jt808, osmand, owntracks
from tests.terminals import Terminal, place

ROUNDS, MESSAGES, PLACES = 15, 2_000, 20
AT = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
BODY = place(AT, 28.1, 120.6, speed_kmh=61.5, course_deg=90, items={0x01: b"\0\3\x0d\x40", 0x03: b"\2\x67", 0x31: b"\x0e"})
(FRAME,) = Terminal().locate(BODY)
(BATCH,) = Terminal().resend([BODY] * PLACES)
FORM = b"id=48241179&lat=30.27415&lon=120.15515&timestamp=1767225600&accuracy=4.2&altitude=12.5&speed=10&bearing=271.0&batt=87.0"
JSON = msgspec.json.encode({
    "device_id": "48241179",
    "location": {
        "timestamp": "2026-01-01T08:00:00.000+08:00", "is_moving": True, "odometer": 1200.5,
        "coords": {"latitude": 30.27, "longitude": 120.15, "accuracy": 4.2, "speed": 5.1, "heading": 271.0, "altitude": 12.5},
        "battery": {"level": 0.87, "is_charging": False}, "activity": {"type": "in_vehicle"},
    },
})  # fmt: skip
OWNTRACKS = msgspec.json.encode({
    "_type": "location", "acc": 5, "alt": 167, "batt": 67, "cog": 271, "conn": "m", "lat": 30.27, "lon": 120.15, "t": "u",
    "tid": "JJ", "topic": "owntracks/driver/phone", "tst": 1767225600, "vac": 21, "vel": 61,
})  # fmt: skip
FIELDS = struct.Struct(">IIIIHHH6s")


def unpacked() -> object:
    return FIELDS.unpack_from(BODY)


def terminal() -> object:
    (frame,) = jt808.Splitter().feed(FRAME)
    return jt808.location(jt808.parse(frame))


def resent() -> object:
    (frame,) = jt808.Splitter().feed(BATCH)
    return jt808.batch(jt808.parse(frame))


def json_alone() -> object:
    return msgspec.json.decode(JSON)


def own_json_alone() -> object:
    return msgspec.json.decode(OWNTRACKS)


def app_form() -> object:
    return osmand.decode("POST", "", "application/x-www-form-urlencoded", FORM, AT)


def app_json() -> object:
    return osmand.decode("POST", "", "application/json", JSON, AT)


def app_own() -> object:
    return owntracks.decode("phone", OWNTRACKS)


# What is measured, its floor, and how many positions it reads at once.
MEASURED: tuple[tuple[str, Callable[[], object], Callable[[], object], int], ...] = (
    ("JT/T 808, one position", terminal, unpacked, 1),
    (f"JT/T 808, batch of {PLACES}", resent, unpacked, PLACES),
    ("OsmAnd, form", app_form, json_alone, 1),
    ("OsmAnd, JSON", app_json, json_alone, 1),
    ("OwnTracks", app_own, own_json_alone, 1),
)


def microseconds(read: Callable[[], object], places: int) -> float:
    begun = time.process_time()
    for _ in range(MESSAGES):
        read()
    return (time.process_time() - begun) / MESSAGES / places * 1e6


def main() -> None:
    """Measure and tell, one line each."""
    for name, read, floor, places in MEASURED:
        ours, least = [], []
        for _ in range(ROUNDS):
            least.append(microseconds(floor, 1))
            ours.append(microseconds(read, places))
        cost, bare = statistics.median(ours), statistics.median(least)
        print(f"decode: {name}: {cost:.2f} us a position, {cost / bare:.1f} times the floor ({bare:.2f} us)")


if __name__ == "__main__":
    main()
