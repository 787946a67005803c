"""Messages as OwnTracks sends them, with the reading expected of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core.fixes import Fix
from checkpoint.decoders.owntracks import MAX_MESSAGES, Message, decode
from tests.fuzzing import assault
from tests.seeds import rounds, seeds

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "owntracks.json"
AT = datetime(2026, 1, 1, tzinfo=UTC)
# What is no JSON, or has no kind: other readers answer with an error of theirs.
NOT_READ = {"owntracks-schema-cmd-setWaypoints-illegal.json", "owntracks-schema-object-empty.json"}


def captured() -> list[Any]:
    if not VECTORS.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the captured messages are not here"))]
    return [pytest.param(case, id=case["name"]) for case in json.loads(VECTORS.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", captured())
def test_captured_messages_are_read_as_expected(case: dict[str, Any]) -> None:
    (message,) = decode("d", case["input"]["body"].encode())
    expected, decoded = case["expected"], case["expected"].get("traccar_decoded") or {}
    assert message.kind == expected.get("_type", message.kind) or (message.kind == "" and not expected["_type"])
    place = expected.get("position", decoded if "lat" in decoded else None)
    if message.kind == "transition":
        assert (message.event, message.desc, message.rid) == ("enter", "My favorite coffee shop (Delaville)", "f7676c")
        return
    if place is None:
        assert message.fix is None
        unread = case["name"] in NOT_READ or message.kind in ("location", "encrypted")
        assert bool(message.trouble) is unread
        return
    fix = message.fix
    assert fix is not None
    assert (fix.lat, fix.lon) == (place["lat"], place["lon"])
    assert fix.fixed_at == datetime.fromisoformat(place["time"])
    speed = place["speed_kmh"] if "speed_kmh" in place else place["speed_knots"] * 1.852
    # What a tracker stores as 0 for want of a value is None here.
    assert (fix.speed_kmh or 0.0) == pytest.approx(speed or 0.0, abs=1e-4)
    assert (fix.course_deg or 0.0) == pytest.approx(place["course"] or 0.0)
    assert (fix.altitude_m or 0.0) == pytest.approx(place["altitude"] or 0.0)
    assert (fix.accuracy_m or 0.0) == pytest.approx(place["accuracy"] or 0.0)
    battery = place.get("battery_percent", decoded.get("attributes", {}).get("batteryLevel"))
    assert message.battery_percent == battery


def location(**more: Any) -> dict[str, Any]:
    return {"_type": "location", "lat": 30.27415, "lon": 120.15515, "tst": 1767225600, "acc": 4, "vel": 80, "cog": 271} | more


def told(document: object) -> tuple[Message, ...]:
    return decode("d", json.dumps(document).encode())


FIX = Fix(device="d", fixed_at=AT, lat=30.27415, lon=120.15515, accuracy_m=4.0, speed_kmh=80.0, course_deg=271.0)


def test_numbers_may_come_as_texts_and_what_is_left_out_is_not_known() -> None:
    assert told(location())[0].fix == FIX
    assert told({key: str(value) for key, value in location().items()})[0].fix == FIX
    bare = Fix(device="d", fixed_at=AT, lat=30.27415, lon=120.15515)
    assert told(location(acc=0, vel=-1, cog=-1))[0].fix == bare


def test_a_list_gives_one_message_each_and_a_bad_one_costs_itself_alone() -> None:
    read = told([location(), 5, {"_type": "location", "lat": 1}, {"_type": "lwt", "tst": 1767225600}, location(tst="x")])
    assert [(m.kind, m.trouble, m.fix is not None) for m in read] == [
        ("location", "", True),
        ("", "unreadable", False),
        ("location", "time", False),
        ("lwt", "", False),
        ("location", "time", False),
    ]
    assert told([]) == ()
    assert len(told([{"_type": "lwt"}] * (MAX_MESSAGES + 5))) == MAX_MESSAGES + 1


def test_a_transition_says_which_region_and_where_and_when() -> None:
    (message,) = told(location(_type="transition", event="leave", desc=" 采样站 ", rid="sampling"))
    assert (message.event, message.desc, message.rid) == ("leave", "采样站", "sampling")
    assert message.fix == FIX
    assert told(location(_type="transition", event="stay", desc="x"))[0].trouble == "unreadable"
    (nowhere,) = told({"_type": "transition", "event": "enter", "desc": "x", "tst": 1767225600})
    assert (nowhere.event, nowhere.trouble) == ("", "place")


@pytest.mark.parametrize("body", [b"", b"  \n", b"\xef\xbb\xbf"])
def test_a_body_of_no_length_is_a_sign_of_life(body: bytes) -> None:
    (message,) = decode("d", body)
    assert message.fix is None


HOSTILE = [
    b"[" * 100_000,
    b'{"_type":' * 50_000,
    b'{"_type":"location","lat":NaN,"lon":1,"tst":1}',
    b'{"_type":"location","lat":1e999,"lon":1,"tst":1}',
    b'{"_type":"location","lat":1,"lon":1,"tst":' + b"9" * 5000 + b"}",
    b'{"_type":"location","lat":1,"lon":1,"tst":253402300799}',
    b'{"_type":"transition","event":"enter","lat":1,"lon":1,"tst":"9999-12-31T23:59:59.999999Z"}',
    b'{"_type":"\\ud800","lat":1}',
    b"\xff\xfe{",
    b'"' + b"x" * 1_000_000 + b'"',
    b'{"_type":{"a":1}}',
    b"null",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_sent_to_break_it_breaks_nothing(body: bytes) -> None:
    read = decode("d", body)
    assert len(read) == 1
    assert read[0].fix is None or read[0].kind in ("location", "transition")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_type", "lat", "lon", "tst", "acc", "event", "desc", "vel", "cog"]), inner)
        | st.builds(lambda said: location() | said, st.dictionaries(st.sampled_from(["lat", "lon", "tst", "acc"]), inner))
    ),
    max_leaves=8,
)


@given(anything)
def test_whatever_json_comes_is_read_without_an_error(document: object) -> None:
    for message in told(document):
        assert message.fix is None or (abs(message.fix.lat) <= 90 and message.fix.fixed_at.tzinfo is not None)


def corpus() -> list[bytes]:
    crossing = location(_type="transition", event="enter", desc="采样站", rid="sampling", wtst=1)
    return [json.dumps(each).encode() for each in (location(), crossing, [location(), crossing], {"_type": "lwt", "tst": 1})]


@pytest.mark.parametrize("seed", seeds(1))
def test_messages_that_are_nearly_right_are_read_in_proportion(seed: int) -> None:
    def read(body: bytes) -> object:
        return decode("d", body)

    count = rounds(1_500, soak=20_000)
    assert assault(read, corpus(), named=(), seed=seed, count=count) == count


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_read_without_an_error(body: bytes) -> None:
    assert len(decode("d", body)) <= MAX_MESSAGES + 1
