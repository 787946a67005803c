"""The kiosk's page in a real Chromium: a fake camera shows passes, keys are typed, and the desk is the real one.

The server behind the kiosk is the real one too, in this process.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import sync_playwright

from checkpoint.core import passes
from checkpoint.core.facts import Entered, Scanned, SwabTaken
from kiosk.app import create_app
from tests.ground import T0
from tests.served import AXE, CHROMIUM
from tests.station import PIN, Ground, ground, jpeg, picture

pytestmark = pytest.mark.browser
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--mute-audio",
]  # fmt: skip


@contextmanager
def served(g: Ground) -> Iterator[str]:
    """The kiosk's page on a port of its own; yields its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    server = uvicorn.Server(uvicorn.Config(create_app(g.kiosk, start_link=False), log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield f"http://localhost:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with sync_playwright() as found:
        yield found.chromium


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        yield found


@contextmanager
def browser_at(engine: Any, address: str, *switches: str, refused: bool = False, lang: str = "zh-CN") -> Iterator[Any]:
    """A page at an address, its console listened to: nothing may go wrong there."""
    browser = engine.launch(executable_path=CHROMIUM, args=[*SWITCHES, *switches])
    try:
        context = browser.new_context(
            locale=lang, viewport={"width": 1280, "height": 800}, permissions=[] if refused else ["camera"]
        )
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console", lambda said: wrong.append(said.text) if said.type == "error" and "status of 4" not in said.text else None
        )
        page.goto(address)
        yield page
        assert wrong == []
    finally:
        browser.close()


def camera(folder: Path, text: str) -> tuple[str, ...]:
    """Switches for a camera that shows one picture for ever."""
    film = folder / "film.mjpeg"
    film.write_bytes(jpeg(picture(text, side=720)) * 4)
    return ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={film}")


def seen(page: Any) -> tuple[str, str]:
    """The word and the first reason on the page."""
    page.wait_for_selector(".verdict-fill", timeout=15000)
    return page.get_attribute(".verdict-fill", "data-word"), page.get_attribute(".verdict-fill .first", "data-reason")


def granted(g: Ground) -> str:
    number = g.pass_()
    g.tested(number)
    g.pull()
    return g.live(number)


def expired(g: Ground) -> str:
    number = g.pass_(expires=T0 + timedelta(hours=1))
    g.tested(number)
    g.pull()
    text = g.live(number)
    g.clock.forward(hours=1)
    g.pull()
    return text


def revoked(g: Ground) -> str:
    number = g.pass_()
    g.tested(number)
    g.revoke(number)
    g.pull()
    return g.live(number)


def forged(g: Ground) -> str:
    number = g.pass_()
    real = passes.read(g.sheet(number), g.store.registry.trusted_keys()).pass_
    return passes.seal(real, Ed25519PrivateKey.generate())


def foreign(g: Ground) -> str:
    return "HTTPS://EXAMPLE.ORG/MENU"


@pytest.mark.parametrize(
    ("shown", "word", "reason"),
    [
        (granted, "GO", "in-order"),
        (expired, "STOP", "pass-expired"),
        (revoked, "STOP", "pass-revoked"),
        (forged, "STOP", "not-genuine"),
        (foreign, "STOP", "not-genuine"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_pass_held_to_the_camera_gets_its_verdict(
    engine: Any, g: Ground, tmp_path: Path, shown: Callable[[Ground], str], word: str, reason: str
) -> None:
    text = shown(g)
    with served(g) as address, browser_at(engine, address, *camera(tmp_path, text)) as page:
        assert seen(page) == (word, reason)
        time.sleep(1)  # the camera goes on seeing it: that is one look, not a flood
    assert g.kiosk.outbox.depth().waiting == 1
    g.push()
    assert g.store.verify().problems == ()


def test_a_refused_camera_is_said_and_the_number_can_be_typed(engine: Any, g: Ground) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    with served(g) as address, browser_at(engine, address, "--use-fake-device-for-media-stream", refused=True) as page:
        page.wait_for_selector("#camera-says[data-now=refused]", timeout=10000)
        assert page.is_visible("#camera-again")
        page.fill("#number-text", f"{number}-{passes.check_character(number)}")
        page.press("#number-text", "Enter")
        # Typed, so nobody has seen a seal: staff compare plate and names first.
        assert seen(page) == ("HOLD", "paper-not-compared")


def test_no_camera_at_all_is_said_with_a_way_on(engine: Any, g: Ground) -> None:
    with served(g) as address, browser_at(engine, address) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        assert page.is_visible("#camera-again")
        assert page.is_visible("#number-text")


def test_a_hand_scanner_types_wherever_the_focus_is(engine: Any, g: Ground) -> None:
    text = granted(g)
    with served(g) as address, browser_at(engine, address) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        page.focus("#number-text")
        typed_by_scanner(page, text)
        assert seen(page) == ("GO", "in-order")
        assert page.input_value("#number-text") == "", "what the scanner typed is not left in the field"


def test_a_scan_without_enter_and_two_in_a_row_are_two_scans(engine: Any, g: Ground) -> None:
    text, other = granted(g), g.sheet(g.pass_(vehicle="沪A11111"))
    g.pull()
    with served(g) as address, browser_at(engine, address) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        typed_by_scanner(page, text, end="")
        assert seen(page) == ("GO", "in-order")
        typed_by_scanner(page, other)
        page.wait_for_selector(".is-HOLD", timeout=15000)
    assert [f.what.vehicle for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Scanned)] == ["浙C12345", "沪A11111"]


def test_a_day_at_the_desk_by_keyboard_alone(engine: Any, g: Ground) -> None:
    text = granted(g)
    with served(g) as address, browser_at(engine, address) as page:
        page.wait_for_selector("#camera-says[data-now=none]", timeout=10000)
        page.focus("#staff")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type(PIN, delay=90)
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-post='/sign-off']", timeout=15000)
        typed_by_scanner(page, text)
        assert seen(page)[0] == "GO"
        reached = tab_to(page, "[data-do=Enter] button")
        assert reached, "the deed is reached with the Tab key"
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-do=Leave]", timeout=15000)
    assert any(isinstance(f.what, Entered) and f.by == g.staff for f in g.kiosk.outbox.own_facts())


