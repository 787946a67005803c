"""The gate before every route: who is calling is asked each time, and who is not named does not pass."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from checkpoint.headers import POLICY
from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.access import ANYONE, CARRIER, COORDINATOR, DRIVER, KIOSK, LABORATORY, ROLES, STATION, Rule, digest
from checkpoint.web.app import create_app
from checkpoint.web.limits import GUESSES
from checkpoint.web.routes import TABLE
from checkpoint.web.throttle import FREE_TRIES, Throttle
from tests.accounts import PASSPHRASE, account
from tests.desk import BASE, HTML, Desk, desk
from tests.fleet import NOW, Fleet, StillWatch


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server that knows nothing but an account of each role."""
    with desk(tmp_path_factory.mktemp("access"), told=Fleet({}, ())) as found:
        for role in access.WITH_ACCOUNT:
            account(found.store, role)
        yield found


# What everybody who has an account may do about it.
OWN = ("/account", "/confirm")


def filled(path: str) -> str:
    """A route's pattern with something in each place."""
    return re.sub(r"\{\w+(:\w+)?\}", lambda found: "1" if found.group(1) == ":int" else "x", path)


def client_as(found: Desk, role: str) -> TestClient:
    """A caller of a role, without a browser's headers."""
    client = found.nobody()
    client.headers["accept"] = "application/json"
    if role == KIOSK:
        registry = found.store.registry
        token = access.digest(f"token-{id(client)}")
        registry.add_kiosk("panqiao", token, NOW + timedelta(days=1))
        registry.enrol_kiosk(token, b"\x01" * 32, access.digest(f"key-{id(client)}"))
        client.headers["authorization"] = f"Bearer key-{id(client)}"
    elif role != ANYONE:
        token = access.open_session(found.house, role=role, who=role)
        client.headers["authorization"] = f"Bearer {token}"
    return client


# -- the table --------------------------------------------------------------------------------------------------------


def test_the_table_is_all_that_there_is(empty: Desk) -> None:
    assert [(route.path, set(route.methods or ()) - {"HEAD"}) for route in empty.app.routes if isinstance(route, Route)] == [
        (rule.path, set(rule.methods)) for rule in TABLE
    ]
    assert len(empty.app.routes) == len(TABLE)


def test_no_row_is_hidden_behind_another() -> None:
    seen: list[tuple[str, str]] = []
    for rule in TABLE:
        for method in rule.methods:
            assert (rule.path, method) not in seen
            seen.append((rule.path, method))


def test_a_row_that_names_nobody_is_a_mistake() -> None:
    async def endpoint(_: Request) -> Response:
        return PlainTextResponse("")

    with pytest.raises(ValueError, match="who may call it"):
        Rule("/x", ("GET",), endpoint, ())
    with pytest.raises(ValueError, match="who may call it"):
        Rule("/x", ("GET",), endpoint, ("everybody",))


@pytest.mark.parametrize("role", ROLES)
def test_who_is_not_named_does_not_pass(empty: Desk, role: str) -> None:
    """Every role against every row: refused with 401 or 403 exactly where the row does not name it."""
    client = client_as(empty, role)
    wrong = []
    for rule in TABLE:
        if rule.path == "/events" and role in rule.who:
            continue  # a stream that is let in does not end by itself
        for method in rule.methods:
            if (method, rule.path) == ("DELETE", "/api/v1/session") and role in rule.who:
                continue  # it would end the caller's own
            answer = client.request(method, filled(rule.path), content=b"" if method != "GET" else None)
            refused = (
                answer.status_code == (401 if role == ANYONE else 403)
                and answer.json().get("type", "").endswith(("/problems/sign-in", "/problems/not-yours"))
                if answer.headers.get("content-type", "").startswith("application/problem+json")
                else False
            )
            allowed = role in rule.who or ANYONE in rule.who
            if refused == allowed:
                wrong.append((method, rule.path, answer.status_code))
    assert wrong == []


def test_every_role_is_named_somewhere() -> None:
    named = frozenset().union(*(rule.who for rule in TABLE))
    assert {COORDINATOR, CARRIER, LABORATORY, DRIVER, KIOSK, ANYONE} <= named
    assert named <= set(ROLES)
    assert STATION not in named, "station staff act through their kiosk"


