"""The driver's phone: a link opened once, the pass and its verdict, a word back, positions that are never lost."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as read_codes
from starlette.testclient import TestClient

from checkpoint.core import passes
from checkpoint.core.facts import AntigenRead, Contested, DeviceBound, Fact, HelpCalled, Loaded, ResultReported, SwabTaken
from checkpoint.granting import Granted, Screen
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web.app import create_app
from checkpoint.web.driver_link import OPENING_COOKIE
from checkpoint.wish import Person
from tests.ground import T0, Still, wish

PLATE = "浙C12345"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example")


def phone(app: Any, lang: str = "zh") -> TestClient:
    return TestClient(app, base_url="https://loop.example", headers=PAGE | {"Accept-Language": lang})


def granted(app: Any, **changes: Any) -> Granted:
    office = app.state.house.office
    found: Granted = office.grant(office.request(wish(**changes), by="a"), by="c")
    return found


def opened(app: Any, done: Granted, lang: str = "zh") -> TestClient:
    client = phone(app, lang)
    assert client.get(f"/d/{done.link_token}").status_code == 200
    answered = client.post(f"/d/{done.link_token}", follow_redirects=False)
    assert (answered.status_code, answered.headers["location"]) == (303, "/driver")
    return client


def crew_of(app: Any, done: Granted) -> tuple[str, ...]:
    crew: tuple[str, ...] = app.state.house.office.pass_state(done.pass_id).grant.crew
    return crew


# -- the link -------------------------------------------------------------------------------------------------------------


def test_looking_at_a_link_opens_nothing(app: Any, store: Store) -> None:
    done = granted(app)
    for _ in range(3):  # a message preview, a curious colleague, the driver
        answered = phone(app).get(f"/d/{done.link_token}")
        assert answered.status_code == 200
        assert PLATE in answered.text
    assert store.registry.links(done.pass_id)[0].used_at is None


def test_a_link_opens_on_one_phone_once(app: Any) -> None:
    done = granted(app)
    first = opened(app, done)
    assert done.pass_id in first.get("/driver").text
    second = phone(app)
    for answered in (second.get(f"/d/{done.link_token}"), second.post(f"/d/{done.link_token}")):
        assert answered.status_code == 410
        assert texts("zh")("driver.link.used.do") in answered.text
    assert second.get("/driver").status_code == 403
    assert first.get("/driver").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_same_phone_may_come_again_when_the_answer_was_lost(app: Any, method: str) -> None:
    done = granted(app)
    client = phone(app)
    client.get(f"/d/{done.link_token}")
    mark = dict(client.cookies)
    client.post(f"/d/{done.link_token}", follow_redirects=False)
    again = phone(app)  # as the phone stands when the answer never came
    for name, value in mark.items():
        again.cookies.set(name, value, domain="loop.example", path=f"/d/{done.link_token}")
    answered = again.request(method, f"/d/{done.link_token}", follow_redirects=False)
    assert answered.status_code == 303
    assert again.get("/driver").status_code == 200


def test_a_phone_that_opened_its_link_is_sent_on_to_its_pass(app: Any) -> None:
    done = granted(app)
    client = opened(app, done)
    answered = client.get(f"/d/{done.link_token}", follow_redirects=False)
    assert (answered.status_code, answered.headers["location"]) == (303, "/driver")


def test_two_links_opened_in_one_browser_bind_one_after_the_other(app: Any) -> None:
    first, second = granted(app), granted(app, vehicle="浙C54321")
    client = phone(app)
    for done in (first, second):  # both are looked at before either is pressed
        assert client.get(f"/d/{done.link_token}").status_code == 200
    for done in (first, second, second):  # the last one again: its answer was lost
        assert client.post(f"/d/{done.link_token}", follow_redirects=False).status_code == 303
        assert done.pass_id in client.get("/driver").text


def test_a_mark_that_names_another_links_phone_is_not_taken_twice(app: Any, store: Store) -> None:
    first, second = granted(app), granted(app, vehicle="浙C54321")
    for done in (first, second):
        client = phone(app)
        client.cookies.set(OPENING_COOKIE, "chosen-by-the-phone", domain="loop.example", path="/")
        assert client.post(f"/d/{done.link_token}", follow_redirects=False).status_code == 303
        assert done.pass_id in client.get("/driver").text
    assert all(store.registry.links(done.pass_id)[0].used_at for done in (first, second))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_links_that_open_nothing_say_what_to_do(app: Any, clock: Still, lang: str) -> None:
    done, revoked = granted(app), granted(app, vehicle="浙C54321")
    app.state.house.office.revoke(revoked.pass_id, "x", by="c")
    clock.forward(days=8)
    for token, state, status in (
        (done.link_token, "late", 410),
        (revoked.link_token, "closed", 410),
        ("nonsense", "unknown", 404),
    ):
        for answered in (phone(app, lang).get(f"/d/{token}"), phone(app, lang).post(f"/d/{token}")):
            assert answered.status_code == status
            assert texts(lang)(f"driver.link.{state}.do") in answered.text


def test_a_reissued_pass_leaves_the_old_phone_with_nothing(app: Any) -> None:
    done = granted(app)
    old = opened(app, done)
    new = opened(app, app.state.house.office.reissue(done.pass_id, by="c"))
    gone = old.get("/driver")
    assert gone.status_code == 403
    assert "storage" in gone.headers["clear-site-data"]
    assert old.get("/driver/card").status_code == 403
    assert done.pass_id in new.get("/driver").text


def test_a_revoked_pass_ends_the_phones_session(app: Any) -> None:
    done = granted(app)
    client = opened(app, done)
    app.state.house.office.revoke(done.pass_id, "换车", by="c")
    assert client.get("/driver").status_code == 403


def test_the_drivers_cookie_opens_nothing_but_the_drivers_pages(app: Any) -> None:
    client = opened(app, granted(app))
    cookie = next(c for c in client.cookies.jar if "driver" in c.name)
    assert cookie.name.startswith("__Host-")
    assert cookie.secure
    for path in ("/api/v1/vehicles", "/api/v1/feed"):
        assert client.get(path, headers={"Accept": "application/json"}).status_code == 403
    assert phone(app).get("/driver/card", headers={"Accept": "*/*"}).status_code == 401


# -- the page -------------------------------------------------------------------------------------------------------------


def test_the_page_carries_what_the_phone_needs_to_show_the_pass_live(app: Any, store: Store, clock: Still) -> None:
    done = granted(app)
    text = opened(app, done).get("/driver").text
    data = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', text[text.index('id="pass"') : text.index('id="code"')]))
    screen: Screen = app.state.house.office.screen(done.pass_id)
    step = passes.step_at(screen.pass_, clock(), int(data["step-s"]))
    value = passes.chain(bytes.fromhex(data["seed"]), int(data["steps"]) - step)
    reading = passes.read(passes.with_step(screen.text, step, value), store.registry.trusted_keys())
    assert passes.is_live(reading, clock(), 60, 0)
    assert bytes.fromhex(data["sealed"]) == screen.sealed


def test_a_phone_without_computing_gets_the_live_text(app: Any, store: Store, clock: Still) -> None:
    client = opened(app, granted(app))
    clock.forward(hours=7)
    said = client.get("/driver/live", headers={"Accept": "application/json"}).json()
    assert passes.is_live(passes.read(said["text"], store.registry.trusted_keys()), clock(), 60, 0)


def test_the_card_tells_the_clock_and_whether_it_is_fresh(app: Any, clock: Still) -> None:
    client = opened(app, granted(app))
    answered = client.get("/driver/card", headers={"X-Asked-At": "1234567890123", "Accept": "*/*"})
    assert answered.headers["x-asked-at"] == "1234567890123"
    assert int(answered.headers["x-server-time"]) == int(clock().timestamp() * 1000)
    assert "x-asked-at" not in client.get("/driver/card", headers={"X-Asked-At": "no", "Accept": "*/*"}).headers


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_card_says_what_the_next_gate_would_say_and_why(app: Any, store: Store, clock: Still, lang: str) -> None:
    done = granted(app)
    driver, mate = crew_of(app, done)
    client = opened(app, done, lang)
    t = texts(lang)
    before = client.get("/driver/card").text
    assert t("word.HOLD") in before
    assert t("driver.counts.missing") in before
    for person, specimen in ((driver, "S1"), (mate, "S2")):
        taken = SwabTaken(specimen=specimen, person=person, test="pcr", vehicle=PLATE, tube=f"T-{specimen}")
        told = ResultReported(test="pcr", result="negative", laboratory="lab", specimen=specimen)
        store.record(Fact(id=f"swab-{specimen}", at=T0 - timedelta(hours=9), witness="desk:x", station="sampling-1", what=taken))
        store.record(Fact(id=f"result-{specimen}", at=T0 - timedelta(hours=3), witness="lab:x", what=told))
    app.state.house.watch.settle()
    after = client.get("/driver/card").text
    assert t("word.GO") in after
    assert t("driver.counts.counts") in after
    assert t("driver.mate.ok") in after


def test_a_mates_evidence_stays_the_mates(app: Any, store: Store) -> None:
    done = granted(app)
    _, mate = crew_of(app, done)
    client = opened(app, done)
    taken = SwabTaken(specimen="S-SECRET", person=mate, test="antigen", vehicle=PLATE)
    store.record(Fact(id="swab", at=T0 - timedelta(minutes=18), witness="desk:x", station="sampling-1", what=taken))
    read = AntigenRead(specimen="S-SECRET", person=mate, result="positive")
    store.record(Fact(id="read", at=T0 - timedelta(minutes=1), witness="desk:x", station="sampling-1", what=read))
    app.state.house.watch.settle()
    page = client.get("/driver").text
    assert texts("zh")("driver.mate.not-ok") in page
    assert texts("zh")("word.STOP") in page
    assert "S-SECRET" not in page


def test_before_it_begins_and_after_it_ends_the_page_still_answers(app: Any, clock: Still) -> None:
    done = granted(app, not_before=T0 + timedelta(hours=5))
    client = opened(app, done)
    assert texts("zh")("word.STOP") in client.get("/driver").text
    clock.forward(days=3, hours=12)
    assert texts("zh")("word.STOP") in client.get("/driver").text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_sheet_is_a_paper_pass_of_its_own_kind(app: Any, store: Store, lang: str, tmp_path: Path) -> None:
    done = granted(app, crew=(Person(name="张三😀"), Person(name="Zoë")))
    page = opened(app, done, lang).get("/driver/sheet").text
    assert "张三😀" in page
    assert PLATE in page
    side = int(re.search(r'viewBox="0 0 (\d+)', page[page.index("paper-code") :]).group(1))  # type: ignore[union-attr]
    picture = Image.new("L", (side * 4, side * 4), 255)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1", page):
        picture.paste(0, (int(x) * 4, int(y) * 4, (int(x) + int(width)) * 4, (int(y) + 1) * 4))
    [found] = read_codes(picture, symbols=[ZBarSymbol.QRCODE])
    reading = passes.read(found.data.decode(), store.registry.trusted_keys())
    assert reading.pass_.paper
    assert reading.pass_.number == done.pass_id


# -- a word back ------------------------------------------------------------------------------------------------------------


def test_a_call_for_help_is_heard_once_however_often_it_is_sent(app: Any, store: Store) -> None:
    done = granted(app)
    client = opened(app, done)
    for _ in range(3):
        answered = client.post("/driver/help", data={"key": "k1", "words": "爆胎了"}, headers={"Accept": "*/*"})
        assert answered.json()["said"] == texts("zh")("driver.help.sent")
    [call] = [f.what for f in store.facts_of(f"vehicle:{PLATE}") if isinstance(f.what, HelpCalled)]
    assert (call.words, call.person) == ("爆胎了", crew_of(app, done)[0])
    assert client.post("/driver/help", data={"key": "k2"}, follow_redirects=False).status_code == 303


def test_a_colour_is_contested_in_the_drivers_own_words(app: Any, store: Store) -> None:
    client = opened(app, granted(app))
    body = {"key": "k", "target": "off-loop:vehicle:2026", "words": "在排队😡" + "很" * 2000}
    assert client.post("/driver/contest", data=body, headers={"Accept": "*/*"}).status_code == 200
    [said] = [f.what for f in store.facts_of(f"vehicle:{PLATE}") if isinstance(f.what, Contested)]
    assert said.words.startswith("在排队😡")
    assert len(said.words) == 1000
    assert (
        client.post("/driver/contest", data={"key": "k2", "target": "x", "words": " "}, headers={"Accept": "*/*"}).status_code
        == 422
    )
    app.state.house.watch.settle()
    assert "在排队" in client.get("/driver").text


def test_another_site_cannot_speak_for_a_driver(app: Any, store: Store) -> None:
    client = opened(app, granted(app))
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post("/driver/help", data={"words": "x"}, headers=headers).status_code == 403
    assert not [f for f in store.facts_of(f"vehicle:{PLATE}") if isinstance(f.what, HelpCalled)]


# -- positions ----------------------------------------------------------------------------------------------------------------


def fix(**changes: Any) -> dict[str, Any]:
    return {"fixed_at": T0.isoformat(), "lat": 28.05, "lon": 120.6, "accuracy_m": 8.0, "speed_kmh": 66.6} | changes


def sent(client: TestClient, *fixes: Any) -> Any:
    return client.post("/driver/positions", json={"fixes": list(fixes)}, headers={"Accept": "*/*"})


def test_positions_belong_to_the_truck_of_the_pass_and_repeats_change_nothing(app: Any, store: Store) -> None:
    done = granted(app)
    client = opened(app, done)
    assert [f for f in store.facts_of(f"vehicle:{PLATE}") if isinstance(f.what, DeviceBound)]
    for _ in range(2):
        assert sent(client, fix(), fix(fixed_at=(T0 - timedelta(hours=6)).isoformat())).json()["held"] == 2
    assert [f.fixed_at for f in store.positions(PLATE)] == [T0]
    assert [s.fix.fixed_at for s in store.strangers()] == [T0 - timedelta(hours=6)], "before the pass it was in another cab"


def test_what_a_phone_kept_from_another_pass_is_not_laid_to_this_ones_truck(app: Any, store: Store) -> None:
    done = granted(app)
    client = opened(app, done)
    mine, other = fix(pass_id=done.pass_id), fix(pass_id="330304-0000999", lat=28.06)
    assert sent(client, mine, other).json()["held"] == 2
    assert [f.lat for f in store.positions(PLATE)] == [28.05]
    assert [a.why for a in store.aside()] == ["position-other-pass"]


def test_a_bad_fix_keeps_no_other_waiting(app: Any, store: Store) -> None:
    client = opened(app, granted(app))
    bad = [{"lat": 1}, fix(lat="28"), fix(fixed_at="2026-05-03T10:00:00"), fix(lat=1000.0), "x", 5, None]
    answered = sent(client, *bad, fix())
    assert (answered.status_code, answered.json()["held"]) == (200, 8)
    assert len(store.positions(PLATE)) == 1
    assert len(store.aside()) == 7


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"fixes": 5}', b'{"fixes": [' + b"1," * 1000 + b"1]}", b"x" * 300_000])
def test_what_is_no_batch_is_refused(app: Any, body: bytes) -> None:
    client = opened(app, granted(app))
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    assert client.post("/driver/positions", content=body, headers=headers).status_code in (400, 413)


def test_a_loaded_truck_is_told_its_next_gate(app: Any, store: Store) -> None:
    done = granted(app)
    loaded = Loaded(vehicle=PLATE, pass_id=done.pass_id, parcels_count=5, seal="S")
    store.record(Fact(id="loaded", at=T0, witness="desk:x", station="panqiao", what=loaded))
    client = opened(app, done)
    sent(client, fix(fixed_at=T0.isoformat(), lat=28.1))
    app.state.house.watch.settle()
    assert "上海仓" in client.get("/driver/card").text


# -- what the phone keeps -------------------------------------------------------------------------------------------------------


def test_everything_the_phone_is_to_keep_is_there(app: Any) -> None:
    client = opened(app, granted(app))
    worker = client.get("/driver/sw.js")
    assert worker.headers["service-worker-allowed"] == "/driver"
    kept = re.findall(r'^  "(/[^"]+)",$', worker.text, re.MULTILINE)
    assert "/driver" in kept
    ours = [path for path in kept if "/vendor/" not in path]
    for path in ours:
        assert client.get(path).status_code == 200, path
    page = client.get("/driver").text
    for asked in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert asked in kept, asked
    for path in (p for p in ours if p.endswith(".js")):
        for imported in re.findall(r'from "([^"]+)"', client.get(path).text):
            absolute = imported if imported.startswith("/") else "/static/web/driver/" + imported.removeprefix("./")
            assert absolute in kept, absolute


def test_the_manifest_speaks_the_drivers_language(app: Any) -> None:
    assert phone(app, "en").get("/driver/manifest.webmanifest").json()["name"] == "Pass"
