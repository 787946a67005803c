"""Machines and phones at the desk and at a kiosk, in a real Chromium: by keyboard, by camera, by hand scanner; no barrier."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from checkpoint.core import badges, enrolling
from checkpoint.web import access
from checkpoint.web.access import COORDINATOR, digest
from kiosk.station import open_kiosk
from tests.desk import Desk, desk
from tests.fleet import NOW
from tests.served import AXE, CHROMIUM, CHROMIUM_ARGS, serving
from tests.station import SERVER, Ground, ground
from tests.test_kiosk_page import browser_at, camera, served, tab_to, typed_by_scanner

pytestmark = pytest.mark.browser
BADGE = badges.make(bytes(range(20)))
SHOTS = os.environ.get("SHOTS", "")  # a folder, for whoever wants to look


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with sync_playwright() as found:
        yield found.chromium


@pytest.fixture(scope="module")
def browser(engine: Any) -> Iterator[Browser]:
    """One without the live map, whose markers lie over each other."""
    found = engine.launch(executable_path=CHROMIUM, args=[*CHROMIUM_ARGS, "--disable-3d-apis"])
    yield found
    found.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    with desk(tmp_path_factory.mktemp("machines")) as found, serving(found.app) as address:
        yield found, address


def signed_in(found: Desk, address: str, browser: Browser, lang: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
    token = found.session(COORDINATOR)
    cookies = {access.cookie_name(found.house, COORDINATOR): token, "lang": lang}
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
    return context


def barriers(page: Page, name: str = "") -> Any:
    """What axe finds on a page, which is then looked at."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no page is wider than its screen"
    return [(v["id"], [n["html"][:160] for n in v["nodes"]]) for v in found["violations"]]


