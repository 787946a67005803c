"""Positions from phones on either database: odd credentials open nothing and break nothing, keys are shown nowhere, and a call
for help is heard whatever is wrong beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import HelpCalled
from checkpoint.store import Store
from checkpoint.store import positions as positions_module
from checkpoint.web import access
from checkpoint.web.access import COORDINATOR, Caller
from checkpoint.web.app import create_app
from checkpoint.web.devices import new_tracker
from checkpoint.web.edge import Edge
from checkpoint.web.limits import Limits
from tests.ground import T0, Still
from tests.places import Place
from tests.terminal import PLATE

OSMAND, OWNTRACKS = "/api/v1/positions/osmand", "/api/v1/positions/owntracks"
AT_S = int(T0.timestamp())


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
    device, found = new_tracker(app.state.house, PLATE, Caller(role=COORDINATOR, who=COORDINATOR), since=T0)
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
    air: TestClient, store: Store, clock: Still, tracker: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions_module, "MOST_STRANGE", 0)
    told = {"id": tracker[1], "lat": "28", "lon": "120.6", "timestamp": "946684900", "alarm": "sos"}
    assert air.get(OSMAND, params=told).status_code == 503, "no room for its place"
    assert calls(store) == [(clock() - T0).total_seconds()]