def test_a_carrier_decides_nothing() -> None:
    """What a carrier may change is to ask; who else asks, grants, tells and mends is the coordinator's alone."""
    changes = {rule.path: frozenset(rule.who) for rule in TABLE if "POST" in rule.methods}
    asked = {path for path, who in changes.items() if CARRIER in who and not path.startswith(OWN)}
    assert asked == {
        "/passes/new", "/api/v1/pass-requests", "/tokens", "/tokens/{token}/revoke",
        "/webhooks", "/webhooks/{webhook}/secret", "/webhooks/{webhook}/{what}", "/api/v1/webhooks",
        "/api/v1/webhooks/{webhook}/secret", "/api/v1/webhooks/{webhook}/pause", "/api/v1/webhooks/{webhook}/resume",
    }, "beside what concerns its own account"  # fmt: skip
    for path, who in changes.items():
        if who & {COORDINATOR} and CARRIER not in who:
            assert who == {COORDINATOR}, path


def test_what_anyone_may_do_is_a_short_list() -> None:
    """A row open to anyone is added here on purpose, or not at all."""
    opened = {rule.path for rule in TABLE if ANYONE in rule.who}
    assert {path for path in opened if not path.startswith(("/static/", "/d/", "/driver"))} == {
        "/sign-in", "/sign-out", "/livez", "/readyz", "/metrics", "/api/v1/session", "/api/v1/enrol", "/api/v1/positions/osmand",
        "/api/v1/positions/owntracks",
        "/sign-in/code", "/sign-in/passkey", "/sign-in/passkey/ask", "/join/{token}", "/join/{token}/strength",
        "/api/v1/invitations", "/problems", "/problems/{kind}", "/api/v1/openapi.json",
    }  # fmt: skip


def test_what_wants_a_fresh_proof_is_a_list_made_on_purpose() -> None:
    """Accounts and how one comes in; keys, tokens, badges; what corrects the record; passes withdrawn; the rules themselves."""
    wanting = {rule.path for rule in TABLE if rule.step_up}
    own = {path for path in wanting if path.startswith(("/account/", "/accounts"))}
    assert wanting - own >= {
        "/api/v1/accounts", "/tokens", "/stations/kiosks", "/api/v1/kiosks", "/stations/staff/{member}/badge",
        "/facts/{fact}/void", "/facts/{fact}/amend", "/passes/{pass_id}/revoke", "/passes/{pass_id}/reissue",
        "/api/v1/passes/{pass_id}/revoke", "/api/v1/passes/{pass_id}/reissue", "/loops", "/api/v1/loops",
        "/stations/trackers", "/stations/trackers/{device:path}", "/stations/terminals", "/stations/terminals/{device}/open",
        "/stations/devices", "/vehicles/{plate}/import",
    }  # fmt: skip
    assert {rule.path for rule in TABLE if rule.step_up_people} == {
        "/api/v1/webhooks", "/api/v1/webhooks/{webhook}/secret", "/api/v1/devices", "/api/v1/terminals",
    }, "a program may do these with its token: it was made with such a proof"  # fmt: skip
    for rule in TABLE:
        if rule.path.startswith(("/account/", "/accounts")) and "POST" in rule.methods:
            harmless = ("/account/strength", "/account/sessions/{session}/end")
            assert rule.step_up == (rule.path not in harmless), rule.path
        assert not (rule.step_up and set(rule.who) & {ANYONE, DRIVER, KIOSK}), f"{rule.path}: they have nothing to prove it with"


def test_a_passkey_does_not_wait_for_what_can_be_guessed() -> None:
    rates = {rule.path: rule.rate for rule in TABLE if "POST" in rule.methods}
    assert rates["/sign-in"] == rates["/sign-in/code"] == GUESSES
    assert GUESSES not in (rates["/sign-in/passkey"], rates["/sign-in/passkey/ask"])


def test_what_is_not_in_the_table_does_not_exist(empty: Desk) -> None:
    answer = client_as(empty, COORDINATOR).get("/admin")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/problems/not-found")


# -- signing in -------------------------------------------------------------------------------------------------------


def sign_in(client: TestClient, **changes: str) -> Response:
    form = {"name": COORDINATOR, "passphrase": PASSPHRASE} | changes
    return client.post("/sign-in", data=form)  # type: ignore[return-value]


def test_a_page_asks_a_stranger_to_sign_in_and_brings_them_back(empty: Desk) -> None:
    client = empty.nobody()
    answer = client.get("/passes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/passes")
    done = sign_in(client, next="/passes")
    assert (done.status_code, done.headers["location"]) == (303, "/passes")
    assert client.get("/passes").status_code == 200


