"""Accounts in a real Chromium, with its virtual authenticator: begun, guarded, come in to; by keyboard; axe finds nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from checkpoint.config import utc_now
from checkpoint.store import Store
from checkpoint.web.access import COORDINATOR, WITH_ACCOUNT
from checkpoint.web.app import create_app
from checkpoint.web.invitations import first_link
from tests.accounts import PASSPHRASE, account, cheap_hashes
from tests.fleet import StillWatch
from tests.served import AXE, chromium, serving

pytestmark = pytest.mark.browser

NEW = "eleven snails climb slowly"
WCAG = "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    """An installation that asks for second factors, under a name for which browsers make passkeys."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}"
    store = Store.open(tmp_path_factory.mktemp("accounts") / "checkpoint.db", utc_now)
    watch = StillWatch({})
    app = create_app(store, utc_now, watch=watch, public_url=address, second_factor=True)  # type: ignore[arg-type]
    with cheap_hashes():
        for role in WITH_ACCOUNT:
            account(store, role)
        with serving(app, port):
            yield store, address
    store.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


class Seat:
    """A browser context with a device that keeps passkeys, and what went wrong on its page."""

    def __init__(self, browser: Browser, address: str, lang: str = "en", width: int = 1000) -> None:
        self.context: BrowserContext = browser.new_context(base_url=address, viewport={"width": width, "height": 800})
        self.context.add_cookies([{"name": "lang", "value": lang, "url": address}])
        self.page: Page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda said: self.troubles.append(said.text) if "Content Security Policy" in said.text else None)
        self.device: CDPSession = self.context.new_cdp_session(self.page)
        self.device.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self.device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator: str = added["authenticatorId"]

    def sign_in(self, name: str, passphrase: str = PASSPHRASE) -> None:
        """Type name and passphrase."""
        self.page.goto("/sign-in")
        self.page.fill("#name", name)
        self.page.fill("#passphrase", passphrase)
        self.page.keyboard.press("Enter")

    def passkey(self) -> None:
        """Press the passkey's button."""
        self.page.locator("[data-passkey] [data-go]").click()

    def add_app(self) -> pyotp.TOTP:
        """Add an authenticator app on the account's page."""
        self.page.locator('form[action="/account/totp"] button').click()
        totp = pyotp.TOTP(self.page.locator("#secret").input_value().replace(" ", ""))
        self.page.fill("#code", totp.now())
        self.page.keyboard.press("Enter")
        expect(self.page.locator(".note-good")).to_be_visible()
        return totp

    def barriers(self) -> list[tuple[str, str]]:
        """What axe finds on the page."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(WCAG)["violations"]
        return [(self.page.url, json.dumps([each["id"], each["nodes"][0]["html"][:200]])) for each in found]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_from_the_first_link_to_a_passkey_without_a_barrier(served: tuple[Store, str], browser: Browser, lang: str) -> None:
    store, address = served
    seat = Seat(browser, address, lang)
    page, found = seat.page, []
    page.goto("/sign-in")
    found += seat.barriers()
    page.goto(first_link(store, address, utc_now()))
    page.fill("#display", "周敏")
    page.fill("#name", f"first-{lang}")
    page.fill("#passphrase", "aaaaaaaaaaaaaaaa")
    expect(page.locator(".strength-weak")).to_be_visible()
    page.locator("[data-show]").click()
    expect(page.locator("#passphrase")).to_have_attribute("type", "text")
    page.fill("#passphrase", NEW)
    expect(page.locator(".strength-strong")).to_be_visible()
    found += seat.barriers()
    page.locator("button.primary").click()
    page.wait_for_url("**/sign-in?joined")
    seat.sign_in(f"first-{lang}", NEW)
    page.wait_for_url("**/account")
    found += seat.barriers()
    totp = seat.add_app()
    page.locator('form[action="/account/recovery"] button').click()
    codes = page.locator(".codes li").all_inner_texts()
    assert len(set(codes)) == 10
    found += seat.barriers()
    page.goto("/account")
    page.fill("#label", "laptop")
    seat.passkey()
    page.wait_for_url("**/account?added")
    expect(page.get_by_role("rowheader", name="laptop")).to_be_visible()
    found += seat.barriers()
    for path in ("/accounts", "/audit"):
        page.goto(path)
        found += seat.barriers()
    page.locator(".top form button").click()
    page.wait_for_url("**/sign-in?out")
    seat.passkey()
    page.wait_for_url(f"{address}/accounts")
    page.goto("/confirm?next=/audit")
    found += seat.barriers()
    seat.passkey()
    page.wait_for_url(f"{address}/audit")
    page.locator(".top form button").click()
    seat.sign_in(f"first-{lang}", NEW)
    page.fill("#code", codes[0])
    found += seat.barriers()
    page.locator("button.primary").click()
    page.wait_for_url(f"{address}/accounts")
    assert found == []
    assert seat.troubles == []
    assert totp.secret not in page.content()
    seat.context.close()


def test_a_keyboard_is_enough(served: tuple[Store, str], browser: Browser) -> None:
    _, address = served
    seat = Seat(browser, address)
    page = seat.page
    page.goto("/sign-in")
    seen = []
    page.locator(".skip").focus()
    for _ in range(7):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.id || document.activeElement.textContent.trim()"))
    assert seen == ["Checkpoint", "中文", "name", "passphrase", "Show", "Sign in", "Use a passkey"]
    seat.context.close()


def test_a_device_that_says_no_a_passkey_taken_away_and_a_copied_one_do_not_come_in(
    served: tuple[Store, str], browser: Browser
) -> None:
    store, address = served
    seat = Seat(browser, address)
    page = seat.page
    seat.sign_in(COORDINATOR)
    page.wait_for_url("**/account")
    page.fill("#label", "phone")
    seat.passkey()
    page.wait_for_url("**/account?added")
    page.locator(".top form button").click()
    page.wait_for_url("**/sign-in?out")

    seat.device.send("WebAuthn.setUserVerified", {"authenticatorId": seat.authenticator, "isUserVerified": False})
    seat.passkey()
    expect(page.locator("[data-said]")).to_be_visible()
    seat.device.send("WebAuthn.setUserVerified", {"authenticatorId": seat.authenticator, "isUserVerified": True})

    [held] = store.registry.factors(store.registry.account_named(COORDINATOR).id)  # type: ignore[union-attr]
    assert store.registry.use_factor(held.id, held.uses + 1000), "as if a copy of it had been used a thousand times"
    seat.passkey()
    expect(page.locator("[data-said]")).to_have_text("You are not signed in. Try again, or use your passphrase.")
    assert not [cookie for cookie in seat.context.cookies() if cookie["name"] == "checkpoint"]

    assert store.registry.remove_factor(held.account, held.id)
    seat.passkey()
    expect(page.locator("[data-said]")).to_have_text("You are not signed in. Try again, or use your passphrase.")
    assert store.registry.audited(1)[0].what == "passkey-failed"
    seat.context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_is_wider_than_its_screen(served: tuple[Store, str], browser: Browser, width: int) -> None:
    store, address = served
    seat = Seat(browser, address, width=width)
    page = seat.page
    name = f"wide-{width}"
    account(store, "administrator", name, display="一个名字很长很长的系统管理员")
    wide = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    seat.sign_in(name)
    page.wait_for_url("**/account")
    seat.add_app()
    too_wide = []
    for path in ("/account", "/accounts", "/audit", "/confirm", "/sign-in"):
        page.goto(path)
        if page.evaluate(wide):
            too_wide.append(path)
    page.goto(first_link(store, address, utc_now()))
    assert not page.evaluate(wide)
    assert too_wide == []
    seat.context.close()
