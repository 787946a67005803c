"""The driver's phone in a real Chromium: the code on the glass is read back by a real scanner, with and without a line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Geolocation, Page, Route, expect
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as read_codes

from checkpoint.config import utc_now
from checkpoint.core import passes
from checkpoint.core.facts import Contested, Fact, HelpCalled, Loaded, ResultReported, SwabTaken
from checkpoint.granting import Granted
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web.app import create_app
from tests.ground import publish, wish
from tests.served import AXE, chromium, serving

pytestmark = pytest.mark.browser
PLATE = "浙C12345"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}


class Skewed:
    """The server's clock, ahead of this machine's by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def clock() -> Skewed:
    return Skewed()


@pytest.fixture
def store(tmp_path: Path, clock: Skewed) -> Iterator[Store]:
    store = Store.open(tmp_path / "checkpoint.db", clock)
    publish(store)
    yield store
    store.close()


@pytest.fixture
def app(store: Store, clock: Skewed) -> Any:
    return create_app(store, clock, public_url="http://127.0.0.1")


@pytest.fixture
def address(app: Any) -> Iterator[str]:
    with serving(app) as address:
        yield address


@pytest.fixture
def done(app: Any, clock: Skewed) -> Granted:
    office = app.state.house.office
    asked = wish(not_before=clock() - timedelta(days=1), expires=clock() + timedelta(days=20))
    granted: Granted = office.grant(office.request(asked, by="a"), by="c")
    return granted


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(**PHONE, locale="zh-CN", timezone_id="Asia/Shanghai")
    yield context
    context.close()


def opened(context: BrowserContext, address: str, done: Granted) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(f"{address}/d/{done.link_token}")
    page.get_by_role("button").click()
    page.wait_for_url("**/driver")
    expect(page.locator("#code")).to_have_attribute("data-step", _digits())
    return page


def _digits() -> Any:
    import re

    return re.compile(r"^\d+$")


def shown(page: Page, store: Store) -> passes.Reading:
    """What a scanner reads off the glass."""
    picture = Image.open(io.BytesIO(page.locator("#pass").screenshot()))
    found = read_codes(picture, symbols=[ZBarSymbol.QRCODE])
    assert len(found) == 1, "one code on the glass"
    return passes.read(found[0].data.decode(), store.registry.trusted_keys())


def kept(page: Page) -> None:
    expect(page.locator("html[data-kept=yes]")).to_be_attached(timeout=15_000)


def test_the_code_on_the_glass_is_the_pass_and_live(
    phone: BrowserContext, address: str, done: Granted, store: Store, clock: Skewed
) -> None:
    reading = shown(opened(phone, address, done), store)
    assert reading.pass_.number == done.pass_id
    assert passes.is_live(reading, clock(), 60, 1)


def test_in_airplane_mode_the_pass_still_opens_and_is_live(
    phone: BrowserContext, address: str, done: Granted, store: Store, clock: Skewed
) -> None:
    page = opened(phone, address, done)
    kept(page)
    phone.set_offline(True)
    page.reload()
    expect(page.locator("#code")).to_have_attribute("data-step", _digits())
    expect(page.locator("#line")).to_have_attribute("data-state", "offline")
    assert passes.is_live(shown(page, store), clock(), 60, 1)
    again = phone.new_page()  # the browser was closed and opened again
    again.goto(f"{address}/driver")
    assert passes.is_live(shown(again, store), clock(), 60, 1)
    again.goto(f"{address}/driver/sheet")
    expect(again.locator(".paper-code svg")).to_be_visible()


def test_with_the_server_gone_the_pass_still_opens(
    phone: BrowserContext, app: Any, done: Granted, store: Store, clock: Skewed
) -> None:
    with serving(app) as address:
        page = opened(phone, address, done)
        kept(page)
    page.reload()
    assert passes.is_live(shown(page, store), clock(), 60, 1)


def test_a_phone_whose_clock_is_hours_off_shows_the_step_of_the_servers_clock(
    phone: BrowserContext, address: str, done: Granted, store: Store, clock: Skewed
) -> None:
    clock.ahead = timedelta(hours=7, minutes=13)
    page = opened(phone, address, done)
    expect(page.locator("#skew")).to_be_visible()
    expect(page.locator("#skew")).to_contain_text("慢 433")
    assert passes.is_live(shown(page, store), clock(), 60, 1)
    kept(page)
    phone.set_offline(True)
    page.reload()
    assert passes.is_live(shown(page, store), clock(), 60, 1)


def test_the_code_changes_with_the_minute(browser: Browser, address: str, done: Granted, store: Store) -> None:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.clock.install()
    page.goto(f"{address}/d/{done.link_token}")
    page.get_by_role("button").click()
    page.wait_for_url("**/driver")
    page.clock.run_for(1500)
    first = shown(page, store)
    context.set_offline(True)  # so that the page's own clock is all it has
    page.clock.run_for(61_000)
    second = shown(page, store)
    assert first.step is not None
    assert second.step == first.step + 1
    assert second.step_genuine
    context.close()


