"""Messages as phones send them, with the reading expected of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core.fixes import Fix
from checkpoint.decoders import osmand
from checkpoint.decoders.osmand import Message, decode
from tests.fuzzing import assault
from tests.seeds import rounds, seeds

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "vectors" / "osmand.json"
RECEIVED = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def captured() -> list[Any]:
    if not VECTORS.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the captured messages are not here"))]
    return [pytest.param(case, id=case["name"]) for case in json.loads(VECTORS.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("case", captured())
def test_captured_messages_are_read_as_expected(case: dict[str, Any]) -> None:
    sent, expected = case["input"], case["expected"]
    message = decode(
        sent["method"],
        sent["url"].partition("?")[2],
        sent["headers"].get("Content-Type", ""),
        sent["body"].encode(),
        RECEIVED,
    )
    assert message.device == expected["device_id"]
    assert not message.trouble
    place = expected["position"]
    if place is None or "lat" not in place:
        assert message.heartbeat
        assert not message.fixes
        return
    (fix,) = message.fixes
    assert (fix.lat, fix.lon) == pytest.approx((place["lat"], place["lon"]), abs=1e-9)
    if place.get("time") == "<receive time>":
        assert fix.fixed_at == RECEIVED
    else:
        assert fix.fixed_at == datetime.fromisoformat(place["time"])
    assert fix.valid is place.get("valid", True)
    # What a tracker stores as 0 for want of a value is None here.
    assert (fix.speed_kmh or 0.0) == pytest.approx(place.get("speed_knots", 0.0) * 1.852)
    assert (fix.course_deg or 0.0) == pytest.approx(place.get("course", 0.0))
    if "altitude" in place:
        assert (fix.altitude_m or 0.0) == pytest.approx(place["altitude"])
    if place.get("accuracy"):
        assert fix.accuracy_m == pytest.approx(place["accuracy"])
    alarm = place.get("attributes", {}).get("alarm", "")
    assert message.alarm == alarm
    if "batteryLevel" in place.get("attributes", {}):
        assert message.battery_percent == pytest.approx(place["attributes"]["batteryLevel"])


AT = datetime(2026, 1, 1, tzinfo=UTC)
HANGZHOU = Fix(
    device="48241179",
    fixed_at=AT,
    lat=30.27415,
    lon=120.15515,
    accuracy_m=4.2,
    speed_kmh=18.52,
    course_deg=271.0,
    altitude_m=12.5,
)
PARAMETERS = (
    "id=48241179&lat=30.27415&lon=120.15515&timestamp=1767225600&accuracy=4.2&altitude=12.5&speed=10&bearing=271.0&batt=87.0"
)
DOCUMENT = {
    "device_id": "48241179",
    "location": {
        "timestamp": "2026-01-01T08:00:00.000+08:00",
        "coords": {
            "latitude": 30.27415,
            "longitude": 120.15515,
            "accuracy": 4.2,
            "speed": 18.52 / 3.6,
            "heading": 271.0,
            "altitude": 12.5,
        },
        "battery": {"level": 0.87, "is_charging": False},
    },
}


@pytest.mark.parametrize(
    ("method", "query", "content_type", "body"),
    [
        ("POST", PARAMETERS, "", b""),
        ("GET", PARAMETERS, "", b""),
        ("POST", "", FORM, PARAMETERS.encode()),
        ("POST", "", "", PARAMETERS.encode()),
        ("POST", "", "application/json", json.dumps(DOCUMENT).encode()),
        ("POST", "", "application/json; charset=utf-8", json.dumps(DOCUMENT | {"location": [DOCUMENT["location"]]}).encode()),
    ],
)
def test_all_generations_say_the_same(method: str, query: str, content_type: str, body: bytes) -> None:
    message = decode(method, query, content_type, body, RECEIVED)
    assert message == Message(device="48241179", fixes=(HANGZHOU,), at=AT, battery_percent=87.0)


def form(text: str) -> Message:
    return decode("POST", "", FORM, text.encode(), RECEIVED)


@pytest.mark.parametrize(
    "text",
    [
        "1767225600",
        "1767225600000",
        "1767225600.0",
        "2026-01-01T00:00:00Z",
        "2026-01-01T08:00:00%2B08:00",
        "2026-01-01T08:00:00+08:00",  # a plus nobody escaped is a blank
        "2026-01-01+00:00:00",
    ],
)
def test_times_in_all_forms_are_one_instant(text: str) -> None:
    assert form(f"id=1&lat=30&lon=120&timestamp={text}").fixes[0].fixed_at == AT


def test_without_a_time_the_moment_received_stands_in() -> None:
    assert form("id=1&lat=30&lon=120").fixes[0].fixed_at == RECEIVED


@pytest.mark.parametrize("text", ["yesterday", "99999999999999999999", "nan", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_gives_no_fix_but_is_accepted(text: str) -> None:
    message = form(f"id=1&lat=30&lon=120&timestamp={text}")
    assert (message.fixes, message.trouble, message.heartbeat) == ((), "time", False)


@pytest.mark.parametrize("place", ["lat=91&lon=120", "lat=30&lon=181", "lat=nan&lon=120", "lat=30", "lat=x&lon=y", "location=30"])
def test_a_place_that_is_none_gives_no_fix_but_is_accepted(place: str) -> None:
    message = form(f"id=1&timestamp=1767225600&{place}")
    assert (message.fixes, message.trouble, message.at) == ((), "place", AT)


def test_a_sign_of_life_is_not_a_position() -> None:
    assert form("id=1&timestamp=1767225600&batt=86") == Message(device="1", heartbeat=True, at=AT, battery_percent=86.0)
    body = json.dumps({"device_id": "1", "location": {"timestamp": "2026-01-01T00:00:00Z", "battery": {"level": -1}}}).encode()
    assert decode("POST", "", "application/json", body, RECEIVED) == Message(device="1", heartbeat=True, at=AT)


def test_an_alarm_comes_with_or_without_a_place() -> None:
    assert form("id=1&alarm=sos").alarm == "sos"
    assert form("id=1&lat=30&lon=120&alarm=sos").alarm == "sos"
    body = json.dumps({"device_id": 7, "location": DOCUMENT["location"] | {"alarm": "sos", "mock": True}}).encode()  # type: ignore[operator]
    message = decode("POST", "", "application/json", body, RECEIVED)
    assert (message.device, message.alarm, message.mocked, len(message.fixes)) == ("7", "sos", True, 1)
    assert message.fixes[0].alarms == ("sos", "mocked")


def test_a_position_the_phone_calls_simulated_is_kept_and_not_believed() -> None:
    body = json.dumps({"device_id": "7", "location": DOCUMENT["location"] | {"mock": True}}).encode()  # type: ignore[operator]
    (fix,) = decode("POST", "", "application/json", body, RECEIVED).fixes
    assert (fix.lat, fix.alarms, fix.stands_for_a_place) == (30.27415, ("mocked",), False)


def test_an_alarm_of_the_apps_own_making_is_no_alarm_of_ours() -> None:
    assert form("id=1&lat=30&lon=120&alarm=alert+message").fixes[0].alarms == ()
    assert form("id=1&lat=30&lon=120&alarm=sos").fixes[0].alarms == ("sos",)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("speed=-1", (None, None, None)),
        ("speed=0&accuracy=0", (0.0, None, None)),
        ("accuracy=-5&bearing=-1", (None, None, None)),
        ("speed=inf&accuracy=nan&bearing=720", (None, None, None)),
        ("heading=360", (None, 0.0, None)),
    ],
)
def test_what_a_device_does_not_know_is_none(said: str, meant: tuple[float | None, ...]) -> None:
    (fix,) = form(f"id=1&lat=30&lon=120&{said}").fixes
    assert (fix.speed_kmh, fix.course_deg, fix.accuracy_m) == meant


@pytest.mark.parametrize(("said", "valid"), [("", True), ("&valid=true", True), ("&valid=1", True), ("&valid=false", False)])
def test_a_device_may_call_its_own_position_invalid(said: str, valid: bool) -> None:
    assert form(f"id=1&lat=30&lon=120{said}").fixes[0].valid is valid


def test_osmand_set_up_by_us_says_that_its_speeds_are_metres_a_second() -> None:
    assert form("id=1&lat=30&lon=120&speed=10").fixes[0].speed_kmh == pytest.approx(18.52)
    assert form("id=1&lat=30&lon=120&speed=10&speed_unit=mps").fixes[0].speed_kmh == pytest.approx(36)


def test_the_query_wins_over_the_body() -> None:
    assert decode("POST", "id=1&lat=30&lon=120", FORM, b"id=2&lat=1&lon=1", RECEIVED).device == "1"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b""),
        (FORM, b"lat=30&lon=120"),
        (FORM, b"id=&lat=30"),
        (FORM, ("id=" + "9" * 101).encode()),
        (FORM, b"id=a%00b"),
        (FORM, b"&".join(b"k%d=1" % i for i in range(300))),
        ("application/json", b"{}"),
        ("application/json", b"not JSON"),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"device_id": true}'),
    ],
)
def test_only_a_message_that_names_no_device_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(osmand.MalformedMessage, match="in the app"):
        decode("POST", "", content_type, body, RECEIVED)


@pytest.mark.parametrize("body", [b"not JSON", b"[1]", b'{"location": 5}', b'{"location": [5]}'])
def test_what_cannot_be_read_from_a_known_device_is_accepted(body: bytes) -> None:
    assert decode("POST", "id=1", "application/json", body, RECEIVED) == Message(device="1", trouble="unreadable")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["coords", "timestamp", "battery", "alarm"]), inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("kind", ["query", "form", "json"])
def test_messages_that_are_nearly_right_are_read_in_proportion_or_name_no_device(kind: str, seed: int) -> None:
    def read(sent: bytes) -> object:
        if kind == "query":
            return decode("POST", sent.decode("utf-8", "replace"), "", b"", RECEIVED)
        return decode("POST", "", FORM if kind == "form" else "application/json", sent, RECEIVED)

    form_corpus = [PARAMETERS.encode(), b"id=1&location=30,120&timestamp=2026-01-01+00:00:00&alarm=sos"]
    json_corpus = [json.dumps(DOCUMENT).encode(), json.dumps(DOCUMENT | {"location": [DOCUMENT["location"]] * 3}).encode()]
    corpus = json_corpus if kind == "json" else form_corpus
    count = rounds(700, soak=20_000)
    taken = assault(read, corpus, named=(osmand.MalformedMessage,), seed=seed, count=count)
    assert taken > count // 30


@given(anything)
def test_no_json_from_a_known_device_is_refused(location: object) -> None:
    body = json.dumps({"device_id": "1", "location": location}).encode()
    assert decode("POST", "", "application/json", body, RECEIVED).device == "1"


@given(st.dictionaries(st.sampled_from(["lat", "lon", "timestamp", "speed", "batt", "location", "valid"]), st.text(max_size=8)))
def test_no_form_from_a_known_device_is_refused(said: dict[str, str]) -> None:

    assert form(urlencode({"id": "1"} | said)).device == "1"
