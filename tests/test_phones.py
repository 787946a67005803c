"""Another phone asks for a pass; a coordinator decides; what the phone before shows opens no gate from then on."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core import passes
from checkpoint.core.facts import DeviceBound, PassGranted
from checkpoint.granting import Granted
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web import access
from checkpoint.web.access import CARRIER, COORDINATOR
from checkpoint.web.app import create_app
from checkpoint.web.driver_link import REQUEST_LASTS
from checkpoint.web.phones import kind_of
from tests.ground import Still, wish
from tests.test_driver import granted, opened, phone

ANDROID = "Mozilla/5.0 (Linux; Android 14; ABC) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0"


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example")


def desk(app: Any, role: str = COORDINATOR) -> TestClient:
    client = phone(app, "en")
    token = access.open_session(app.state.house, role=role, who=role, name="周敏")
    client.cookies.set(access.cookie_name(app.state.house, role), token)
    return client


def asked(app: Any, done: Granted, lang: str = "en") -> TestClient:
    """Another phone that opened the link and asked."""
    client = phone(app, lang)
    client.headers["user-agent"] = ANDROID
    assert client.get(f"/d/{done.link_token}").status_code == 410
    answer = client.post(f"/d/{done.link_token}/ask", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/d/{done.link_token}")
    return client


def state(client: TestClient, done: Granted) -> str:
    answer = client.get(f"/d/{done.link_token}", follow_redirects=False)
    if answer.status_code == 303:
        return "in"
    return str(answer.text.split('data-state="')[1].split('"')[0])


def waits(store: Store) -> list[Any]:
    return store.registry.phones_waiting(store.now())


def decide(app: Any, store: Store, what: str) -> Any:
    [request] = waits(store)
    return desk(app).post(f"/passes/phones/{request.id}/{what}", follow_redirects=False)


def test_another_phone_asks_and_the_desk_sees_who_when_and_which_phone(app: Any, store: Store) -> None:
    done = granted(app)
    opened(app, done)
    other = asked(app, done)
    assert state(other, done) == "waiting"
    other.get(f"/d/{done.link_token}")
    other.post(f"/d/{done.link_token}/ask")
    assert len(waits(store)) == 1, "asked again, it is the same request"
    for path in ("/passes", f"/passes/{done.pass_id}"):
        page = desk(app).get(path).text
        for said in ("1 phone asks", "张三", "浙C12345", "Android phone · in WeChat"):
            assert said in page
        assert "Chrome" not in page, "a coarse word, and no more"
    assert "phones ask for a pass" in desk(app).get("/board/live").text
    assert "asks for a pass" not in desk(app, CARRIER).get("/passes").text


def test_approved_the_new_phone_has_the_pass_and_the_old_one_loses_it_at_once_and_is_told_why(app: Any, store: Store) -> None:
    done = granted(app)
    old = opened(app, done, lang="en")
    shown = app.state.house.office.screen(done.pass_id).live_text(store.now())
    new = asked(app, done)
    answer = decide(app, store, "approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/passes/{done.pass_id}")
    assert state(new, done) == "in"
    assert new.get(f"/d/{done.link_token}").url.path == "/driver"
    assert done.pass_id in new.get("/driver").text
    gone = old.get("/driver")
    assert gone.status_code == 403
    assert texts("en")("driver.link.moved.do") in gone.text
    assert "storage" in gone.headers["clear-site-data"]
    for path in ("/driver/card", "/driver/live", "/driver/sheet"):
        assert old.get(path, headers={"accept": "*/*"}).status_code == 403
    assert old.post("/driver/positions", json={"fixes": []}).status_code == 403
    # With no network, too: what the old phone can still compute is of a generation that kiosks call superseded.
    now_shown = app.state.house.office.screen(done.pass_id)
    assert shown is not None
    assert passes.read(shown, store.registry.trusted_keys()).pass_.generation == 1
    assert now_shown.pass_.generation == 2
    assert now_shown.seed != store.registry.seed(done.pass_id, 1)
    newest = [f for f in store.facts_of(f"pass:{done.pass_id}") if isinstance(f.what, PassGranted)][-1]
    assert newest.by.startswith(COORDINATOR), "the record says who moved it"
    devices = [f.what.device for f in store.facts_of("vehicle:浙C12345") if isinstance(f.what, DeviceBound)]
    assert len(set(devices)) == 2, "each phone reports as itself"


def test_the_answer_that_lets_a_phone_in_may_be_lost(app: Any, store: Store) -> None:
    done = granted(app)
    opened(app, done)
    new = asked(app, done)
    marks = list(new.cookies.jar)
    decide(app, store, "approve")
    assert state(new, done) == "in"
    again = phone(app)  # as the phone stands when that answer never came
    for cookie in marks:
        again.cookies.jar.set_cookie(cookie)
    assert state(again, done) == "in"
    assert again.get("/driver").status_code == 200


def test_refused_the_bound_phone_stays_and_the_other_is_told(app: Any, store: Store) -> None:
    done = granted(app)
    old = opened(app, done)
    other = asked(app, done)
    assert decide(app, store, "refuse").status_code == 303
    assert state(other, done) == "refused"
    other.post(f"/d/{done.link_token}/ask")
    assert waits(store) == [], "no does not become a question again at once"
    assert old.get("/driver").status_code == 200
    assert other.get("/driver").status_code == 403


def test_a_request_ends_and_may_be_made_once_more(app: Any, store: Store, clock: Still) -> None:
    done = granted(app)
    opened(app, done)
    other = asked(app, done)
    [request] = waits(store)
    clock.forward(seconds=REQUEST_LASTS.total_seconds())
    assert waits(store) == []
    assert state(other, done) == "expired"
    late = desk(app).post(f"/passes/phones/{request.id}/approve", headers={"accept": "application/json"})
    assert late.status_code == 409
    other.post(f"/d/{done.link_token}/ask")
    assert state(other, done) == "waiting"
    assert decide(app, store, "approve").status_code == 303
    assert state(other, done) == "in"


def test_two_that_ask_are_decided_each_for_itself_and_none_twice(app: Any, store: Store, clock: Still) -> None:
    done = granted(app)
    opened(app, done)
    first = asked(app, done)
    clock.forward(seconds=1)
    second = asked(app, done)
    one, two = waits(store)
    assert desk(app).post(f"/passes/phones/{one.id}/approve", follow_redirects=False).status_code == 303
    again = desk(app).post(f"/passes/phones/{one.id}/approve", headers={"accept": "application/json"})
    assert again.status_code == 409
    assert desk(app).post(f"/passes/phones/{two.id}/refuse", follow_redirects=False).status_code == 303
    assert (state(first, done), state(second, done)) == ("in", "closed")
    assert desk(app).post("/passes/phones/nobody/approve", headers={"accept": "application/json"}).status_code == 404


def test_asking_is_throttled_by_link(app: Any) -> None:
    done = granted(app)
    opened(app, done)
    answers = []
    for _ in range(8):
        client = phone(app)
        client.get(f"/d/{done.link_token}")
        answers.append(client.post(f"/d/{done.link_token}/ask", follow_redirects=False).status_code)
    assert answers == [303] * 5 + [429] * 3


def test_nobody_asks_for_a_link_that_binds_nothing(app: Any, store: Store) -> None:
    fresh, revoked = granted(app), granted(app, vehicle="浙C54321")
    app.state.house.office.revoke(revoked.pass_id, "x", by="c")
    for token, status in ((fresh.link_token, 200), (revoked.link_token, 410), ("nonsense", 404)):
        assert phone(app).post(f"/d/{token}/ask", follow_redirects=False).status_code == status
    assert waits(store) == []


def test_a_pass_has_no_fresh_link_while_a_phone_is_bound(app: Any, store: Store) -> None:
    office = app.state.house.office
    request = office.request(wish(), by="a")
    done = office.grant(request, by="c")
    opened(app, done)
    assert office.grant(request, by="c").link_token == ""
    links = store.registry.links(done.pass_id)
    assert [link for link in links if link.closed_at is None and link.used_at is None] == []


def test_of_a_pass_that_ended_no_phone_is_let_in(app: Any, store: Store) -> None:
    done = granted(app)
    opened(app, done)
    other = asked(app, done)
    app.state.house.office.revoke(done.pass_id, "x", by="c")
    [request] = waits(store)
    answer = desk(app).post(f"/passes/phones/{request.id}/approve", headers={"accept": "application/json"})
    assert answer.status_code == 409
    assert state(other, done) == "closed"


def test_another_site_cannot_ask_for_a_phone(app: Any, store: Store) -> None:
    done = granted(app)
    opened(app, done)
    answer = phone(app).post(f"/d/{done.link_token}/ask", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert waits(store) == []


def test_a_phone_is_known_by_a_coarse_word() -> None:
    assert kind_of(ANDROID) == "android wechat"
    assert kind_of("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)") == "iphone"
    assert kind_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64)") == "windows"
    assert kind_of("") == "other"
