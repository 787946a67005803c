"""The board in a real Chromium: the list and the map are there, it is live, a keyboard is enough, and axe finds nothing."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from checkpoint.core.facts import WarningAnswered
from checkpoint.web import access
from tests.desk import Desk, desk
from tests.served import AXE, CHROMIUM

pytestmark = pytest.mark.browser

QUIET = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
WITHOUT_WEBGL = ["--disable-gpu", "--disable-3d-apis"]
WITH_WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FRONT_END = Path(os.environ.get("CHECKPOINT_FRONT_END", "") or Path(sys.prefix, "front-end", "node_modules"))
PAGES = [
    "/", "/vehicles/浙C18L44", "/passes", "/passes/new", "/loops/ouhai-jiading/1", "/stations", "/aside", "/api", "/tokens",
    "/webhooks", "/webhooks/{hook}", "/problems", "/problems/malformed",
]  # fmt: skip


def pages_of(found: Desk) -> list[str]:
    """The pages, with a token and a webhook on them that something became of."""
    registry = found.store.registry
    if not registry.webhooks():
        expires = found.house.now() + timedelta(days=30)
        registry.add_api_token("0" * 64, name="派车系统", role="coordinator", office="", writes=True, made_by="", expires=expires)
        url, events = "https://hooks.example.com/" + "long/" * 40, ("pass.granted", "warning.raised")
        hook = registry.add_webhook(url, events, role="coordinator", office="", secret="whsec_", made_by="", since=0)
        registry.put_out([(hook.id, 1, "pass.granted"), (hook.id, 2, "warning.raised")], 2)
        registry.outgoing_failed(registry.outgoing_due(hook.id, found.house.now(), 1)[0], 500, "refused", expires)
    return [path.format(hook=registry.webhooks()[0].id) for path in PAGES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A server on a real port, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with desk(tmp_path_factory.mktemp("browser"), public_url=address, front_end=FRONT_END) as found:
        # A page may hold its stream open: the end of the test does not wait for it.
        config = uvicorn.Config(found.app, port=port, log_level="error", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run)
        thread.start()
        deadline = time.monotonic() + 20
        while not running.started and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running.started
        yield found, address
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    """What launches browsers."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(params=["with WebGL", "without WebGL"])
def browser(request: pytest.FixtureRequest, driver: Playwright) -> Iterator[Browser]:
    """A Chromium, once able to draw the live map and once not."""
    more = WITH_WEBGL if request.param == "with WebGL" else WITHOUT_WEBGL
    found = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *more])
    yield found
    found.close()


@pytest.fixture(scope="module")
def plain(driver: Playwright) -> Iterator[Browser]:
    """A Chromium for tests that do not ask for the live map."""
    found = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *WITHOUT_WEBGL])
    yield found
    found.close()


def signed_in(found: Desk, address: str, browser: Browser, lang: str = "zh") -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=address)
    token = found.session(access.COORDINATOR)
    context.add_cookies([{"name": "checkpoint", "value": token, "url": address}, {"name": "lang", "value": lang, "url": address}])
    return context


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what went wrong on it: scripts that failed, what the content security policy refused."""
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    return page, troubles


def test_the_board_lists_every_truck_and_its_map_is_not_blank(server: tuple[Desk, str], browser: Browser) -> None:
    found, address = server
    context = signed_in(found, address, browser)
    page, troubles = watched(context)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    for plate in found.told.looks:
        expect(page.locator(f'tr[data-truck="{plate}"]')).to_be_visible()
    expect(page.locator("#live")).to_have_class("live is-on", timeout=15_000)
    live_map = page.evaluate("() => !!document.createElement('canvas').getContext('webgl2')")
    if live_map:
        expect(page.locator("#map.is-live")).to_be_visible(timeout=30_000)
        expect(page.locator(".map-truck")).to_have_count(sum(1 for look in found.told.looks.values() if look.view.track))
    else:
        expect(page.locator("#map-still svg")).to_be_visible()
        assert page.locator("#map-still a.dot").count() == sum(1 for look in found.told.looks.values() if look.view.track)
    assert shades(page.locator("#map").screenshot()) > 8, "more than an empty ground"
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == [], "no other origin is asked"
    refused = [said for said in troubles if "Content Security Policy" in said]
    assert refused == []
    context.close()


def shades(picture: bytes) -> int:
    """How many different colours a picture has."""
    with Image.open(BytesIO(picture)) as image:
        return len(image.convert("RGB").getcolors(maxcolors=1 << 24) or ())


def test_a_warning_is_answered_by_keyboard_alone(server: tuple[Desk, str], plain: Browser) -> None:
    found, address = server
    context = signed_in(found, address, plain, "en")
    page, _ = watched(context)
    page.goto("/?show=unanswered")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for _step in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('details.respond') !== null"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Called the driver; on the way back.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?show=unanswered")
    said = [r.fact.what for r in found.store.facts_of_kind("WarningAnswered")]
    assert "Called the driver; on the way back." in [w.answer for w in said if isinstance(w, WarningAnswered)]
    context.close()


def test_what_a_person_types_survives_what_happens_meanwhile(server: tuple[Desk, str], plain: Browser) -> None:
    found, address = server
    context = signed_in(found, address, plain, "en")
    page, _ = watched(context)
    page.goto("/?show=red")
    expect(page.locator("#live")).to_have_class("live is-on", timeout=15_000)
    page.locator("details.respond summary").first.click()
    page.locator("details.respond textarea").first.fill("half a sent")
    with page.expect_response("**/board/live**"):
        found.house.hub.publish("warning", {"vehicle": "浙C47T35"})
    page.keyboard.type("ence")
    expect(page.locator("details.respond textarea").first).to_have_value("half a sentence")
    expect(page.locator("details.respond textarea").first).to_be_focused()
    context.close()


def test_the_light_says_when_the_line_is_down(server: tuple[Desk, str], plain: Browser) -> None:
    found, address = server
    context = signed_in(found, address, plain, "en")
    page, _ = watched(context)
    page.goto("/")
    expect(page.locator("#live")).to_have_text("Live", timeout=15_000)
    context.set_offline(True)
    found.house.hub.publish("vehicle", {})
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#live")).to_have_text("Line down, trying again", timeout=15_000)
    context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_axe_finds_no_barrier_on_any_page(server: tuple[Desk, str], plain: Browser, lang: str) -> None:
    found, address = server
    context = signed_in(found, address, plain, lang)
    # axe is set into the page by the tester; our own policy would rightly refuse it.
    script = AXE.read_text(encoding="utf-8")
    problems = []
    for path in pages_of(found):
        page = context.new_page()
        page.goto(path)
        page.evaluate(script)
        result = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
        problems += [(path, v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in result["violations"]]
        page.close()
    assert problems == [], json.dumps(problems, ensure_ascii=False, indent=1)
    context.close()


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_page_is_wider_than_its_screen(server: tuple[Desk, str], plain: Browser, width: int) -> None:
    found, address = server
    context = signed_in(found, address, plain, "en")
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    for path in pages_of(found):
        page.goto(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, path
    context.close()
