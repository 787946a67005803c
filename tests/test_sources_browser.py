"""From a truck's page to a phone that reports for it, in a real Chromium: the codes on the glass are read back by a scanner."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pyzbar.pyzbar import ZBarSymbol
from pyzbar.pyzbar import decode as read_codes

from tests.desk import Desk, desk
from tests.fleet import NOW
from tests.served import chromium, serving
from tests.test_machines_browser import barriers, signed_in

pytestmark = pytest.mark.browser
PLATE = "浙C10086"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    with desk(tmp_path_factory.mktemp("sources")) as found, serving(found.app) as address:
        yield found, address


def read_off(page: Page, place: str) -> str:
    """What a scanner reads off a code on the glass."""
    picture = Image.open(io.BytesIO(page.locator(place).screenshot()))
    [found] = read_codes(picture, symbols=[ZBarSymbol.QRCODE])
    return str(found.data.decode())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_phone_is_set_up_from_the_trucks_page_by_one_code_or_link_for_either_app(
    server: tuple[Desk, str], browser: Browser, lang: str
) -> None:
    found, address = server
    context = signed_in(found, address, browser, lang)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.goto(f"/vehicles/{PLATE}")
    page.locator("form[action='/stations/trackers'] button").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    key = page.input_value("#key")
    device = page.url.rsplit("/", 1)[1]
    scanned = read_off(page, "#traccar-code")
    assert scanned.split("?")[0] == page.input_value("#address")
    assert parse_qs(urlsplit(scanned).query)["id"] == [key]
    assert page.input_value("#traccar").startswith("org.traccar.client://config?")
    assert read_off(page, "#owntracks-code") == page.input_value("#owntracks")
    assert page.input_value("#owntracks").startswith("owntracks:///config?inline=")
    assert barriers(page, f"set-up-{lang}") == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert barriers(page, f"set-up-{lang}-phone") == []
    page.set_viewport_size({"width": 1280, "height": 900})

    at = f"timestamp={int(NOW.timestamp())}"
    assert page.request.get(f"/api/v1/positions/osmand?id={key}&lat=28.0&lon=120.6&{at}").status == 200
    page.goto(f"/vehicles/{PLATE}")
    assert page.get_by_role("link", name=device).is_visible()
    assert key not in page.content()
    assert barriers(page, f"vehicle-sources-{lang}") == []
    assert troubles == []
    context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_stranger_is_shown_with_where_and_how_many_and_bound_from_its_first_position_on(
    server: tuple[Desk, str], browser: Browser, lang: str
) -> None:
    found, address = server
    context = signed_in(found, address, browser, lang)
    page, number = context.new_page(), f"35310{len(lang)}{lang}"
    for n in range(3):
        at = int(NOW.timestamp()) - 600 + n * 60
        sent = page.request.get(f"/api/v1/positions/osmand?id={number}&lat=28.0{n}&lon=120.6&timestamp={at}")
        assert sent.status == 404
    page.goto("/aside")
    row = page.locator("tr", has_text=number)
    assert row.locator("td").first.inner_text() == "3"
    assert barriers(page, f"strangers-{lang}") == []
    row.locator("input[name=vehicle]").fill(PLATE)
    with page.expect_navigation():
        row.get_by_role("button").click()
    assert {f.device for f in found.store.positions(PLATE)} >= {number}
    assert len([f for f in found.store.positions(PLATE) if f.device == number]) == 3
    page.goto("/aside")
    expect(page.locator("tr", has_text=number)).to_have_count(0)
    page.goto(f"/stations/trackers/{number}")
    expect(page.locator("#bindings")).to_be_visible()
    assert barriers(page, f"bindings-{lang}") == []
    with page.expect_navigation():
        page.locator("form[action^='/stations/release/'] button").click()
    assert re.search(r"/stations/trackers/", page.url)
    expect(page.locator("form[action^='/stations/release/']")).to_have_count(0)
    context.close()
