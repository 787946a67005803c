"""OwnTracks phones at the server: by key alone, never blocked, told of our stations once, taken at their word when they cross."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from checkpoint.core.loop import Loop, parse
from checkpoint.store import Store
from checkpoint.web.access import COORDINATOR, Caller
from checkpoint.web.app import create_app
from checkpoint.web.devices import bind_device, new_tracker, release_device
from checkpoint.web.edge import Edge
from checkpoint.web.limits import UNBOUND, Limits
from checkpoint.web.regions import LEAST_RADIUS_M, MOST, station_of, told_to, waypoints_of
from tests.ground import T0, Still, document, publish
from tests.served import serving
from tests.test_driver import PLATE, granted
from tests.test_owntracks import HOSTILE

OWNTRACKS = "/api/v1/positions/owntracks"
AT_S = int(T0.timestamp())
DESK = Caller(role=COORDINATOR, who=COORDINATOR)


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example", edge=Edge(limits=Limits(count=lambda: 0.0)))


class Phone:
    """An app with the name and the key of a tracker; it drops a message once it was answered."""

    def __init__(self, app: Any, device: str, key: str) -> None:
        self.device, self.key = device, key
        self.client = TestClient(app, base_url="https://loop.example", client=("203.0.113.7", 50000))

    def send(self, document: object, **more: Any) -> Any:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Limit-U": "somebody", "X-Limit-D": "else"}
        return self.client.post(OWNTRACKS, content=body, headers=headers, auth=(self.device, self.key), **more)

    def asked(self, document: object) -> list[Any]:
        answer = self.send(document)
        assert answer.status_code == 200
        found: list[Any] = answer.json()
        return found


@pytest.fixture
def phone(app: Any) -> Phone:
    device, found = new_tracker(app.state.house, PLATE, DESK)
    return Phone(app, device, found.key)


def location(seconds: int = 0, **more: Any) -> dict[str, Any]:
    return {"_type": "location", "lat": 28.0, "lon": 120.6, "tst": AT_S + seconds, "acc": 5, "tid": "xx", "topic": "a/b/c"} | more


def test_a_phone_is_who_its_key_says_and_nothing_else_it_claims(phone: Phone, store: Store) -> None:
    assert phone.asked(location()) == []
    [fix] = store.positions(PLATE)
    assert (fix.device, fix.accuracy_m) == (phone.device, 5.0)
    phone.asked(location(created_at=AT_S + 5))  # an iPhone sends it again, with another field
    assert len(store.positions(PLATE)) == 1
    assert store.registry.tracker(phone.device).seen_at == T0  # type: ignore[union-attr]


@pytest.mark.parametrize(("user", "password"), [("", ""), ("x", "k"), (None, "k"), ("x", None)])
def test_only_wrong_credentials_are_refused(phone: Phone, store: Store, user: str | None, password: str | None) -> None:
    auth = (phone.device if user is None else user, phone.key if password is None else password)
    right = Phone(phone.client.app, *auth)
    answer = right.send(location())
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert store.positions(PLATE) == []
    assert store.aside() == []
    for header in ("Basic !", "Basic /w==", "Bearer x", "Basic"):
        assert phone.client.post(OWNTRACKS, json={}, headers={"Authorization": header}).status_code == 401


def test_a_device_that_shows_no_more_than_its_number_is_nobody_here(phone: Phone, app: Any, store: Store) -> None:
    bind_device(app.state.house, "869731054", PLATE, DESK)
    for number in ("869731054", "nobody-bound-it"):
        assert Phone(app, number, number).send(location()).status_code == 401
    assert store.positions(PLATE) == []


def test_a_name_typed_with_a_capital_is_the_same_name(phone: Phone) -> None:
    assert Phone(phone.client.app, phone.device.capitalize(), phone.key).asked(location()) == []


def test_guessing_keys_is_slowed_down_and_holds_up_no_phone_of_ours(phone: Phone) -> None:
    wrong = Phone(phone.client.app, phone.device, "wrong")
    assert {wrong.send(location()).status_code for _ in range(UNBOUND.burst + 5)} == {401, 429}
    assert phone.send(location()).status_code == 200


KINDS = ("lwt", "status", "card", "cmd", "waypoint", "waypoints", "steps", "dump", "encrypted", "nobody-knows", "", None, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_message_is_answered_so_that_no_phone_is_blocked(phone: Phone, kind: object) -> None:
    assert phone.asked({"_type": kind, "tst": AT_S, "data": "x"}) == []
    assert phone.asked(b"") == []


def test_enciphered_messages_are_noted_and_the_desk_is_told_what_to_do(phone: Phone, store: Store) -> None:
    for n in range(3):
        phone.asked({"_type": "encrypted", "data": f"secret {n}"})
    kept = [(a.source, a.why, a.raw) for a in store.aside()]
    assert kept == [(f"device:{phone.device}", "position-encrypted", b"encrypted")], "once: a phone sends them for ever"


def test_a_phone_that_sends_nonsense_for_ever_fills_nothing(phone: Phone, store: Store) -> None:
    for n in range(0, 120, 10):
        phone.asked([location(n + k, lat=95) for k in range(10)])
    phone.asked([{"_type": f"strange-{n}"} for n in range(1000)])
    for n in range(110):
        phone.asked({"_type": "strange", "n": n})
    assert len(store.aside(500)) == 100


def test_a_broken_message_is_kept_without_the_networks_it_names(phone: Phone, store: Store) -> None:
    home = {"_type": "waypoints", "waypoints": [{"desc": "at home", "lat": 1, "lon": 2}]}
    phone.asked([location(lat=95, SSID="home", BSSID="00:11"), location(10), home])
    [aside] = store.aside()
    assert aside.why == "position-place"
    assert b"home" not in aside.raw
    assert b"95" in aside.raw
    assert len(store.positions(PLATE)) == 1


def test_a_phone_that_was_released_is_not_blocked_either(app: Any, phone: Phone, store: Store, clock: Still) -> None:
    clock.forward(minutes=5)
    release_device(app.state.house, phone.device, PLATE, DESK)
    assert phone.asked(location(600)) == []
    assert [s.device for s in store.strangers()] == [phone.device] or store.strangers() == []
    clock.forward(minutes=10)
    assert phone.asked(location(700)) == []
    assert phone.device in {s.device for s in store.strangers()}


# -- our stations on the phone ----------------------------------------------------------------------------------------


def told(asked: list[Any]) -> list[Any]:
    [command] = [each for each in asked if each["action"] == "setWaypoints"]
    assert (command["_type"], command["waypoints"]["_type"]) == ("cmd", "waypoints")
    found: list[Any] = command["waypoints"]["waypoints"]
    return found


@pytest.fixture
def under_way(app: Any, phone: Phone) -> Phone:
    """The truck has a pass for the loop."""
    granted(app)
    app.state.house.watch.settle()
    return phone


def test_stations_are_told_until_the_phone_has_read_the_answer_and_then_no_more(under_way: Phone, store: Store) -> None:
    first = told(under_way.asked(location()))
    assert [w["rid"] for w in first] == ["panqiao", "sampling-1", "rest-1", "depot-b"]
    assert first[0] == {
        "_type": "waypoint", "desc": "潘桥仓", "lat": 28.0, "lon": 120.6, "rad": 300, "tst": first[0]["tst"], "rid": "panqiao",
    }  # fmt: skip
    assert told(under_way.asked(location())) == first, "the same message again: the answer was lost"
    assert under_way.asked(location(30)) == []
    assert under_way.asked(location(60)) == []
    assert set(told_to(store.registry.tracker(under_way.device))) == {"panqiao", "sampling-1", "rest-1", "depot-b"}


def test_a_plan_that_changed_is_told_anew_and_what_left_it_is_taken_off(
    app: Any, under_way: Phone, store: Store, clock: Still
) -> None:
    under_way.asked(location())
    under_way.asked(location(30))
    stations = document()["stations"]
    stations[2]["boundary"]["circle"]["radius_m"] = 500
    publish(
        store, version=2, effective_from="2026-05-03T10:10:00+08:00", stations=[s for s in stations if s["id"] != "sampling-1"]
    )
    clock.forward(minutes=20)
    app.state.house.watch.settle()
    news = told(under_way.asked(location(1200)))
    assert [(w["rid"], w["rad"], w["lat"]) for w in news] == [("rest-1", 500, 28.05), ("sampling-1", 300, 100.0)]
    assert under_way.asked(location(1230)) == []


def test_a_truck_without_a_pass_is_told_of_no_station(phone: Phone, app: Any) -> None:
    app.state.house.watch.settle()
    assert phone.asked(location()) == []


@pytest.mark.parametrize("named", [{"rid": "rest-1", "desc": "?"}, {"desc": "司机驿站"}, {"rid": "f00", "desc": "司机驿站"}])
def test_a_phones_word_that_it_crossed_a_station_is_kept_with_its_place(
    under_way: Phone, store: Store, named: dict[str, str]
) -> None:
    under_way.asked(location())
    under_way.asked(location(30))
    crossing = {"_type": "transition", "event": "enter", "lat": 28.05, "lon": 120.6, "tst": AT_S + 60, "acc": 20} | named
    under_way.asked([location(60, lat=28.05), crossing])
    said = [(f.crossing, f.accuracy_m, f.fixed_at) for f in store.positions(PLATE) if f.crossing]
    assert said == [("enter rest-1", 20.0, T0 + timedelta(seconds=60.001))]
    assert len(store.positions(PLATE)) == 4, "the location that came with it is not lost in it"


def test_a_crossing_counts_when_it_is_the_first_thing_said_after_the_stations_were_told(under_way: Phone, store: Store) -> None:
    under_way.asked(location())
    under_way.asked({"_type": "transition", "event": "enter", "lat": 28.0, "lon": 120.6, "tst": AT_S + 5, "desc": "潘桥仓"})
    assert [f.crossing for f in store.positions(PLATE)] == ["", "enter panqiao"]


def test_of_a_region_that_is_none_of_ours_nothing_is_kept_but_that_it_came(under_way: Phone, store: Store) -> None:
    under_way.asked(location())
    under_way.asked(location(30))
    home = {"_type": "transition", "event": "leave", "lat": 27.9, "lon": 120.1, "tst": AT_S + 60, "rid": "a1", "desc": "我家"}
    under_way.asked(home)
    assert len(store.positions(PLATE)) == 2
    assert [(a.why, a.raw) for a in store.aside()] == [("position-region", b"region")]


def test_a_phone_that_lives_and_says_no_place_is_asked_for_one_now_and_then(app: Any, under_way: Phone, clock: Still) -> None:
    under_way.asked(location())
    under_way.asked(location(30))
    app.state.house.watch.settle()
    clock.forward(minutes=20)
    ask = {"_type": "cmd", "action": "reportLocation"}
    assert under_way.asked({"_type": "lwt", "tst": AT_S + 1200}) == [ask]
    assert under_way.asked({"_type": "lwt", "tst": AT_S + 1201}) == []
    clock.forward(minutes=16)
    assert under_way.asked({"_type": "lwt", "tst": AT_S + 2160}) == [ask]


# -- stations as regions ----------------------------------------------------------------------------------------------


def loop(**changes: Any) -> Loop:
    return parse(json.dumps(document(**changes)))


def test_a_polygon_is_told_as_the_circle_around_it_and_none_is_too_small_for_a_phone() -> None:
    stations = document()["stations"]
    square = [[120.599, 27.999], [120.601, 27.999], [120.601, 28.001], [120.599, 28.001]]
    stations[0]["boundary"] = {"polygon": square}
    stations[1]["boundary"]["circle"]["radius_m"] = 20
    found = waypoints_of(loop(stations=stations))
    assert 140 <= found[0].rad <= 160
    assert found[1].rad == LEAST_RADIUS_M


def test_names_are_told_apart_and_times_too_and_no_phone_gets_more_than_it_watches() -> None:
    stations = document()["stations"]
    more = [
        stations[2] | {"id": f"rest-{n}", "boundary": {"circle": {"center": [120.6, 28.05 + n / 1000], "radius_m": 60}}}
        for n in range(2, 40)
    ]
    stations[3]["name"] = {"zh": "上海:仓", "en": "x"}
    found = waypoints_of(loop(stations=[*stations[:2], *more, stations[3]]))
    assert len(found) == MOST
    assert len({w.desc for w in found}) == len({w.tst for w in found}) == MOST
    assert not any(":" in w.desc for w in found)
    held = {w.rid: w for w in found}
    assert station_of(held, "", found[3].desc) == found[3].rid
    assert station_of(held, "", "") == station_of(held, "x", "y") == ""


# -- over a real socket -----------------------------------------------------------------------------------------------


def test_a_real_server_answers_whatever_a_phone_with_its_key_sends(app: Any, phone: Phone) -> None:
    kinds = ("application/json", "text/plain", "", "multipart/form-data", "application/x-www-form-urlencoded")
    with serving(app) as address, httpx.Client(base_url=address, auth=(phone.device, phone.key)) as client:
        for n, body in enumerate([*HOSTILE, b"", b"{}", json.dumps(location()).encode()]):
            headers = {"Content-Type": kinds[n % len(kinds)]} if kinds[n % len(kinds)] else {}
            answer = client.post(OWNTRACKS, content=body, headers=headers)
            assert (answer.status_code, answer.json()) == (200, []), (n, answer.text)
        assert client.post(OWNTRACKS, content=b" " * 1_100_000).status_code == 413
        assert client.post(OWNTRACKS, content=json.dumps(location(5)).encode()).status_code == 200
