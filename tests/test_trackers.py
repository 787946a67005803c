"""Trackers: a key of their own in place of a number anybody can guess; believed until they are shut out."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import DeviceBound, DeviceReleased, Loaded
from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.access import CARRIER, COORDINATOR
from checkpoint.web.app import create_app
from checkpoint.web.edge import Edge
from checkpoint.web.limits import UNBOUND, Limits
from checkpoint.web.set_up import set_up
from tests.ground import T0, Still
from tests.test_driver import granted
from tests.witness import fact

PLATE = "浙C12345"
SENT = "/api/v1/positions/osmand"
AT_S = int(T0.timestamp())


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example", edge=Edge(limits=Limits(count=lambda: 0.0)))


@pytest.fixture
def desk(app: Any) -> TestClient:
    client = TestClient(app, base_url="https://loop.example", headers={"accept": "text/html", "accept-language": "en"})
    sign_in(client)
    return client


def sign_in(client: Any) -> None:
    """A coordinator's session, with a proof that is fresh now."""
    token = access.open_session(client.app.state.house, role=COORDINATOR, who=COORDINATOR, name="周敏")
    client.cookies.set(access.cookie_name(client.app.state.house, COORDINATOR), token)


@pytest.fixture
def air(app: Any) -> TestClient:
    """Where trackers speak from: no session, no browser."""
    return TestClient(app, base_url="https://loop.example", headers={"accept": "*/*"}, client=("203.0.113.7", 50000))


def made(desk: TestClient) -> tuple[str, str, str]:
    """A tracker for the truck: its name, its key, and the page that showed them."""
    answer = desk.post("/stations/trackers", data={"vehicle": PLATE})
    key = re.search(r'id="key"[^>]*value="([a-z2-7]{26})"', answer.text)
    assert key is not None
    return answer.url.path.rsplit("/", 1)[1], key.group(1), answer.text


def send(air: TestClient, shown: str, seconds: int = 0, **more: str) -> Any:
    return air.get(SENT, params={"id": shown, "lat": "28.0", "lon": "120.6", "timestamp": str(AT_S + seconds)} | more)


def devices(store: Store) -> set[str]:
    return {fix.device for fix in store.positions(PLATE)}


def test_a_tracker_is_set_up_by_one_code_and_known_by_a_name_that_opens_nothing(
    desk: TestClient, air: TestClient, store: Store
) -> None:
    device, key, page = made(desk)
    assert 'class="qr"' in page
    assert 'value="https://loop.example/api/v1/positions/osmand"' in page
    answer = send(air, key)
    assert (answer.status_code, answer.json()["device"]) == (200, device)
    assert devices(store) == {device}
    assert send(air, device).status_code == 403, "a name that pages show is no key"
    again = desk.get(f"/stations/trackers/{device}").text
    assert key in again, "reloading shows the same one"
    desk.cookies.delete(next(c.name for c in desk.cookies.jar if "once" in c.name))
    assert key not in desk.get(f"/stations/trackers/{device}").text
    listed = desk.get("/stations").text
    assert device in listed
    assert key not in listed
    assert "its own key" in listed


TOLD = {"accuracy", "interval", "fastest_interval", "distance", "angle", "heartbeat", "stop_detection", "buffer"}


def test_the_scanned_link_is_what_traccar_client_takes_address_and_settings_from(app: Any) -> None:
    found = set_up(app.state.house, "tracker-1", "k" * 26, PLATE)
    parts = urlsplit(found.link)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == found.address
    settings = {key: value for key, [value] in parse_qs(parts.query).items()}
    assert settings.keys() == TOLD | {"id"}
    assert (settings["id"], settings["accuracy"], settings["distance"]) == ("k" * 26, "high", "0")
    assert 10 <= int(settings["fastest_interval"]) <= int(settings["interval"]) <= 30
    opened = urlsplit(found.traccar)
    assert (opened.scheme, opened.netloc) == ("org.traccar.client", "config"), "any host but `action`, which starts and stops"
    assert {key: value for key, [value] in parse_qs(opened.query).items()} == settings | {"url": found.address}