def test_nobody_is_sent_on_to_another_site(empty: Desk) -> None:
    for there in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tx"):
        assert sign_in(empty.nobody(), next=there).headers["location"] == "/"


def test_a_session_is_a_cookie_that_no_script_reads_and_the_server_can_end(empty: Desk) -> None:
    client = empty.nobody()
    cookie = sign_in(client).headers["set-cookie"]
    assert cookie.startswith("checkpoint=")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    token = client.cookies["checkpoint"]
    assert empty.store.registry.session(access.digest(token)) is not None
    client.post("/sign-out")
    assert empty.store.registry.session(access.digest(token)) is None
    client.cookies.set("checkpoint", token)
    assert client.get("/passes").status_code == 303, "the old cookie opens nothing"


def test_behind_https_the_cookie_binds_to_host_and_transport(tmp_path: Path) -> None:
    with desk(tmp_path, told=Fleet({}, ()), public_url="https://loop.example") as found:
        account(found.store, COORDINATOR)
        answer = sign_in(found.nobody())
        assert answer.headers["set-cookie"].startswith("__Host-checkpoint=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "Path=/" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers


def test_a_session_ends_unused_and_at_the_end_of_the_day_whatever_happens(tmp_path: Path) -> None:
    at = [NOW]
    store = Store.open(tmp_path / "checkpoint.db", lambda: at[0])
    try:
        app = create_app(store, lambda: at[0], watch=StillWatch({}))  # type: ignore[arg-type]
        client = TestClient(app, base_url=BASE, headers=HTML, follow_redirects=False)

        def sits_down() -> None:
            client.cookies.set("checkpoint", access.open_session(app.state.house, role=COORDINATOR, name="x"))

        sits_down()
        idle, end = access.IDLE[COORDINATOR], at[0] + access.SESSION
        while at[0] + idle < end:
            at[0] += idle - timedelta(seconds=1)
            assert client.get("/passes").status_code == 200
        at[0] = end - timedelta(seconds=1)
        assert client.get("/passes").status_code == 200
        at[0] = end
        assert client.get("/passes").status_code == 303
        sits_down()
        for _ in range(2):  # the board goes on asking by itself
            at[0] += idle / 2
            answer = client.get("/board/live", headers={"sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"})
        assert answer.status_code in (303, 401)
    finally:
        store.close()


def test_after_a_few_failures_each_wait_is_twice_as_long_and_then_forgiven() -> None:
    at = [NOW]
    throttle = Throttle(lambda: at[0])
    for _ in range(FREE_TRIES - 1):
        throttle.failed("x")
    assert throttle.wait("x") == timedelta()
    throttle.failed("x")
    assert throttle.wait("x") == timedelta(seconds=2)
    throttle.failed("x")
    assert throttle.wait("x") == timedelta(seconds=4)
    assert throttle.wait("y") == timedelta()
    at[0] += timedelta(seconds=4)
    assert throttle.wait("x") == timedelta()
    throttle.succeeded("x")
    throttle.failed("x")
    assert throttle.wait("x") == timedelta()


# -- requests that other sites set off --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver:8100"},
    ],
)
def test_a_post_that_another_site_set_off_is_refused(empty: Desk, headers: dict[str, str]) -> None:
    client = empty.signed_in(COORDINATOR)
    answer = client.post("/stations/staff", data={"name": "x", "pin": "1357"}, headers=headers)
    assert answer.status_code == 403
    assert sign_in(empty.nobody()).status_code == 303
    assert empty.nobody().post("/sign-in", data={}, headers=headers).status_code == 403, "nor may it sign somebody in"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://testserver"}, {}]
)
def test_a_post_from_our_own_page_is_taken(empty: Desk, headers: dict[str, str]) -> None:
    client = empty.signed_in(COORDINATOR)
    assert client.post("/stations/staff", data={"name": "x", "pin": "1357"}, headers=headers).status_code == 303


def test_a_token_needs_no_such_proof_since_no_site_can_send_it(empty: Desk) -> None:
    client = client_as(empty, COORDINATOR)
    answer = client.post("/stations/staff", data={"name": "y", "pin": "1357"}, headers={"origin": "https://tool.example"})
    assert answer.status_code == 303


def test_a_wrong_token_is_not_mended_by_a_cookie(empty: Desk) -> None:
    client = empty.signed_in(COORDINATOR)
    assert client.get("/passes", headers={"authorization": "Bearer nonsense", "accept": "*/*"}).status_code == 401