def test_staff_sign_on_and_act_while_the_pass_stays_before_the_camera(engine: Any, g: Ground, tmp_path: Path) -> None:
    text = granted(g)
    with served(g) as address, browser_at(engine, address, *camera(tmp_path, text)) as page:
        assert seen(page) == ("GO", "in-order")
        page.evaluate("document.querySelector('#sign-on').dataset.same = 'yes'")
        page.select_option("#staff", g.staff)
        page.focus("#pin")
        page.keyboard.type("0000", delay=150)
        page.wait_for_timeout(1000)  # eight frames or so, each with the pass in it
        assert page.input_value("#pin") == "0000"
        assert page.get_attribute("#sign-on", "data-same") == "yes", "what says the same is not drawn anew"
        page.click("#sign-on button")
        page.wait_for_selector(".notice-refused", timeout=15000)
        page.wait_for_function("document.getElementById('pin').value === ''", timeout=5000)
        assert page.input_value("#staff") == g.staff
        page.focus("#pin")
        page.keyboard.type(PIN, delay=150)
        g.kiosk.desk.learnt([])  # something came in meanwhile
        page.click("#sign-on button")
        page.wait_for_selector("[data-post='/sign-off']", timeout=15000)
        page.click("[data-do=Enter] button")
        page.wait_for_selector("[data-do=Leave]", timeout=15000)
    assert any(isinstance(f.what, Entered) and f.by == g.staff for f in g.kiosk.outbox.own_facts())


def test_the_tube_is_scanned_into_its_field_and_nothing_half_typed_is_lost(engine: Any, g: Ground) -> None:
    number = g.pass_()
    g.pull()
    g.sign_on()
    g.kiosk.desk.scan(g.live(number))
    with served(g) as address, browser_at(engine, address) as page:
        sheet = page.locator("details[data-key^=pcr]").first
        sheet.locator("summary").click()
        typed_by_scanner(page, "TB20260503017")
        page.wait_for_function("document.querySelector('details[open] [data-tube]').value === 'TB20260503017'", timeout=10000)
        g.kiosk.desk.learnt([])  # something came in: the screen is drawn anew
        page.wait_for_timeout(1500)
        assert sheet.locator("[data-tube]").input_value() == "TB20260503017"
        sheet.locator("button[type=submit]").click()
        page.wait_for_selector(".notice-done", timeout=15000)
    assert [f.what.tube for f in g.kiosk.outbox.own_facts() if isinstance(f.what, SwabTaken)] == ["TB20260503017"]


@pytest.mark.parametrize("lang", ["zh-CN", "en-GB"])
def test_nobody_is_shut_out_of_the_page(engine: Any, g: Ground, lang: str) -> None:
    text = granted(g)
    with served(g) as address, browser_at(engine, address, lang=lang) as page:
        for step in ("idle", "verdict", "idle again"):
            if step == "verdict":
                g.sign_on()
                g.kiosk.desk.scan(text)
            elif step == "idle again":
                g.kiosk.desk.clear()
            page.wait_for_timeout(1500)
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
            assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []


def typed_by_scanner(page: Any, text: str, end: str = "Enter") -> None:
    """As a hand scanner does: every key at once, whichever way the letters are shifted."""
    page.evaluate(
        """([text, end]) => {
            const key = (code, key) => new KeyboardEvent("keydown", { code, key, bubbles: true, cancelable: true });
            const keys = [...text].map((sign) => key(/[0-9]/.test(sign) ? `Digit${sign}` : `Key${sign}`, "Process"));
            if (end) keys.push(key(end, end));
            for (const down of keys) document.activeElement.dispatchEvent(down);
        }""",
        [text, end],
    )


def tab_to(page: Any, selector: str, most: int = 60) -> bool:
    """Press Tab until the element has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return True
    return False