def test_the_owntracks_link_is_a_whole_configuration_with_name_and_key(app: Any) -> None:
    link = set_up(app.state.house, "tracker-1", "k" * 26, PLATE).owntracks
    start, _, inline = link.partition("inline=")
    assert start == "owntracks:///config?"
    assert re.fullmatch(r"[A-Za-z0-9%]+", inline), "a plus or a slash that is not escaped is lost on the way"
    told = json.loads(base64.b64decode(unquote(inline), validate=True))
    assert (told["_type"], told["mode"], told["url"]) == ("configuration", 3, "https://loop.example/api/v1/positions/owntracks")
    assert (told["username"], told["password"], told["tid"]) == ("tracker-1", "k" * 26, "45")
    assert (told["monitoring"], told["cmd"], told["encryptionKey"]) == (2, True, "")
    assert 10 <= told["locatorInterval"] <= 30


def test_the_record_keeps_a_keys_hash_and_nothing_of_the_key(
    desk: TestClient, air: TestClient, store: Store, tmp_path: Path
) -> None:
    device, key, _ = made(desk)
    send(air, key)
    send(air, key, lat="95")  # cannot be a place: kept aside
    send(air, key, timestamp="sometime")
    assert {a.source for a in store.aside()} == {f"device:{device}"}
    assert all(key.encode() not in a.raw for a in store.aside())
    bound = [f.what for f in store.facts_of(f"vehicle:{PLATE}") if isinstance(f.what, DeviceBound)]
    assert [b.device for b in bound] == [device]
    store.close()
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.parametrize("form", ["query", "form", "json"])
def test_a_key_is_taken_in_every_form_the_apps_send(desk: TestClient, air: TestClient, store: Store, form: str) -> None:
    device, key, _ = made(desk)
    if form == "query":
        answer = send(air, key)
    elif form == "form":
        answer = air.post(SENT, data={"id": key, "lat": "28.0", "lon": "120.6", "timestamp": str(AT_S)})
    else:
        location = {"timestamp": T0.isoformat(), "coords": {"latitude": 28.0, "longitude": 120.6}}
        answer = air.post(SENT, json={"device_id": key, "location": location})
    assert answer.status_code == 200
    assert devices(store) == {device}


def test_shut_out_it_is_not_believed_and_what_it_sent_stays(desk: TestClient, air: TestClient, store: Store) -> None:
    device, key, _ = made(desk)
    send(air, key)
    desk.post(f"/stations/shut-out/{device}")
    answer = send(air, key, 60)
    assert answer.status_code == 404, "its key is forgotten: it is a stranger"
    assert len(store.positions(PLATE)) == 1
    assert "Shut out" in desk.get("/stations").text
    page = desk.post(f"/stations/trackers/{device}").text
    anew = re.search(r'id="key"[^>]*value="([a-z2-7]{26})"', page)
    assert anew is not None
    assert send(air, anew.group(1), 120).status_code == 200
    assert send(air, key, 180).status_code == 404
    assert devices(store) == {device}


def test_a_device_bound_by_its_number_counts_until_it_is_shut_out_or_gets_a_key(
    desk: TestClient, air: TestClient, store: Store
) -> None:
    desk.post("/stations/devices", data={"device": "860123", "vehicle": PLATE})
    assert send(air, "860123").status_code == 200
    assert "its number only" in desk.get("/stations").text
    desk.post("/stations/shut-out/860123")
    answer = send(air, "860123", 60)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1].rsplit("#", 1)[-1]) == (403, "device-revoked")
    page = desk.post("/stations/trackers/860123").text
    key = re.search(r'id="key"[^>]*value="([a-z2-7]{26})"', page)
    assert key is not None
    assert send(air, key.group(1), 120).status_code == 200
    assert devices(store) == {"860123"}, "the truck's track goes on under the same name"


@pytest.mark.parametrize("number", ["a/b", "86 01?23", "50%#x"])
def test_a_device_is_shut_out_whatever_its_number_is_made_of(desk: TestClient, air: TestClient, number: str) -> None:
    desk.post("/stations/devices", data={"device": number, "vehicle": PLATE})
    assert send(air, number).status_code == 200
    listed = re.findall(r'href="(/stations/trackers/[^"]+)"', desk.get("/stations").text)
    assert len(listed) == 1
    assert 'id="key"' in desk.post(listed[0]).text
    desk.post(listed[0].replace("trackers", "shut-out"))
    assert send(air, number, 60).status_code == 403