def pressed(page: Page) -> None:
    """Press what has the focus, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_kiosk_badge_and_tracker_are_set_up_by_keyboard_and_shown_once(
    server: tuple[Desk, str], browser: Browser, lang: str
) -> None:
    found, address = server
    context = signed_in(found, address, browser, lang)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.goto("/stations")
    assert tab_to(page, 'form[action="/stations/kiosks"] button', 200)
    pressed(page)
    page.wait_for_selector("#token")
    token = page.input_value("#token")
    assert page.input_value("#server") == found.house.public_url
    page.reload()
    assert page.input_value("#token") == token, "F5 shows the same code, and makes none"
    assert barriers(page, f"stations-token-{lang}") == []

    page.fill("#staff-name", "林夏")
    page.fill("#staff-pin", "2468")
    pressed(page)
    page.locator("a[href$='/badge']").first.focus()
    pressed(page)
    assert barriers(page, f"badge-none-{lang}") == []
    assert tab_to(page, "form[action$='/badge'] button")
    pressed(page)
    page.wait_for_selector(".badge-card .qr")
    assert barriers(page, f"badge-{lang}") == []
    page.emulate_media(media="print")
    box = page.locator(".badge-card").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 86 / 54) < 0.02, "printed at the size of a card"
    assert not page.is_visible("#print")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/badge-print-{lang}.png")
    page.emulate_media(media="screen")

    page.goto("/stations#devices")
    page.fill("#tracker-vehicle", "浙C10086")
    pressed(page)
    page.wait_for_selector("#key")
    key = page.input_value("#key")
    assert re.fullmatch("[a-z2-7]{26}", key)
    assert barriers(page, f"tracker-{lang}") == []
    sent = page.request.get(f"/api/v1/positions/osmand?id={key}&lat=28.0&lon=120.6&timestamp={int(NOW.timestamp())}")
    assert sent.status == 200
    page.goto("/stations")
    assert barriers(page, f"stations-{lang}") == []
    assert key not in page.content()

    page.goto("/stations/terminals")
    page.fill("#number", "013912345678")
    page.fill("#terminal-vehicle", "浙C10086")
    pressed(page)
    page.wait_for_url("**/stations/terminals/terminal-13912345678")
    assert barriers(page, f"terminal-{lang}") == []
    page.goto("/stations/terminals")
    assert barriers(page, f"terminals-{lang}") == []
    assert troubles == []
    context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_phone_that_asks_is_seen_on_the_board_and_let_in_by_keyboard(
    server: tuple[Desk, str], browser: Browser, lang: str
) -> None:
    found, address = server
    registry = found.store.registry
    pass_id = next(p.grant.pass_id for p in found.told.looks["浙C10086" if lang == "zh" else "浙C20718"].view.passes)
    person = found.house.office.pass_state(pass_id).crew[0]
    soon = NOW + timedelta(minutes=30)
    link = registry.add_link(digest(f"link {lang}"), person=person, pass_id=pass_id, expires=soon, phone_hash=lang)
    registry.ask_for_phone(f"other {lang}", pass_id=pass_id, person=person, link=link.id, kind="android wechat", expires=soon)
    context = signed_in(found, address, browser, lang)
    page = context.new_page()
    page.goto("/")
    page.locator("a[href='/passes#phones']").focus()
    assert barriers(page, f"board-phones-{lang}") == []
    pressed(page)
    page.wait_for_selector("#phones")
    assert barriers(page, f"passes-phones-{lang}") == []
    assert tab_to(page, "form[action$='/approve'] button", 120)
    pressed(page)
    assert page.url.endswith(f"/passes/{pass_id}")
    assert barriers(page, f"pass-phones-{lang}") == []
    moved = registry.link_by_phone(f"other {lang}")
    assert moved is not None
    assert moved.pass_id == pass_id
    context.close()


# -- at the kiosk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        found.store.registry.give_badge(found.staff, badges.seal(BADGE))
        found.pull()
        yield found


def test_a_badge_before_the_camera_signs_on_and_is_left_lying_without_harm(engine: Any, g: Ground, tmp_path: Path) -> None:
    with served(g) as address, browser_at(engine, address, *camera(tmp_path, BADGE)) as page:
        page.wait_for_selector("[data-post='/sign-off']", timeout=15000)
        page.click("[data-post='/sign-off']")
        page.wait_for_selector("#sign-on", timeout=15000)
        page.wait_for_timeout(1500)  # a dozen frames, each with the card in it
        assert page.is_visible("#sign-on"), "whoever signed off stays off"


@pytest.mark.parametrize("lang", ["zh-CN", "en-GB"])
def test_a_hand_scanner_reads_a_badge_and_a_strange_one_is_told(engine: Any, g: Ground, lang: str) -> None:
    with served(g) as address, browser_at(engine, address, lang=lang) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        typed_by_scanner(page, badges.make(bytes(20)))
        page.wait_for_selector(".notice-refused", timeout=15000)
        assert barriers(page, f"kiosk-badge-refused-{lang}") == []
        page.focus("#number-text")
        typed_by_scanner(page, BADGE)
        page.wait_for_selector("[data-post='/sign-off']", timeout=15000)
        assert page.input_value("#number-text") == ""


@pytest.mark.parametrize("lang", ["zh-CN", "en-GB"])
def test_the_enrolment_code_is_read_by_the_camera_and_pressed_by_a_person(
    engine: Any, g: Ground, tmp_path: Path, lang: str
) -> None:
    token = "0123456789abcdef0123456789abcdef"
    g.store.registry.add_kiosk("rest-1", digest(token), g.clock() + timedelta(days=3))
    fresh = open_kiosk(tmp_path / "fresh", g.clock, transport=g.line)
    bench = Ground(**{**vars(g), "kiosk": fresh})
    switches = camera(tmp_path, enrolling.code(SERVER, token))
    with served(bench) as address, browser_at(engine, address, *switches, lang=lang) as page:
        expect(page.locator("#enrol-token")).to_have_value(token, timeout=15000)
        assert page.input_value("#enrol-server") == SERVER
        assert fresh.outbox.enrolment is None, "a code that is held up enrols nobody"
        assert barriers(page, f"kiosk-enrol-{lang}") == []
        expect(page.locator("#enrol button")).to_be_focused(timeout=5000)
        page.keyboard.press("Enter")
        page.wait_for_selector("#enrol", state="detached", timeout=15000)
    assert '"station":"rest-1"' in fresh.outbox.setting("enrolment")
    fresh.close()


def test_the_enrolment_code_is_typed_by_a_hand_scanner(engine: Any, g: Ground, tmp_path: Path) -> None:
    fresh = open_kiosk(tmp_path / "fresh", g.clock, transport=g.line)
    bench = Ground(**{**vars(g), "kiosk": fresh})
    with served(bench) as address, browser_at(engine, address) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        page.focus("#enrol-server")
        typed_by_scanner(page, enrolling.code(SERVER, "abc123"))
        expect(page.locator("#enrol-token")).to_have_value("abc123", timeout=10000)
        assert page.input_value("#enrol-server") == SERVER
        page.keyboard.press("Enter")
        page.wait_for_selector("#toast:not([hidden])", timeout=10000)  # no such token: said, and asked for again
        assert page.is_visible("#enrol")
    fresh.close()
