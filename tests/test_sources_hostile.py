"""Positions from phones on either database: odd credentials open nothing and break nothing, keys are shown nowhere, and a call
for help is heard whatever is wrong beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.declared import Declared
from checkpoint.core.facts import DeviceBound, HelpCalled, Voided
from checkpoint.core.fixes import Fix
from checkpoint.hearing import FixesTaken
from checkpoint.store import Store
from checkpoint.store import positions as positions_module
from checkpoint.web import access
from checkpoint.web.access import COORDINATOR, Caller
from checkpoint.web.app import create_app
from checkpoint.web.devices import bind_device, new_tracker
from checkpoint.web.edge import Edge
from checkpoint.web.limits import Limits
from tests.ground import T0, Still
from tests.places import Place
from tests.terminal import PLATE
from tests.witness import fact

OSMAND, OWNTRACKS = "/api/v1/positions/osmand", "/api/v1/positions/owntracks"
AT_S = int(T0.timestamp())
DESK = Caller(role=COORDINATOR, who=COORDINATOR)


@pytest.fixture
def clock() -> Still:
    return Still(T0 + timedelta(hours=5))


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    store = place.open(clock)
    yield store
    store.close()


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example", edge=Edge(limits=Limits(count=lambda: 0.0)))


@pytest.fixture
def air(app: Any) -> TestClient:
    return TestClient(app, base_url="https://loop.example", client=("203.0.113.7", 50000))


@pytest.fixture
def tracker(app: Any) -> tuple[str, str]:
    device, found = new_tracker(app.state.house, PLATE, DESK, since=T0)
    return device, found.key


def calls(store: Store) -> list[float]:
    found = [each.fact for each in store.facts_of_kind("HelpCalled")]
    assert all(isinstance(fact.what, HelpCalled) and fact.what.vehicle == PLATE for fact in found)
    return [(fact.at - T0).total_seconds() for fact in found]


def test_credentials_that_no_database_can_hold_are_wrong_ones(air: TestClient, tracker: tuple[str, str]) -> None:
    device, key = tracker
    for shown in (f"{device}:{key}\0", f"{device}\0:{key}", f"{device}:\0", "\0", f"{device}:\r\n{key}"):
        headers = {"Authorization": "Basic " + base64.b64encode(shown.encode()).decode()}
        assert air.post(OWNTRACKS, content=b"{}", headers=headers).status_code == 401


def test_an_address_that_no_database_can_hold_is_not_there(app: Any) -> None:
    desk = TestClient(app, base_url="https://loop.example", headers={"Origin": "https://loop.example"})
    token = access.open_session(app.state.house, role=COORDINATOR, who=COORDINATOR, name="周敏")
    desk.cookies.set(access.cookie_name(app.state.house, COORDINATOR), token)
    for path in ("/stations/trackers/a%00b", "/stations/terminals/a%00b", "/stations/declared/%00", "/api/v1/vehicles/%00"):
        assert desk.get(path).status_code == 404
    assert desk.post("/stations/shut-out/a%00b").status_code == 404


def test_a_key_typed_on_a_phone_that_begins_with_a_capital_is_the_key(
    air: TestClient, store: Store, tracker: tuple[str, str]
) -> None:
    device, key = tracker
    for typed in (key.capitalize(), key.upper()):
        answer = air.get(OSMAND, params={"id": typed, "lat": "28", "lon": "120.6", "timestamp": str(AT_S)})
        assert (answer.status_code, answer.json()["device"]) == (200, device)
    assert air.post(OWNTRACKS, content=b"{}", auth=(device, key.capitalize())).status_code == 200
    assert store.strangers() == []


def test_a_key_is_set_aside_in_no_way_of_writing_it(air: TestClient, store: Store, tracker: tuple[str, str]) -> None:
    _, key = tracker
    percent, escaped = "".join(f"%{ord(c):02x}" for c in key), "".join(f"\\u{ord(c):04x}" for c in key)
    assert air.get(f"{OSMAND}?id={percent}&lat=1&lon=x").status_code == 200
    document = f'{{"device_id":"{escaped}","location":{{"timestamp":"soon"}}}}'
    assert air.post(OSMAND, content=document.encode(), headers={"Content-Type": "application/json"}).status_code == 200
    kept = [each.raw.decode() for each in store.aside()]
    assert len(kept) == 2
    assert all(key not in raw and percent not in raw and escaped not in raw for raw in kept)


def test_a_call_that_says_no_time_is_another_when_it_comes_the_next_day(
    air: TestClient, store: Store, clock: Still, tracker: tuple[str, str]
) -> None:
    for _ in range(2):
        for _ in range(3):
            assert air.get(OSMAND, params={"id": tracker[1], "alarm": "sos"}).status_code == 200
        clock.forward(days=1)
    assert len(calls(store)) == 2


def test_a_call_is_heard_now_when_the_phones_date_cannot_be(
    air: TestClient, store: Store, clock: Still, tracker: tuple[str, str]
) -> None:
    told = {"id": tracker[1], "lat": "28", "lon": "120.6", "timestamp": "946684900", "alarm": "sos"}
    assert air.get(OSMAND, params=told).status_code == 200
    assert calls(store) == [(clock() - T0).total_seconds()]


def test_a_phone_with_a_wrong_clock_fills_nothing_up_and_what_it_says_with_the_right_one_gets_through(
    app: Any, air: TestClient, store: Store, clock: Still, tracker: tuple[str, str]
) -> None:
    device, key = tracker
    intake = app.state.house.intake
    wrong = [
        Fix(device=device, fixed_at=clock() + timedelta(hours=8, seconds=n - 6_000), lat=28.0, lon=120.6)
        for n in range(positions_module.MOST_STRANGE_PER_DEVICE)
    ]
    assert intake.take_fixes(wrong) == FixesTaken(strange=len(wrong))

    def send(at: datetime) -> int:
        """The head of its queue: what stands behind it is sent once this was answered with 200."""
        told = {"id": key, "lat": "28", "lon": "120.6", "timestamp": str(int(at.timestamp()))}
        return air.get(OSMAND, params=told).status_code

    assert send(clock() + timedelta(hours=8)) == 200
    assert send(clock()) == 200, "its clock was put right"
    assert [f.fixed_at for f in store.positions(PLATE)] == [clock()]
    assert intake.declare(device, Declared(clock_s=8 * 3600)) == len(wrong) + 1, "nothing was lost meanwhile"
    assert store.strangers() == []


def test_a_room_that_anybody_filled_turns_no_phone_of_ours_away(
    app: Any, air: TestClient, store: Store, clock: Still, tracker: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions_module, "MOST_STRANGE", 3)
    told = {"lat": "28", "lon": "120.6", "timestamp": str(AT_S)}
    assert [air.get(OSMAND, params={"id": f"x-{n}", **told}).status_code for n in range(4)] == [404] * 3 + [503]
    house = app.state.house
    bind_device(house, "999", PLATE, DESK, since=clock())
    assert air.get(OSMAND, params={"id": "999", **told}).status_code == 200, "of before it was bound: kept apart"
    future = {"id": tracker[1], **told, "timestamp": str(AT_S + 90_000)}
    assert air.get(OSMAND, params=future).status_code == 200
    (bound,) = [f for f in store.facts_of(f"device:{tracker[0]}") if isinstance(f.what, DeviceBound)]
    house.intake.record(fact("void", clock(), Voided(target=bound.id, reason="another truck"), station=""))
    clock.forward(seconds=1)
    assert air.get(OSMAND, params=future | {"timestamp": str(AT_S + 1)}).status_code == 200, "it shows a key of ours: it is ours"
    assert sorted(s.device for s in store.strangers()) == sorted(["x-0", "x-1", "x-2", "999", *[tracker[0]] * 2])