def test_a_number_that_got_a_key_is_not_believed_without_it(desk: TestClient, air: TestClient) -> None:
    desk.post("/stations/devices", data={"device": "860123", "vehicle": PLATE})
    desk.post("/stations/trackers/860123")
    assert send(air, "860123").status_code == 403


def test_nobody_speaks_in_the_name_of_a_drivers_phone(desk: TestClient, air: TestClient, store: Store) -> None:
    from tests.test_driver import opened

    done = granted(air.app)
    opened(air.app, done)
    [link] = store.registry.links(done.pass_id)
    assert send(air, f"phone-{link.id}").status_code == 403
    assert store.positions(PLATE) == []
    assert desk.post("/stations/devices", data={"device": f"phone-{link.id}", "vehicle": "浙C54321"}).status_code == 422
    assert f"phone-{link.id}" not in desk.get("/stations").text


def test_the_list_says_when_a_tracker_was_last_heard(desk: TestClient, air: TestClient, store: Store, clock: Still) -> None:
    device, key, _ = made(desk)
    assert store.registry.tracker(device).seen_at is None  # type: ignore[union-attr]
    send(air, key)
    first = store.registry.tracker(device).seen_at  # type: ignore[union-attr]
    assert first == T0
    clock.forward(seconds=30)
    send(air, key, 30)
    assert store.registry.tracker(device).seen_at == first, "not at every message: each time would cost a commit"  # type: ignore[union-attr]
    clock.forward(seconds=60)
    send(air, key, 90)
    assert store.registry.tracker(device).seen_at == clock()  # type: ignore[union-attr]


def test_a_flood_of_unbound_devices_fills_nothing_and_holds_up_no_tracker_of_ours(
    desk: TestClient, air: TestClient, store: Store
) -> None:
    _, key, _ = made(desk)
    answers = [send(air, f"flood-{n}").status_code for n in range(UNBOUND.burst + 20)]
    assert answers[0] == 404
    assert answers[-1] == 429
    assert len(store.strangers(10_000)) <= UNBOUND.burst + 5
    assert send(air, key).status_code == 200
    other = TestClient(air.app, base_url="https://loop.example", headers={"accept": "*/*"}, client=("198.51.100.4", 50000))
    assert send(other, "999").status_code == 404, "another address is not held up by it"


def test_a_program_makes_a_tracker_too(app: Any, air: TestClient, store: Store, clock: Still) -> None:
    token = access.open_session(app.state.house, role=COORDINATOR, who=COORDINATOR, name="周敏")
    headers = {"Authorization": f"Bearer {token}"}
    told = air.post("/api/v1/devices", json={"vehicle": PLATE}, headers=headers).json()
    assert send(air, told["key"]).status_code == 200
    assert told["owntracks"].startswith("owntracks:///config?inline=")
    assert told["traccar"].startswith("org.traccar.client://config?")
    release = {"device": told["device"]}
    clock.forward(seconds=1)
    for _ in range(2):
        answer = air.post("/api/v1/devices/release", json=release, headers=headers)
        assert (answer.status_code, answer.json()["vehicle"]) == (200, PLATE)
    assert len([f for f in store.facts_of(f"device:{told['device']}") if isinstance(f.what, DeviceReleased)]) == 1
    assert air.post("/api/v1/devices/release", json={"device": "nobody"}, headers=headers).status_code == 404
    assert devices(store) == {told["device"]}
    for taken in ("tracker-0", "phone-link-1"):
        answer = air.post("/api/v1/devices", json={"vehicle": PLATE, "device": taken}, headers=headers)
        assert answer.status_code == 422, "our names are not given away"