def test_another_phone_asks_waits_and_goes_on_to_the_pass_by_itself(
    browser: Browser, phone: BrowserContext, app: Any, store: Store, address: str, done: Granted
) -> None:
    first = opened(phone, address, done)
    kept(first)
    t, other = texts("en"), browser.new_context(**PHONE, locale="en-GB")
    page = other.new_page()
    answered = page.goto(f"{address}/d/{done.link_token}")
    assert answered is not None
    assert answered.status == 410
    expect(page.get_by_text(t("driver.link.used.do"))).to_be_visible()
    look = AXE.read_text() + "; axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))"
    assert page.evaluate(look) == []
    for _ in range(3):  # past the way to the content and the language
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(t("driver.link.waiting.title"))).to_be_visible()
    assert page.evaluate(look) == []
    [request] = store.registry.phones_waiting(app.state.house.now())
    app.state.house.office.rebind(
        done.pass_id, request.phone_hash, "c", lambda before: store.registry.decide_phone(request.id, "approved", "c", before)
    )
    expect(page.locator("#code")).to_be_visible(timeout=15000)
    first.reload()
    expect(first.get_by_text(texts("zh")("driver.link.moved.do"))).to_be_visible()
    assert first.evaluate(look) == []
    expect(first.locator("#code")).to_have_count(0)
    other.close()


def test_the_glass_is_white_with_room_around_the_code_and_even_modules(
    phone: BrowserContext, address: str, done: Granted
) -> None:
    page = opened(phone, address, done)
    for width in (320, 390, 412, 768):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(100)
        side, css, ratio = page.evaluate(
            "() => [document.querySelector('#code')].flatMap(c => [c.width, c.getBoundingClientRect().width, devicePixelRatio])"
        )
        assert side % (49 + 8) == 0  # 49 modules and four of white on each side, each the same whole number of pixels
        assert css == pytest.approx(side / ratio)
        assert css <= width
        assert css >= min(width, 480) * 0.85
    picture = Image.open(io.BytesIO(page.locator("#code").screenshot())).convert("L")
    assert set(picture.crop((0, 0, picture.width, 4)).tobytes()) == {255}
    phone.new_page()
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('#pass')).backgroundColor") == "rgb(255, 255, 255)"


def test_positions_wait_on_the_phone_until_the_server_holds_them(
    browser: Browser, address: str, done: Granted, store: Store
) -> None:
    place: Geolocation = {"latitude": 28.05, "longitude": 120.6, "accuracy": 7}
    context = browser.new_context(**PHONE, geolocation=place, permissions=["geolocation"], locale="zh-CN")
    page = opened(context, address, done)
    assert store.positions(PLATE) == []
    page.locator("#share").check()
    expect(page.locator("#share-state.is-good")).to_be_visible()
    assert len(store.positions(PLATE)) == 1
    context.set_offline(True)
    context.set_geolocation({**place, "latitude": 28.06})
    expect(page.locator("#share-state")).to_contain_text("1 条待发送")
    page.close()  # the phone is switched off with a position unsent
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{address}/driver")
    expect(page.locator("#share-state.is-good")).to_be_visible()
    assert {round(fix.lat, 2) for fix in store.positions(PLATE)} >= {28.05, 28.06}
    context.close()


def test_what_waits_is_sent_in_order_once_after_a_reload_and_a_lost_answer(
    browser: Browser, address: str, done: Granted, store: Store
) -> None:
    place: Geolocation = {"latitude": 28.05, "longitude": 120.6, "accuracy": 7.5}
    context = browser.new_context(**PHONE, geolocation=place, permissions=["geolocation"], locale="en-GB")
    page = opened(context, address, done)
    kept(page)
    expect(page.locator("#share ~ span")).to_be_visible()
    page.locator("#share").check()
    expect(page.locator("#share-state.is-good")).to_be_visible()
    sent: list[list[float]] = []
    lose = [True]

    def lossy(route: Route) -> None:
        sent.append([fix["lat"] for fix in json.loads(route.request.post_data or "{}")["fixes"]])
        route.fetch()  # it reaches the server; the answer to the first does not come back
        if lose.pop() if lose else False:
            route.abort()
        else:
            route.fulfill(status=200, json={"held": 1})

    context.set_offline(True)
    for n in range(3):
        context.set_geolocation({**place, "latitude": 28.06 + n / 100})
        expect(page.locator("#share-state")).to_contain_text(f"{n + 1} waiting")
    page.reload()  # out of the phone's own store
    expect(page.locator("#share")).to_be_checked()
    expect(page.locator("#share-state")).to_contain_text("waiting")
    context.route("**/driver/positions", lossy)
    context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#share-state.is-good")).to_be_visible(timeout=20_000)
    assert sent[0][:3] == pytest.approx([28.06, 28.07, 28.08])
    assert sent[1][:3] == sent[0][:3], "the answer was lost: all again"
    found = [f for f in store.positions(PLATE) if 28.055 < f.lat < 28.075]
    assert len(found) == 2, "a repeat is the same position"
    assert {f.accuracy_m for f in found} == {7.5}
    context.close()


