"""The machine-facing API: every call does its one thing, may be repeated, and says what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core import passes, pins
from checkpoint.core.facts import Fact, HelpCalled, LoopPublished, PassGranted, WarningAnswered, WarningRaised
from checkpoint.core.passes import PROVINCES
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web import access
from checkpoint.web.app import create_app
from tests.accounts import PASSPHRASE, account
from tests.ground import ID_NUMBER, LOOP, T0, Still, document

Post = Callable[..., Any]
CARRIER_NAME = "瓯海冷链"


@pytest.fixture
def client(store: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(store, clock, public_url="https://loop.example"), base_url="https://loop.example") as client:
        yield client


@pytest.fixture
def bearer(client: TestClient) -> Callable[[str], dict[str, str]]:
    """The header of a session in a role, opened without its password."""
    house = client.app.state.house  # type: ignore[attr-defined]

    def header(role: str) -> dict[str, str]:
        who = CARRIER_NAME if role == "carrier" else role
        return {"Authorization": f"Bearer {access.open_session(house, role=role, who=who, name='测试')}"}

    return header


@pytest.fixture
def desk(client: TestClient, bearer: Callable[[str], dict[str, str]]) -> Post:
    """POST as the coordinator."""
    headers = bearer("coordinator")

    def post(path: str, body: Any = None, **more: Any) -> Any:
        return client.post(f"/api/v1{path}", json=body if body is not None else {}, headers=headers, **more)

    return post


def wish(**changes: Any) -> dict[str, Any]:
    return {
        "carrier": CARRIER_NAME,
        "vehicle": "浙C12345",
        "crew": [{"name": "张三", "id_number": ID_NUMBER, "phone": "13800138000"}],
        "loop": LOOP,
        "not_before": T0.isoformat(),
        "expires": (T0 + timedelta(days=3)).isoformat(),
    } | changes


def kiosk_of(client: TestClient, desk: Post, station: str = "panqiao", key: str = "aa" * 32) -> dict[str, Any]:
    token = desk("/kiosks", {"station": station}).json()["token"]
    enrolled = client.post("/api/v1/enrol", json={"token": token, "public_key": PUBLIC_KEY if key == "aa" * 32 else key})
    assert enrolled.status_code == 200, enrolled.text
    return dict(enrolled.json())


# The public key of RFC 8032's first test.
PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

# -- who may ------------------------------------------------------------------------------------------------------------

CALLS = (
    ("POST", "/api/v1/facts", {"kiosk"}),
    ("GET", "/api/v1/feed", {"kiosk"}),
    ("POST", "/api/v1/pass-requests", {"carrier", "coordinator"}),
    ("POST", "/api/v1/pass-requests/x/grant", {"coordinator"}),
    ("POST", "/api/v1/pass-requests/x/refuse", {"coordinator"}),
    ("POST", "/api/v1/passes/x/revoke", {"coordinator"}),
    ("POST", "/api/v1/passes/x/reissue", {"coordinator"}),
    ("POST", "/api/v1/loops", {"coordinator"}),
    ("POST", "/api/v1/devices", {"coordinator"}),
    ("POST", "/api/v1/devices/release", {"coordinator"}),
    ("POST", "/api/v1/kiosks", {"coordinator"}),
    ("POST", "/api/v1/staff", {"coordinator"}),
    ("POST", "/api/v1/lab/results", {"laboratory"}),
    ("POST", "/api/v1/warnings/x/answer", {"coordinator"}),
    ("GET", "/api/v1/vehicles", {"carrier", "coordinator"}),
)


@pytest.mark.parametrize(("method", "path", "who"), CALLS)
def test_nobody_passes_who_is_not_named(
    client: TestClient, bearer: Callable[[str], dict[str, str]], method: str, path: str, who: set[str]
) -> None:
    assert client.request(method, path).status_code == 401
    assert client.request(method, path, headers={"Authorization": "Bearer nonsense"}).status_code == 401
    for role in {"coordinator", "carrier", "laboratory"} - who:
        assert client.request(method, path, headers=bearer(role)).status_code == 403, role
    for role in {"coordinator", "carrier", "laboratory"} & who:
        assert client.request(method, path, headers=bearer(role)).status_code not in (401, 403, 500), role


@pytest.mark.parametrize(("method", "path", "who"), CALLS)
def test_any_bytes_at_all_are_answered_without_an_error_of_ours(
    client: TestClient, desk: Post, bearer: Callable[[str], dict[str, str]], method: str, path: str, who: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {kiosk_of(client, desk)['key']}"} if who == {"kiosk"} else bearer(min(who))
    for body in (b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 60_000, b'{"a":1}', "😀".encode()):
        answered = client.request(method, path, content=body, headers=headers)
        assert answered.status_code < 500, answered.text


@pytest.mark.parametrize(("method", "path", "who"), [c for c in CALLS if c[0] == "POST"])
def test_five_megabytes_of_json_are_refused_with_a_clear_text(
    client: TestClient, desk: Post, bearer: Callable[[str], dict[str, str]], method: str, path: str, who: set[str]
) -> None:
    huge = b'{"a":"' + b"x" * (5 * 1024 * 1024) + b'"}'
    headers = {"Authorization": f"Bearer {kiosk_of(client, desk)['key']}"} if who == {"kiosk"} else bearer(min(who))
    answered = client.request(method, path, content=huge, headers=headers | {"Accept-Language": "en"})
    assert answered.status_code == 413
    assert answered.headers["content-type"] == "application/problem+json"
    assert "bytes" in answered.json()["detail"]


def test_a_passphrase_opens_a_session_and_guessing_is_slowed(client: TestClient, store: Store) -> None:
    account(store, "carrier", office=CARRIER_NAME)
    asked = {"account": "Carrier"}
    wrong = [client.post("/api/v1/session", json=asked | {"passphrase": f"x{n}"}).status_code for n in range(7)]
    assert wrong == [401] * 5 + [429] * 2
    clock = client.app.state.house.now  # type: ignore[attr-defined]
    clock.forward(minutes=20)
    answered = client.post("/api/v1/session", json=asked | {"passphrase": PASSPHRASE})
    header = {"Authorization": f"Bearer {answered.json()['token']}"}
    assert client.post("/api/v1/pass-requests", json=wish(), headers=header).status_code == 200
    assert client.delete("/api/v1/session", headers=header).status_code == 200
    assert client.post("/api/v1/pass-requests", json=wish(), headers=header).status_code == 401


def test_a_carriers_account_asks_in_no_other_name_than_its_own(client: TestClient, store: Store) -> None:
    account(store, "carrier", office="平阳 物流")
    token = client.post("/api/v1/session", json={"account": "carrier", "passphrase": PASSPHRASE}).json()["token"]
    header = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    refused = client.post("/api/v1/pass-requests", json=wish(), headers=header)
    assert refused.status_code == 403
    assert "平阳 物流" in refused.json()["detail"]
    assert store.facts_of("vehicle:浙C12345") == []
    own = client.post("/api/v1/pass-requests", json=wish(carrier="平阳 物流"), headers=header)
    assert own.status_code == 200
    seen = client.get("/passes", headers=header | {"Accept": "text/html"})
    assert "浙C12345" in seen.text


def test_what_a_coordinators_program_does_is_done_by_its_account(client: TestClient, store: Store) -> None:
    made = account(store, "coordinator")
    token = client.post("/api/v1/session", json={"account": "coordinator", "passphrase": PASSPHRASE}).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    request = client.post("/api/v1/pass-requests", json=wish(), headers=header).json()["request"]
    [told] = store.facts_of(f"request:{request}")
    assert told.by == made.id
    assert store.registry.names([made.id]) == {made.id: "周敏"}


@pytest.mark.parametrize("name", ["kiosk", "driver", "anyone", "", "coordinator'--", "x" * 5000, "\x00"])
def test_a_name_without_an_account_has_no_session(client: TestClient, name: str) -> None:
    for passphrase in ("", PASSPHRASE, "😀" * 3000):
        assert client.post("/api/v1/session", json={"account": name, "passphrase": passphrase}).status_code in (401, 413, 429)


# -- what is wrong is said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"carrier": 5}, "$.carrier"),
        ({"crew": {"name": "x"}}, "$.crew"),
        ({"crew": [{"name": ["x"]}]}, "$.crew[0].name"),
        ({"crew": [{"nmae": "x"}]}, "$.crew[0]"),
        ({"not_before": "yesterday"}, "$.not_before"),
        ({"not_before": 17}, "$.not_before"),
        ({"surprise": 1}, "$"),
        ({"vehicle": "挂车"}, "$.vehicle"),
        ({"crew": [{"name": "甲", "phone": "1"}]}, "$.crew[0].phone"),
        ({"expires": T0.isoformat()}, "$.expires"),
        ({"expires": "2026-05-04T00:00:00"}, "$.expires"),
        ({"loop": "nowhere"}, "$.loop"),
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_wrong_wish_is_refused_with_the_path_in_the_askers_language(
    client: TestClient, bearer: Callable[[str], dict[str, str]], changes: dict[str, Any], path: str, lang: str
) -> None:
    headers = bearer("carrier") | {"Accept-Language": lang}
    answered = client.post("/api/v1/pass-requests", json=wish(**changes), headers=headers)
    assert answered.status_code in (400, 422)
    problem = answered.json()
    assert path in [error["path"] for error in problem["errors"]]
    assert all(error["what"] for error in problem["errors"])
    assert problem["title"] == texts(lang)("problem.malformed.title")
    assert answered.headers["content-language"] == lang
    chinese = any("一" <= c <= "鿿" for c in problem["detail"].replace("浙", "").replace("挂车", ""))
    assert chinese == (lang == "zh")


def test_a_missing_field_is_named(desk: Post) -> None:
    problem = desk("/pass-requests", {}).json()
    assert "carrier" in problem["detail"]
    assert "$" in problem["detail"]


# -- passes ---------------------------------------------------------------------------------------------------------------


def test_from_the_wish_to_the_pass(client: TestClient, store: Store, desk: Post, bearer: Callable[[str], dict[str, str]]) -> None:
    request = client.post("/api/v1/pass-requests", json=wish(), headers=bearer("carrier")).json()["request"]
    done = desk(f"/pass-requests/{request}/grant").json()
    assert done["link"].startswith("https://loop.example/d/")
    paper = passes.read(done["sheet"], store.registry.trusted_keys()).pass_
    assert (paper.number, paper.plate, paper.paper) == (done["pass_id"], "浙C12345", True)
    [granted] = [f for f in store.facts_of(f"pass:{done['pass_id']}") if isinstance(f.what, PassGranted)]
    assert granted.by.startswith("coordinator-")


def test_the_same_calls_again_change_nothing(store: Store, desk: Post) -> None:
    first = desk("/pass-requests", wish()).json()["request"]
    assert desk("/pass-requests", wish()).json()["request"] == first
    granted = [desk(f"/pass-requests/{first}/grant").json()["pass_id"] for _ in range(3)]
    assert len(set(granted)) == 1
    for _ in range(2):
        assert desk(f"/passes/{granted[0]}/revoke", {"reason": "换车"}).status_code == 200
    before = store.last_number()
    desk(f"/passes/{granted[0]}/revoke", {"reason": "换车"})
    assert store.last_number() == before


def test_a_decided_request_stays_decided(desk: Post) -> None:
    request = desk("/pass-requests", wish()).json()["request"]
    assert desk(f"/pass-requests/{request}/refuse", {"reason": "名额已满"}).status_code == 200
    refused = desk(f"/pass-requests/{request}/grant")
    assert refused.status_code == 409
    assert refused.json()["detail"]


def test_what_does_not_exist_is_said_to_be_so(desk: Post) -> None:
    assert desk("/pass-requests/req-0/grant").status_code == 404
    assert desk("/pass-requests/req-0/refuse", {"reason": "x"}).status_code == 404
    assert desk("/passes/330304-0000009/revoke", {"reason": "x"}).status_code == 404
    assert desk("/passes/330304-0000009/reissue").status_code == 404
    assert desk("/warnings/none/answer", {"answer": "x"}).status_code == 404


def test_trucks_of_all_provinces_may_ask(desk: Post) -> None:
    assert len(PROVINCES) == 31
    for province in PROVINCES:
        for plate in (f"{province}B·1A234", f"{province.lower()}bd12345"):
            assert desk("/pass-requests", wish(vehicle=plate)).status_code == 200, plate


@pytest.mark.parametrize("name", ["王😀小明", "🫨 王", "👨‍👩‍👧 司机", "Ó Briain", "ཚེ་རིང"])
def test_a_name_with_an_emoji_is_a_name(store: Store, desk: Post, name: str) -> None:
    answered = desk("/pass-requests", wish(crew=[{"name": name}]))
    assert answered.status_code == 200
    assert name in {person.name for person in store.registry.people()}


def test_a_pass_is_reissued_for_another_phone(desk: Post) -> None:
    done = desk(f"/pass-requests/{desk('/pass-requests', wish()).json()['request']}/grant").json()
    again = desk(f"/passes/{done['pass_id']}/reissue").json()
    assert again["generation"] == 2
    assert again["link"] != done["link"]


# -- the plan, machines, people ---------------------------------------------------------------------------------------------


def test_a_loop_is_published_once_and_a_version_never_changes(store: Store, desk: Post) -> None:
    second = document(version=2, effective_from="2026-06-01T00:00:00+08:00")
    assert desk("/loops", second).json() == {"loop": LOOP, "version": 2}
    assert desk("/loops", second).status_code == 200
    assert desk("/loops", second | {"note": {"zh": "改", "en": "changed"}}).status_code == 409
    published = [f for f in store.facts_of(f"loop:{LOOP}") if isinstance(f.what, LoopPublished)]
    assert sorted(f.what.version for f in published if isinstance(f.what, LoopPublished)) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"outbound": {"points": [[120.6, 28.0], [0, 0]]}}, "$.outbound.points[1]"),
        ({"version": 0}, "$.version"),
        ({"time_zone": "Mars/Olympus"}, "$.time_zone"),
        ({"stations": "none"}, "$.stations"),
    ],
)
def test_a_loop_that_cannot_be_driven_is_refused_with_every_path(desk: Post, changes: dict[str, Any], path: str) -> None:
    answered = desk("/loops", document(version=2) | changes)
    assert answered.status_code == 422
    assert path in [error["path"] for error in answered.json()["errors"]]


def test_a_device_is_bound_once_and_may_move_to_another_truck(store: Store, desk: Post, clock: Still) -> None:
    for _ in range(2):
        assert desk("/devices", {"device": "phone-7", "vehicle": "浙C·12345"}).json()["vehicle"] == "浙C12345"
    assert len(store.facts_of("device:phone-7")) == 1
    clock.forward(minutes=5)  # ... with a proof that is fresh still
    desk("/devices", {"device": "phone-7", "vehicle": "浙C99999"})
    assert len(store.facts_of("device:phone-7")) == 2


@pytest.mark.parametrize(
    "body", [{"device": "", "vehicle": "浙C12345"}, {"device": "手机", "vehicle": "浙C12345"}, {"device": "a", "vehicle": "a"}]
)
def test_a_device_that_cannot_be_one_is_refused(desk: Post, body: dict[str, str]) -> None:
    assert desk("/devices", body).status_code == 422


def test_a_kiosk_stands_at_a_station_that_exists(desk: Post) -> None:
    assert desk("/kiosks", {"station": "nowhere"}).status_code == 422
    assert desk("/kiosks", {"station": "panqiao"}).json()["token"]


def test_a_token_enrols_once(client: TestClient, desk: Post, clock: Still) -> None:
    token = desk("/kiosks", {"station": "panqiao"}).json()["token"]
    body = {"token": token, "public_key": PUBLIC_KEY}
    first = client.post("/api/v1/enrol", json=body)
    assert first.json()["station"] == "panqiao"
    assert client.post("/api/v1/enrol", json=body).status_code == 403
    late = desk("/kiosks", {"station": "panqiao"}).json()["token"]
    clock.forward(days=4)
    assert client.post("/api/v1/enrol", json={"token": late, "public_key": PUBLIC_KEY}).status_code == 403


@pytest.mark.parametrize("key", ["", "zz", "00" * 31, "00" * 33, "é" * 64])
def test_a_kiosk_needs_a_key_of_its_own(client: TestClient, desk: Post, key: str) -> None:
    token = desk("/kiosks", {"station": "panqiao"}).json()["token"]
    assert client.post("/api/v1/enrol", json={"token": token, "public_key": key}).status_code == 422
    assert client.post("/api/v1/enrol", json={"token": token, "public_key": PUBLIC_KEY}).status_code == 200


def test_staff_are_told_to_kiosks_with_their_pin_sealed(client: TestClient, desk: Post) -> None:
    added = desk("/staff", {"name": "陈护士", "pin": "4711"}).json()
    assert desk("/staff", {"name": "陈护士", "pin": "4711"}).json()["id"] == added["id"]
    assert desk("/staff", {"name": "陈护士", "pin": "1111"}).status_code == 422
    key = kiosk_of(client, desk)["key"]
    page = client.get("/api/v1/feed", headers={"Authorization": f"Bearer {key}"})
    [member] = page.json()["staff"]
    assert member["pin"].startswith("scrypt:")
    assert pins.fits("4711", member["pin"])


# -- warnings, board ------------------------------------------------------------------------------------------------------


def test_a_warning_is_answered_once_by_the_same_words(store: Store, desk: Post) -> None:
    raised = WarningRaised(finding="off-loop", vehicle="浙C12345", colour="red", since=T0, subject="vehicle:浙C12345")
    store.record(Fact(id="w-1", at=T0, witness="server", what=raised))
    for _ in range(2):
        assert desk("/warnings/w-1/answer", {"answer": "已联系司机"}).status_code == 200
    answers = [f for f in store.facts_of("warning:w-1") if isinstance(f.what, WarningAnswered)]
    assert len(answers) == 1
    assert answers[0].by.startswith("coordinator-")
    assert desk("/warnings/w-1/answer", {"answer": "   "}).status_code == 422


def test_the_snapshot_has_every_truck_under_way(client: TestClient, desk: Post, bearer: Callable[[str], dict[str, str]]) -> None:
    request = desk("/pass-requests", wish()).json()["request"]
    desk(f"/pass-requests/{request}/grant")
    client.app.state.house.watch.settle()  # type: ignore[attr-defined]
    rows = client.get("/api/v1/vehicles", headers=bearer("coordinator")).json()["vehicles"]
    assert [row["vehicle"] for row in rows] == ["浙C12345"]


# -- positions ------------------------------------------------------------------------------------------------------------

OSMAND = "/api/v1/positions/osmand"
AT_S = int(T0.timestamp())


def bound(desk: Post, device: str = "824517") -> str:
    desk("/devices", {"device": device, "vehicle": "浙C12345"})
    return device


def test_a_message_as_traccar_client_10_sends_it_moves_the_truck(
    client: TestClient, store: Store, desk: Post, bearer: Callable[[str], dict[str, str]]
) -> None:
    granted = desk(f"/pass-requests/{desk('/pass-requests', wish()).json()['request']}/grant")
    assert granted.status_code == 200
    bound(desk)
    body = f"id=824517&lat=28.1&lon=120.6&timestamp={AT_S}&accuracy=5.0&speed=37.8&bearing=1.5&batt=81.0&charge=0"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(OSMAND, content=body, headers=form).status_code == 200
    client.app.state.house.watch.settle()  # type: ignore[attr-defined]
    [truck] = client.get("/api/v1/vehicles", headers=bearer("coordinator")).json()["vehicles"]
    assert (truck["lat"], truck["lon"]) == (28.1, 120.6)
    [fix] = store.positions("浙C12345")
    assert fix.speed_kmh == pytest.approx(70.0, abs=0.1)


def test_the_three_generations_of_the_app_are_taken_on_one_address(client: TestClient, store: Store, desk: Post) -> None:
    bound(desk)
    query = f"id=824517&lat=28.0&lon=120.6&timestamp={AT_S}"
    assert client.get(f"{OSMAND}?{query}").status_code == 200
    assert client.post(f"{OSMAND}?{query.replace(str(AT_S), str(AT_S + 1))}").status_code == 200
    location = {"timestamp": (T0 + timedelta(seconds=2)).isoformat(), "coords": {"latitude": 28.0, "longitude": 120.6}}
    assert client.post(OSMAND, json={"device_id": "824517", "location": location}).status_code == 200
    assert len(store.positions("浙C12345")) == 3


def test_a_message_sent_again_is_taken_once(client: TestClient, store: Store, desk: Post) -> None:
    bound(desk)
    for _ in range(3):
        assert client.get(f"{OSMAND}?id=824517&lat=28.0&lon=120.6&timestamp={AT_S}").status_code == 200
    assert len(store.positions("浙C12345")) == 1


def test_a_known_phone_is_never_blocked_by_what_it_sent(client: TestClient, store: Store, desk: Post) -> None:
    bound(desk)
    for query in (
        "lat=95&lon=120",
        "lat=abc&lon=120",
        "lat=28&lon=120&timestamp=sometime",
        f"lat=28&lon=120&timestamp={AT_S + 86400}",
        "notificationToken=abc",
        "timestamp=1&batt=5",
    ):
        assert client.get(f"{OSMAND}?id=824517&{query}").status_code == 200, query
    assert client.post(f"{OSMAND}?id=824517", content=b"{{{", headers={"Content-Type": "application/json"}).status_code == 200
    assert len(store.aside(source="device:824517")) == 4
    assert store.positions("浙C12345") == []


def test_an_unknown_phone_is_told_so_and_its_position_waits_to_be_bound(client: TestClient, store: Store, desk: Post) -> None:
    assert client.get(f"{OSMAND}?id=999&lat=28.0&lon=120.6&timestamp={AT_S}").status_code == 404
    assert [s.device for s in store.strangers()] == ["999"]
    desk("/devices", {"device": "999", "vehicle": "浙C12345"})
    assert client.get(f"{OSMAND}?id=999&lat=28.0&lon=120.6&timestamp={AT_S}").status_code == 200
    assert len(store.positions("浙C12345")) == 1


@pytest.mark.parametrize("query", ["", "lat=28&lon=120", "id=&lat=28&lon=120", f"id={'9' * 500}&lat=28&lon=120"])
def test_a_message_from_nobody_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"{OSMAND}?{query}").status_code == 400


def test_the_apps_alarm_button_calls_for_help_once(client: TestClient, store: Store, desk: Post) -> None:
    bound(desk)
    for _ in range(2):
        client.get(f"{OSMAND}?id=824517&lat=28.0&lon=120.6&timestamp={AT_S}&alarm=sos")
    assert [f.what.words for f in store.facts_of("vehicle:浙C12345") if isinstance(f.what, HelpCalled)] == ["SOS"]


def test_the_server_says_that_it_lives(client: TestClient) -> None:
    assert client.get("/livez").json()["status"] == "ok"