def test_a_tracker_that_was_released_is_not_turned_away_and_what_it_sends_waits(
    desk: TestClient, air: TestClient, store: Store, clock: Still
) -> None:
    device, key, _ = made(desk)
    clock.forward(hours=1)
    assert desk.post(f"/stations/release/{device}").status_code == 200
    assert "no vehicle" in desk.get("/stations").text
    assert send(air, key, 3600).status_code == 200, "its owner has nothing to mend, and the phone must not be blocked"
    assert send(air, key, 60).status_code == 200
    assert air.get(SENT, params={"id": key, "alarm": "sos", "timestamp": str(AT_S + 3600)}).status_code == 200
    assert [(a.source, a.why) for a in store.aside()] == [(f"device:{device}", "position-sos")], "nobody's call is lost"
    assert [f.fixed_at for f in store.positions(PLATE)] == [T0 + timedelta(seconds=60)]
    assert [s.device for s in store.strangers()] == [device], "by its name, never by its key"
    assert desk.post(f"/stations/release/{device}").status_code == 404, "it reports for nobody"
    clock.forward(seconds=1)
    times = {"since": "2026-05-03T10:30:00", "until": "2026-05-03T11:30:00"}
    sign_in(desk)
    desk.post("/stations/devices", data={"device": device, "vehicle": "浙C54321"} | times)
    assert [f.device for f in store.positions("浙C54321")] == [device]
    page = desk.get(f"/stations/trackers/{device}").text
    assert page.count('class="plate" href="/vehicles/') == 3, "both bindings, and the truck it reports for now"


def test_the_trucks_page_says_who_reports_for_it_and_that_one_lives_without_knowing_where_it_is(
    app: Any, desk: TestClient, air: TestClient, clock: Still
) -> None:
    granted(app)
    device, key, _ = made(desk)
    send(air, key)
    clock.forward(minutes=12)
    assert air.post(SENT, data={"id": key, "timestamp": str(AT_S + 720), "batt": "80"}).status_code == 200
    app.state.house.watch.settle()
    page = desk.get(f"/vehicles/{PLATE}").text
    assert f'href="/stations/trackers/{device}"' in page
    assert "It lives, and has not said where it is for 12 min" in page
    send(air, key, 720)
    assert "It lives" not in desk.get(f"/vehicles/{PLATE}").text
    carrier = TestClient(app, base_url="https://loop.example", headers={"accept": "text/html", "accept-language": "en"})
    token = access.open_session(app.state.house, role=CARRIER, who="瓯海冷链", name="瓯海冷链")
    carrier.cookies.set(access.cookie_name(app.state.house, COORDINATOR), token)
    answer = carrier.get(f"/vehicles/{PLATE}")
    assert answer.status_code == 200
    assert "Where its positions come from" not in answer.text


def test_a_number_that_opens_the_door_is_shown_to_no_carrier(app: Any, desk: TestClient, air: TestClient, clock: Still) -> None:
    granted(app)
    number, house = "865432100000017", app.state.house
    look = house.watch.look(PLATE)
    what = Loaded(vehicle=PLATE, pass_id=look.view.pass_.grant.pass_id, parcels_count=1, seal="1")
    house.intake.record(fact("loaded", T0, what))
    desk.post("/stations/devices", data={"device": number, "vehicle": PLATE})
    assert send(air, number, alarm="sos").status_code == 200
    house.watch.settle()
    assert f'<span class="soft figures">{number}</span>' in desk.get(f"/vehicles/{PLATE}").text
    carrier = TestClient(app, base_url="https://loop.example", headers={"accept-language": "en"})
    token = access.open_session(house, role=CARRIER, who="瓯海冷链", name="瓯海冷链")
    carrier.cookies.set(access.cookie_name(house, COORDINATOR), token)
    at = house.watch.look(PLATE).view.journey.id
    own = [f"/vehicles/{PLATE}{page}" for page in ("", "/replay", "/replay.json", "/plan.json")]
    for path in (*own, "/", "/board/live", f"/api/v1/vehicles/{PLATE}", f"/api/v1/journeys/{at}", "/api/v1/warnings"):
        answer = carrier.get(path, headers={"accept": "application/json" if "api" in path else "text/html"})
        assert (answer.status_code, number in answer.text) == (200, False), path


def test_what_nobody_bound_has_no_page(desk: TestClient) -> None:
    assert desk.get("/stations/trackers/nobody").status_code == 404
    for deed in ("trackers", "shut-out"):
        assert desk.post(f"/stations/{deed}/nobody").status_code == 404
    assert desk.post("/stations/trackers", data={"vehicle": "x"}).status_code == 422