def test_a_drivers_cookie_opens_no_desk_and_a_desks_no_cab(empty: Desk) -> None:
    driver = access.open_session(empty.house, role=DRIVER, who="330304-0000017")
    client = empty.nobody()
    client.cookies.set("checkpoint", driver)
    assert client.get("/passes").status_code == 303, "a driver's token in the desk's cookie is nobody's"


# -- what every answer carries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in", "/passes", "/nowhere", "/static/tokens.css", "/api/v1/feed"])
def test_every_answer_carries_the_headers_that_protect_its_reader(empty: Desk, path: str) -> None:
    headers = empty.nobody().get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]


def test_a_body_is_counted_as_it_streams_whatever_was_announced(empty: Desk) -> None:
    client = client_as(empty, COORDINATOR)
    announced = client.post("/stations/staff", content=b"x", headers={"content-length": "99999999"})
    assert announced.status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"name=" + b"x" * 4096

    streamed = client.post("/stations/staff", content=endless(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert streamed.status_code == 413
    assert streamed.json()["type"].endswith("/problems/too-large")


def test_a_mistake_of_ours_is_answered_with_a_number_that_the_log_has(
    empty: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(type(empty.store), "aside", broken)
    answer = client_as(empty, COORDINATOR).get("/aside")
    assert answer.status_code == 500
    number = answer.headers["x-request-id"]
    assert number in answer.json()["detail"]
    assert number in caplog.text
    assert "broken on purpose" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_errors_speak_the_askers_language(empty: Desk) -> None:
    client = empty.nobody()
    zh = client.get("/api/v1/nowhere", headers={"accept-language": "zh-CN"})
    en = client.get("/api/v1/nowhere", headers={"accept-language": "en"})
    assert (zh.json()["title"], en.json()["title"]) == ("没有这个页面", "No such page")
    assert en.headers["content-type"] == "application/problem+json"
    assert "No such page" in client.get("/nowhere?lang=en").text


def test_files_are_served_from_their_folders_and_no_further(empty: Desk) -> None:
    client = empty.nobody()
    assert client.get("/static/tokens.css").headers["content-type"].startswith("text/css")
    for path in (
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/static/web/..%2f..%2fapp.py",
        "/static/",
        "/static/vendor/%00",
    ):
        assert client.get(path).status_code == 404
    tag = client.get("/static/tokens.css").headers["etag"]
    assert client.get("/static/tokens.css", headers={"if-none-match": tag}).status_code == 304


def test_a_webhook_made_by_the_api_wants_the_proof_that_its_page_wants(empty: Desk) -> None:
    """A person's session must be fresh; a program's token was made with such a proof."""
    asked = {"url": "https://hooks.example.com/a", "events": ["pass.granted"]}
    client = empty.nobody()
    for proved, status in ((False, 403), (True, 200)):
        client.cookies.clear()
        token = access.open_session(empty.house, role=COORDINATOR, who="c", name="c", proved=proved)
        client.cookies.set(access.cookie_name(empty.house, COORDINATOR), token)
        answer = client.post("/api/v1/webhooks", json=asked, headers={"accept": "application/json"})
        assert answer.status_code == status, answer.text
        if not proved:
            assert answer.json()["type"].endswith("/problems/step-up")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/v1/devices", {"vehicle": "浙C12345"}),
        ("/api/v1/devices", {"vehicle": "浙C12345", "device": "860123"}),
        ("/api/v1/terminals", {"vehicle": "浙C12345", "number": "13912345678"}),
    ],
)
def test_whose_positions_a_device_reports_wants_the_proof_that_its_form_wants(
    empty: Desk, path: str, asked: dict[str, str]
) -> None:
    registry, client = empty.house.store.registry, empty.nobody()

    def standing() -> object:
        return registry.terminals(), registry.trackers(), registry.devices()

    before = standing()
    stale = access.open_session(empty.house, role=COORDINATOR, who="c", name="c", proved=False)
    refused = client.post(path, json=asked, headers={"authorization": f"Bearer {stale}"})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "step-up")
    assert standing() == before
    text = access.BEGINS_WITH + secrets.token_urlsafe(16)
    expires = empty.house.now() + timedelta(days=30)
    registry.add_api_token(digest(text), name="车队", role=COORDINATOR, office="", writes=True, made_by="x", expires=expires)
    assert client.post(path, json=asked, headers={"authorization": f"Bearer {text}"}).status_code == 200
