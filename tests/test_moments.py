"""A journey played back: each position with what it showed, gaps as gaps, what we knew then and what we know now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from checkpoint.core.fixes import Fix
from checkpoint.store.positions import Arrived
from checkpoint.web import access
from checkpoint.web.replay_data import frames, stretches, thinned
from tests.desk import Desk, desk
from tests.fleet import NOW, loop
from tests.roads import END_M, PATH, SAME_ROAD, Truck
from tests.served import AXE, CHROMIUM, CHROMIUM_ARGS, serving

PLATE, MINUTE = "浙C47T35", timedelta(minutes=1)


def came(fixes: Sequence[Fix]) -> list[Arrived]:
    return [Arrived(number=i, vehicle=PLATE, received_at=fix.fixed_at, fix=fix) for i, fix in enumerate(fixes, start=1)]


def a_truck() -> Truck:
    """On the line, silent for half an hour, off it and back."""
    truck = Truck(PATH, noise_m=4.0).drive(0, 8_000).silent(1800).drive(12_000, 15_000).drive(15_000, 18_000, side_m=250)
    return truck.drive(18_000, 25_000)


def test_each_position_shows_what_all_together_say() -> None:
    found = frames(SAME_ROAD, came(a_truck().fixes))
    assert [state for state, _ in _runs([f.state for f in found])] == ["on", "off", "on"]
    assert sum(f.after_gap for f in found) == 1
    assert found[-1].leg == "outbound"
    assert found[-1].share == pytest.approx(25_000 / END_M, abs=0.02)


def test_what_was_known_then_is_a_suspicion_first_and_confirmed_later() -> None:
    found = frames(SAME_ROAD, came(a_truck().fixes))
    out = [f.then for f in found if f.state == "off"]
    assert out[0] == "suspected"
    assert out[-1] == "off"


def _runs(states: Sequence[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for state in states:
        runs = [*runs[:-1], (state, runs[-1][1] + 1)] if runs and runs[-1][0] == state else [*runs, (state, 1)]
    return runs


def test_nothing_is_drawn_across_a_gap_but_the_gap() -> None:
    pieces = stretches(frames(SAME_ROAD, came(a_truck().fixes)))
    assert [state for state, _ in pieces] == ["on", "gap", "on", "off", "on"]
    (gap,) = [places for state, places in pieces if state == "gap"]
    assert len(gap) == 2
    assert (pieces[0][1][-1], pieces[2][1][0]) == (gap[0], gap[1])


def test_what_is_left_out_hides_no_change_and_no_gap() -> None:
    found = frames(SAME_ROAD, came(a_truck().fixes))
    few = thinned(found, most=20)
    assert len(few) <= 20 + 2 * 4
    assert [state for state, _ in _runs([f.state for f in few])] == [state for state, _ in _runs([f.state for f in found])]
    assert [f for f in few if f.after_gap] == [f for f in found if f.after_gap]
    assert (few[0], few[-1]) == (found[0], found[-1])


def test_a_position_that_is_no_place_is_unknown_and_not_drawn() -> None:
    fixes = list(Truck(PATH).drive(0, 2_000).fixes)
    blind = Fix(device="d", fixed_at=fixes[-1].fixed_at + timedelta(seconds=10), lat=0, lon=0, valid=False)
    found = frames(SAME_ROAD, came([*fixes, blind]))
    assert found[-1].state == "unknown"
    assert all((0, 0) not in places for _, places in stretches(found))


# -- on the page ------------------------------------------------------------------------------------------------------------


def driven(found: Desk) -> None:
    """The truck that left the loop, with its positions: a gap of half an hour, another device from then on."""
    path, chance, fixes = loop().paths["outbound"], Random(1), []
    at, along = NOW - timedelta(hours=5), 0.0
    while at < NOW:
        lon, lat = path.at(along)
        north = 900 if at > NOW - 24 * MINUTE else 0
        if not NOW - 100 * MINUTE < at < NOW - 70 * MINUTE:
            device = "phone-link-1" if at < NOW - 85 * MINUTE else "terminal-13900000001"
            lat, lon = lat + (north + chance.gauss(0, 4)) / 111_000, lon + chance.gauss(0, 4) / 98_000
            fixes.append((PLATE, Fix(device=device, fixed_at=at, lat=lat, lon=lon, accuracy_m=6, speed_kmh=70)))
        at += timedelta(seconds=30)
        along += 70 / 3.6 * 30
    found.store.add_positions(fixes)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("played")) as found:
        driven(found)
        yield found


def test_the_page_says_in_words_what_was_said_and_where_gaps_are(played: Desk) -> None:
    page = played.signed_in(access.COORDINATOR).get(f"/vehicles/{PLATE}/replay")
    assert page.status_code == 200
    for said in ("Off the loop", "no positions", "30 min"):
        assert said in page.text


def test_the_truck_s_page_leads_to_it(played: Desk) -> None:
    page = played.signed_in(access.COORDINATOR).get(f"/vehicles/{PLATE}")
    assert "/replay?journey=" in page.text


def test_a_carrier_sees_its_own_truck_and_not_which_tracker_it_has(played: Desk) -> None:
    for role, who, named in ((access.COORDINATOR, "", True), (access.CARRIER, "carrier-1", False)):
        answer = played.signed_in(role, who).get(f"/vehicles/{PLATE}/replay.json")
        assert answer.status_code == 200
        assert ("13900000001" in answer.text) is named
        assert len(json.loads(answer.text)["moments"]["frames"]) > 100
    assert played.signed_in(access.CARRIER, "carrier-2").get(f"/vehicles/{PLATE}/replay.json").status_code == 404


# -- in a browser -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with desk(tmp_path_factory.mktemp("browser")) as found, serving(found.app) as address, sync_playwright() as engine:
        driven(found)
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_ARGS, "--disable-3d-apis"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=address)
        name = access.cookie_name(found.house, access.COORDINATOR)
        for cookie, value in ((name, found.session(access.COORDINATOR)), ("lang", "en")):
            context.add_cookies([{"name": cookie, "value": value, "url": address}])
        yield context.new_page()
        browser.close()


def _troubles(page: Page) -> list[str]:
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    return troubles


def _tab_to(page: Page, name: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.id") == name:
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


@pytest.mark.browser
def test_a_keyboard_is_enough_to_see_each_moment_play_it_and_ask_what_was_known(page: Page) -> None:
    troubles = _troubles(page)
    page.goto(f"/vehicles/{PLATE}/replay")
    expect(page.locator("#player")).to_be_visible()
    _tab_to(page, "when")
    page.keyboard.press("End")
    expect(page.locator("#m-state")).to_have_text("off the loop")
    expect(page.locator("#m-device")).to_contain_text("terminal-13900000001")
    expect(page.locator("#m-warnings")).to_contain_text("Off the loop (red)")
    assert "14:30" in str(page.get_attribute("#when", "aria-valuetext"))
    page.keyboard.press("Home")
    expect(page.locator("#said-when")).to_contain_text("09:10")
    _tab_to(page, "after")
    # The first event is the edge of the gap; a step further, the truck has not been heard since.
    for _ in range(8):
        page.keyboard.press("Enter")
        if "12:50" in page.inner_text("#said-when"):
            break
    _tab_shift(page, "when")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#m-state")).to_contain_text("No position since")
    expect(page.locator("#m-warnings")).to_have_text("No open warning")
    before = page.input_value("#when")
    _tab_to(page, "play")
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Pause")
    page.wait_for_function("before => Number(document.getElementById('when').value) > Number(before) + 300", arg=before)
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Play")
    # All positions of this test came only at the end: then nothing was known.
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.name") == "known":
            break
    page.keyboard.press("ArrowRight")
    expect(page.locator("#m-state")).to_have_text("No position yet")
    assert troubles == []


def _tab_shift(page: Page, name: str) -> None:
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement?.id") == name:
            return
    raise AssertionError(name)


@pytest.mark.browser
@pytest.mark.parametrize(("path", "lang", "width"), [("replay", "zh", 1280), ("replay", "en", 380), ("import", "zh", 380)])
def test_it_has_no_barrier_and_fits_its_screen(page: Page, path: str, lang: str, width: int) -> None:
    troubles = _troubles(page)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/vehicles/{PLATE}/{path}?lang={lang}")
    expect(page.locator("#player" if path == "replay" else "#file")).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    assert [(v["id"], [n["html"][:160] for n in v["nodes"]]) for v in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [t for t in troubles if "axe" not in t] == []


def test_the_journeys_own_positions_are_read_with_when_they_came(tmp_path: Path) -> None:
    with desk(tmp_path) as found:
        driven(found)
        arrived = found.store.positions_arrived(PLATE, NOW - timedelta(hours=2), NOW - timedelta(hours=1))
        assert [a.fix for a in arrived] == found.store.positions(PLATE, NOW - timedelta(hours=2), NOW - timedelta(hours=1))
        assert {a.received_at for a in arrived} == {NOW}