def test_a_driver_who_allows_the_position_later_need_not_find_the_switch_again(
    browser: Browser, address: str, done: Granted, store: Store
) -> None:
    context = browser.new_context(**PHONE, geolocation={"latitude": 28.05, "longitude": 120.6}, locale="zh-CN")
    page = opened(context, address, done)
    page.locator("#share").click()
    expect(page.locator("#share-state.is-bad")).to_be_visible()
    context.grant_permissions(["geolocation"])
    expect(page.locator("#share-state.is-good")).to_be_visible()
    expect(page.locator("#share")).to_be_checked()
    assert len(store.positions(PLATE)) >= 1
    expect(page.get_by_text(texts("zh")("driver.position.what"))).to_be_visible()
    context.close()


def test_a_phone_that_refuses_its_position_is_told_what_to_do(browser: Browser, address: str, done: Granted) -> None:
    context = browser.new_context(**PHONE, permissions=[], locale="zh-CN")
    page = opened(context, address, done)
    page.locator("#share").click()
    expect(page.locator("#share-state.is-bad")).to_contain_text("允许")
    expect(page.locator("#share")).not_to_be_checked()
    context.close()


def test_help_and_a_contested_colour_reach_the_coordinator_and_words_survive_a_dead_line(
    phone: BrowserContext, address: str, done: Granted, store: Store
) -> None:
    page = opened(phone, address, done)
    phone.set_offline(True)
    page.locator("#help-words").fill("爆胎了")
    page.locator(".help button").click()
    expect(page.locator(".help .outcome")).to_have_text(texts("zh")("driver.unsent"))
    expect(page.locator("#help-words")).to_have_value("爆胎了")
    phone.set_offline(False)
    page.locator(".help button").click()
    expect(page.locator(".help .outcome")).to_have_text(texts("zh")("driver.help.sent"))
    page.locator("#contest-verdict summary").click()
    page.locator("#contest-verdict textarea").fill("我刚做过核酸")
    page.locator("#contest-verdict button").click()
    expect(page.locator("#contest-verdict .outcome")).to_have_text(texts("zh")("driver.contest.sent"))
    said = {type(f.what): getattr(f.what, "words", "") for f in store.facts_of(f"vehicle:{PLATE}")}
    assert said[HelpCalled] == "爆胎了"
    assert said[Contested] == "我刚做过核酸"


def test_a_reissued_pass_leaves_nothing_on_the_old_phone(phone: BrowserContext, app: Any, address: str, done: Granted) -> None:
    page = opened(phone, address, done)
    kept(page)
    app.state.house.office.reissue(done.pass_id, by="c")
    page.reload()
    expect(page.get_by_text(texts("zh")("driver.link.none.do"))).to_be_visible()
    expect(page.locator("#code")).to_have_count(0)
    phone.set_offline(True)
    with pytest.raises(Exception, match=r"ERR_INTERNET_DISCONNECTED|ERR_FAILED"):
        page.reload()


@pytest.mark.parametrize("lang", ["zh-CN", "en-GB"])
def test_the_pages_can_be_used_by_everybody(
    browser: Browser, app: Any, address: str, done: Granted, store: Store, clock: Skewed, lang: str
) -> None:
    in_order(app, store, done, clock)
    context = browser.new_context(**PHONE, locale=lang)
    page = opened(context, address, done)
    for path in ("/driver", "/driver/sheet"):
        page.goto(address + path)
        # What the policy forbids a page it also forbids a test: axe comes in through the browser's own door.
        found = page.evaluate(AXE.read_text() + "; axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
        assert found == [], path
    context.close()


def in_order(app: Any, store: Store, done: Granted, clock: Skewed) -> None:
    """Tests that count for the whole crew, and a loaded truck."""
    for n, person in enumerate(app.state.house.office.pass_state(done.pass_id).crew):
        taken = SwabTaken(specimen=f"S{n}", person=person, test="pcr", vehicle=PLATE, tube=f"T{n}")
        told = ResultReported(test="pcr", result="negative", laboratory="lab", specimen=f"S{n}")
        at = clock() - timedelta(hours=9)
        store.record(Fact(id=f"s{n}", at=at, witness="desk:x", station="sampling-1", what=taken))
        store.record(Fact(id=f"r{n}", at=at + timedelta(hours=5), witness="lab:x", what=told))
    loaded = Loaded(vehicle=PLATE, pass_id=done.pass_id, parcels_count=1200, seal="S-88")
    store.record(Fact(id="loaded", at=clock() - timedelta(minutes=20), witness="desk:x", station="panqiao", what=loaded))
    app.state.house.watch.settle()
