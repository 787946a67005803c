"""The board: rows, ladder and map from what the watch sees; the page, live and answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import geo
from checkpoint.core.datum import gcj_to_wgs
from checkpoint.core.facts import Amended, Fact, Loaded, Voided, WarningAnswered
from checkpoint.store import Concern
from checkpoint.ui import texts
from checkpoint.web import overview
from checkpoint.web.access import CARRIER, COORDINATOR
from checkpoint.web.board_data import SHOWS, counts, truck, trucks, warnings
from checkpoint.web.driver_card import card_of
from checkpoint.web.hub import BACKLOG, Hub, sse
from checkpoint.web.journey_data import people, thinned, timeline
from checkpoint.web.journeys import last_place
from checkpoint.web.ladder import LABEL_GAP, RUNG_GAP, ladder, spread, station_shares
from checkpoint.web.words import Words
from tests.desk import Desk, desk
from tests.fleet import NOW, Fleet, Told, fleet, loop

FLEET = fleet()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server whose watch sees the fleet."""
    with desk(tmp_path_factory.mktemp("board"), told=fleet()) as found:
        yield found


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plate", "state", "colour"),
    [
        ("浙C10086", "driving", ""),
        ("浙C47T35", "off-loop", "red"),
        ("浙C66N02", "silent", "red"),
        ("浙C71K90", "at-station", ""),
        ("浙C82Q16", "resting", ""),
        ("浙C05W58", "resting", "yellow"),
        ("浙C29H63", "at-station", "yellow"),
        ("浙C00001", "not-started", ""),
    ],
)
def test_each_truck_has_the_one_word_for_what_it_does(plate: str, state: str, colour: str) -> None:
    look = FLEET.looks[plate]
    found = truck(look.view, look.judgement, NOW)
    assert (found.state, found.colour) == (state, colour)


def test_the_most_urgent_trucks_come_first() -> None:
    rows = trucks(FLEET.looks, NOW)
    urgency = [{"red": 0, "yellow": 1, "": 2}[t.colour] for t in rows]
    assert urgency == sorted(urgency)
    assert rows[-1].state == "not-started"
    assert len(rows) == len(FLEET.looks)


def test_a_truck_for_which_a_pass_was_only_asked_is_on_no_road_yet() -> None:
    asked = FLEET.looks["浙C90211"]
    nothing = msgspec.structs.replace(
        asked.view, vehicle="浙C00000", passes=(), pass_=None, journeys=(), journey=None, track=None, warnings=()
    )
    looks = {**FLEET.looks, "浙C00000": asked._replace(view=nothing)}
    assert [row.vehicle for row in trucks(looks, NOW)] == [row.vehicle for row in trucks(FLEET.looks, NOW)]


def test_a_trucks_next_station_is_the_one_it_must_visit_with_its_estimate() -> None:
    look = FLEET.looks["浙C90211"]
    found = truck(look.view, look.judgement, NOW)
    assert found.next is not None
    assert found.next.station == "wenzhou-south-gate"
    # A minute from where it was seen, at its own pace, which is a twentieth slower than the plan's.
    hours = found.next.distance_m / 1000 / loop().policy.cruise_kmh * 1.05
    assert found.next.eta - NOW == pytest.approx(timedelta(hours=hours), abs=timedelta(minutes=4))
    assert found.next.earliest is not None
    assert found.next.latest is not None
    assert found.next.earliest < found.next.eta < found.next.latest


def test_warnings_that_wait_for_somebody_come_first_and_red_before_yellow() -> None:
    rows = warnings(FLEET.looks.values(), "open")
    assert [(w.answered_at is None, w.colour) for w in rows] == [
        (True, "red"), (True, "red"), (True, "red"), (True, "yellow"), (False, "yellow"),
    ]  # fmt: skip


def test_each_choice_of_warnings_holds_what_its_number_says() -> None:
    counted = counts(FLEET.looks.values())
    assert counted == {"open": 5, "unanswered": 4, "red": 3, "driver": 1, "ended": 0}
    for show in SHOWS:
        assert len(warnings(FLEET.looks.values(), show)) == counted[show]


# -- the ladder -------------------------------------------------------------------------------------------------------


def test_rungs_stand_in_the_order_of_the_road_and_can_be_told_apart() -> None:
    found = ladder(loop(), trucks(FLEET.looks, NOW))
    heights = [rung.y for rung in found.rungs]
    assert found.rungs[0].station.id == loop().origin
    assert found.rungs[-1].station.id == loop().destination
    assert all(above <= below - RUNG_GAP + 0.2 for below, above in pairwise(heights))
    assert {rung.station.id for rung in found.rungs} == {station.id for station in loop().stations}


def test_every_truck_is_on_the_ladder_once_or_named_beside_it() -> None:
    rows = trucks(FLEET.looks, NOW)
    found = ladder(loop(), rows)
    drawn = [mark.truck.vehicle for mark in found.marks] + [t.vehicle for t in found.elsewhere]
    assert sorted(drawn) == sorted(t.vehicle for t in rows if t.loop)


def test_a_truck_climbs_going_out_and_descends_coming_home() -> None:
    found = {m.truck.vehicle: m for m in ladder(loop(), trucks(FLEET.looks, NOW)).marks}
    assert found["沪A55T21"].y < found["浙C20718"].y < found["浙C10086"].y, "further out is higher"
    assert found["浙C33R07"].y < found["浙C90211"].y, "nearer home is lower"
    rung = next(r for r in ladder(loop(), trucks(FLEET.looks, NOW)).rungs if r.station.id == "ouhai-sampling")
    assert found["浙C71K90"].y == rung.y, "in a station it stands on its rung"
    assert rung.inside == 2


def test_the_shares_of_stations_run_from_origin_to_destination() -> None:
    shares = station_shares(loop())
    assert shares[loop().origin] == 0
    assert shares[loop().destination] == 1
    assert all(0 <= share <= 1 for share in shares.values())
    assert shares["taizhou-service"] < shares["ningbo-service"] < shares["jinshan-gate"]


@given(st.lists(st.floats(0, 800), max_size=40).map(sorted))
def test_labels_keep_their_order_and_never_cover_each_other(places: list[float]) -> None:
    found = spread(places, LABEL_GAP, 20, 900)
    assert len(found) == len(places)
    assert all(b - a >= LABEL_GAP - 0.11 for a, b in pairwise(found))
    assert all(label >= 20 for label in found)
    if len(places) * LABEL_GAP < 880:
        assert all(label <= 900.1 for label in found)


def test_labels_that_have_room_stay_where_they_are() -> None:
    assert spread([100, 200, 300], 20, 0, 900) == [100, 200, 300]
    assert spread([100, 100], 20, 0, 900) == [90, 110]


# -- the map ----------------------------------------------------------------------------------------------------------


def test_the_drawing_holds_every_truck_station_and_line() -> None:
    rows = trucks(FLEET.looks, NOW)
    found = overview.drawing((loop(),), rows)
    assert {t.vehicle for t, _, _ in found.trucks} == {t.vehicle for t in rows if t.lon is not None}
    assert len(found.stations) == len(loop().stations)
    assert all(path.startswith("M") and path.count("L") > 20 for _, path in found.lines)
    assert all(0 <= x <= found.width and 0 <= y <= found.height for _, x, y in (*found.stations, *found.trucks))
    assert len(found.meridians) >= 2
    assert len(found.parallels) >= 2


def test_an_installation_without_a_loop_still_has_a_map() -> None:
    found = overview.drawing((), ())
    assert len(found.parallels) >= 2
    assert found.bar_px > 0


def test_the_drawings_scale_bar_is_as_long_as_it_says() -> None:
    box = overview.bounds((loop(),))
    project = overview.Projection(box, 640, 480)
    found = overview.drawing((loop(),), (), width=640, height=480)
    metres = float(found.bar_label.removesuffix(" km")) * 1000
    west = project.middle
    degrees_east = metres / geo.scale_m(west[1])[0]
    east = (west[0] + degrees_east, west[1])
    assert project(east)[0] - project(west)[0] == pytest.approx(found.bar_px, abs=0.2)
    assert geo.distance_m(west, east) == pytest.approx(metres, rel=5e-3)


@pytest.mark.parametrize("extent", [0.004, 0.03, 0.5, 1, 3.7, 12, 90])
def test_the_graticule_has_a_few_round_lines(extent: float) -> None:
    step = overview.step_deg(extent)
    assert 2 <= extent / step <= 5
    assert f"{step:e}"[0] in "125"


def test_the_live_maps_corridor_has_the_width_of_the_policy_piece_by_piece() -> None:
    plan = loop()
    for leg in ("outbound", "inbound"):
        pieces = overview.pieces(plan, leg)
        widths = [plan.policy.half_width_m, *(s.half_width_m for s in plan.line(leg).sections)]
        assert {w for w, _ in pieces} <= set(widths)
        for (_, one), (_, other) in pairwise(pieces):
            assert one[-1] == other[0], "no gap between two pieces"
        length = sum(geo.distance_m(a, b) for _, points in pieces for a, b in pairwise(points))
        assert length == pytest.approx(plan.paths[leg].length_m, rel=1e-6)


def test_the_live_maps_plan_is_geojson_with_places_in_order(board: Desk) -> None:
    answer = board.signed_in(COORDINATOR, lang="zh").get("/board/plan.json")
    plan = answer.json()
    assert plan["type"] == "FeatureCollection"
    assert {f["properties"]["kind"] for f in plan["features"]} == {"graticule", "line", "corridor", "station"}
    for feature in plan["features"]:
        places = feature["geometry"]["coordinates"]
        lon, lat = places[0][0] if feature["geometry"]["type"] == "Polygon" else places[0]
        assert 100 < lon < 140, "longitude first"
        assert 0 < lat < 60
    assert {"id": "ouhai-depot", "name": "瓯海潘桥配送仓", "end": True}.items() <= plan["stations"][0].items()


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_board_shows_every_truck_in_the_list_on_the_ladder_and_on_the_map(board: Desk, lang: str) -> None:
    page = board.signed_in(COORDINATOR, lang=lang).get("/").text
    ladder_part = page.split('id="part-ladder"')[1].split("</section>")[0]
    still = page.split('id="map-still"')[1]
    for plate, look in FLEET.looks.items():
        assert f'data-truck="{plate}"' in page
        assert plate in ladder_part
        assert (plate in still) == (look.view.track is not None)
    assert "finding." not in page
    assert "board." not in re.sub(r"/static/web/board\.(?:css|js)", "", page)


def test_a_warning_shows_its_evidence_and_who_was_told(board: Desk) -> None:
    page = board.signed_in(COORDINATOR).get("/?show=red").text
    positive = next(part for part in page.split("<article")[1:] if "浙C18L44" in part)
    assert "Checkpoint Jinshan, Shanghai border" in positive
    assert "acknowledged" in positive
    assert "not yet acknowledged" in positive
    off = next(part for part in page.split("<article")[1:] if "浙C47T35" in part)
    assert "640 m" in off, "the values of the fix that proves it"
    assert "浙C29H63" not in page.split('id="part-warnings"')[1].split("</section>")[0], "a yellow one is not among the red"


def test_a_coordinator_answers_a_warning_and_the_record_says_who(tmp_path: Path) -> None:
    with desk(tmp_path) as found:
        client = found.signed_in(COORDINATOR)
        warning = next(w for w in found.told.looks["浙C47T35"].view.warnings)
        answer = client.post(f"/warnings/{warning.id}/answer", data={"answer": " 已派人  前往 ", "show": "red"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/?show=red")
        said = [f for f in found.store.facts_of(f"warning:{warning.id}") if isinstance(f.what, WarningAnswered)]
        assert [f.what.answer for f in said if isinstance(f.what, WarningAnswered)] == ["已派人 前往"]
        assert said[0].by.startswith("coordinator")
        assert said[0].witness == "desk:coordinator"


@pytest.mark.parametrize(("warning", "said", "status"), [("nothing", "x", 404), ("loop-published", "x", 404), (None, " ", 422)])
def test_an_answer_to_nothing_or_of_nothing_is_refused(board: Desk, warning: str | None, said: str, status: int) -> None:
    real = next(w for w in board.told.looks["浙C47T35"].view.warnings).id
    client = board.signed_in(COORDINATOR)
    assert client.post(f"/warnings/{warning or real}/answer", data={"answer": said}).status_code == status


def test_a_carrier_sees_its_own_trucks_and_nothing_of_the_others(board: Desk) -> None:
    client = board.signed_in(CARRIER, who="carrier-2")
    for path in ("/", "/board/live"):
        page = client.get(path).text
        assert "沪A55T21" in page
        assert "浙C" not in page.replace("浙C12345", "")
    assert client.get("/vehicles/沪A55T21").status_code == 200
    assert client.get("/vehicles/浙C10086").status_code == 404
    assert client.get("/vehicles/浙C10086/plan.json").status_code == 404
    other = board.told.looks["浙C10086"].view.journey
    assert other is not None
    assert client.get(f"/journeys/{other.id}").status_code == 404
    assert client.post("/warnings/x/answer", data={"answer": "x"}).status_code == 403


def test_a_carrier_learns_nothing_of_its_drivers_health(board: Desk) -> None:
    """A coordinator reads of swabs, readings and results where the carrier reads only what a gate said to the truck."""
    words = ("fact.SwabTaken", "fact.AntigenRead", "fact.Alerted", "fact.AlertAcknowledged", "reason.antigen-unread", "test.pcr")
    t = texts("en")
    told = {t(word) for word in words} | {"s-330304-", "a-330304-", "T330304-"}
    paths = ("/vehicles/浙C18L44", "/vehicles/浙C71K90", "/vehicles/浙C82Q16", "/", "/board/live", "/?show=red", "/?show=ended")
    seen = {COORDINATOR: "", CARRIER: ""}
    for role, who in ((COORDINATOR, ""), (CARRIER, "carrier-1")):
        client = board.signed_in(role, who=who)
        pages = [client.get(path, headers={"accept-language": "en"}) for path in paths]
        assert {page.status_code for page in pages} == {200}
        seen[role] = "".join(page.text for page in pages)
    positive = next(w.id for w in board.told.looks["浙C18L44"].view.warnings if w.raised.finding == "positive-result")
    assert {word for word in told if word not in seen[COORDINATOR]} == set()
    assert positive in seen[COORDINATOR]
    assert {word for word in told if word in seen[CARRIER]} == set()
    assert positive not in seen[CARRIER]
    assert "浙C18L44" in seen[CARRIER]
    assert t("fact.Loaded") in seen[CARRIER]
    assert t("journey.health-withheld") in seen[CARRIER]


def test_an_empty_installation_says_what_to_do_first(tmp_path: Path) -> None:
    with desk(tmp_path, told=Fleet({}, ())) as found:
        page = found.signed_in(COORDINATOR).get("/").text
        assert 'href="/loops"' in page
        assert "<svg" in page.split('id="map-still"')[1], "and the map is not blank"


def test_the_live_parts_are_those_of_the_page(board: Desk) -> None:
    client = board.signed_in(COORDINATOR)
    parts = [re.findall(r'id="(part-\w+)" data-live', client.get(path).text) for path in ("/", "/board/live")]
    assert parts[0] == parts[1] == ["part-summary", "part-ladder", "part-list", "part-warnings"]


# -- live -------------------------------------------------------------------------------------------------------------


def test_an_event_reaches_every_open_stream_from_any_thread() -> None:
    async def run() -> None:
        hub = Hub()
        streams = [hub.stream(), hub.stream()]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.publish, "warning", {"vehicle": "浙C1"})
        assert await asyncio.gather(*waiting) == [("warning", {"vehicle": "浙C1"})] * 2
        hub.close()
        for stream in streams:
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(anext(stream), 1)

    asyncio.run(run())


def test_a_stream_that_cannot_keep_up_is_told_to_look_for_itself() -> None:
    async def run() -> list[object]:
        hub = Hub()
        stream = hub.stream()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        for i in range(BACKLOG + 5):
            hub.publish("vehicle", {"i": i})
        heard: list[object] = [await first]
        while len(heard) <= BACKLOG:
            try:
                heard.append(await asyncio.wait_for(anext(stream), 0.05))
            except (TimeoutError, StopAsyncIteration):
                break
        return heard

    heard = asyncio.run(run())
    assert ("reload", {}) in heard
    assert heard[-1] == ("vehicle", {"i": BACKLOG + 4})
    assert len(heard) < BACKLOG


def test_an_event_is_one_block_of_the_stream_and_a_heartbeat_is_a_comment() -> None:
    assert sse(("warning", {"vehicle": "浙C1\n"})) == 'event: warning\ndata: {"vehicle":"浙C1\\n"}\n\n'.encode()
    assert sse(None).startswith(b":")


# -- a journey's page -------------------------------------------------------------------------------------------------


def test_every_fact_about_a_vehicle_is_in_one_journeys_timeline(board: Desk) -> None:
    view = board.told.looks["浙C18L44"].view
    recorded = board.store.concerning(Concern("浙C18L44"))
    found = [e.id for journey in view.journeys for e in timeline(recorded, view.journeys, journey)]
    told = {r.fact.id for r in recorded if not isinstance(r.fact.what, Voided | Amended)}
    assert sorted(found) == sorted(told - {"loop-published"})


def test_a_voided_fact_stays_on_the_page_with_who_voided_it_and_why(board: Desk) -> None:
    page = board.signed_in(COORDINATOR).get("/vehicles/浙C18L44").text
    voided = next(part for part in page.split("<li id=")[1:] if "is-voided" in part)
    assert "扫错车辆" in voided
    assert "Checkpoint Wenzhou South" in voided


def test_a_sample_says_until_when_it_counts_and_a_pending_one_does_not_count() -> None:
    rows = people(FLEET.looks["浙C82Q16"].view, NOW)
    samples = {row.swab.test: row for row in rows[0].samples}
    assert samples["antigen"].counts
    assert samples["antigen"].until == NOW - timedelta(hours=9) + timedelta(seconds=loop().policy.antigen_valid_s)
    assert not samples["pcr"].counts
    assert samples["pcr"].until is None


def loading(found: Desk) -> tuple[Fact, Loaded]:
    """The loading of a truck of the fleet."""
    return next((f, f.what) for f in found.store.facts_of("vehicle:浙C10086") if isinstance(f.what, Loaded))


def test_a_fact_is_amended_by_field_and_by_time_and_the_first_version_stays(tmp_path: Path) -> None:
    with desk(tmp_path) as found:
        client = found.signed_in(COORDINATOR)
        loaded, what = loading(found)
        form = {"at": "2026-05-03T12:00:00", "f-parcels_count": "655", "f-seal": "S-001", "reason": "复点"}
        form |= {"f-vehicle": "浙C10086", "f-pass_id": what.pass_id}
        assert client.post(f"/facts/{loaded.id}/amend", data=form).status_code == 303
        page = client.get(f"/facts/{loaded.id}").text
        assert "655" in page
        assert "640" in page
        assert "复点" in page
        amended = next(f.what for f in found.store.facts_of(f"fact:{loaded.id}") if isinstance(f.what, Amended))
        assert amended.at is not None
        assert amended.at.isoformat() == "2026-05-03T04:00:00+00:00", "noon in the loop's zone"
        assert client.post(f"/facts/{loaded.id}/void", data={"reason": ""}).status_code == 422
        assert client.post(f"/facts/{loaded.id}/void", data={"reason": "没有这回事"}).status_code == 303
        assert f"/facts/{loaded.id}/amend" not in client.get(f"/facts/{loaded.id}").text, "what is voided is not amended"


@pytest.mark.parametrize(("field", "value"), [("f-parcels_count", "many"), ("at", "yesterday")])
def test_an_amendment_that_makes_no_sense_is_refused_with_the_reason(board: Desk, field: str, value: str) -> None:
    loaded, _ = loading(board)
    answer = board.signed_in(COORDINATOR).post(f"/facts/{loaded.id}/amend", data={"reason": "x", field: value})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_long_track_is_thinned_and_keeps_its_end() -> None:
    track = FLEET.looks["浙C10086"].view.track
    assert track is not None
    assert track.last is not None
    fix = track.last
    fixes = [msgspec.structs.replace(fix, lon=120 + i / 1e4) for i in range(10_001)]
    drawn = thinned(fixes, 100)
    assert len(drawn) <= 101
    assert drawn[-1] == (fixes[-1].lon, fixes[-1].lat)
    assert thinned([]) == []


def test_a_vehicle_that_nobody_knows_is_said_to_be_unknown(board: Desk) -> None:
    answer = board.signed_in(COORDINATOR).get("/vehicles/京A00000")
    assert answer.status_code == 404
    assert "京A00000" in answer.text


def test_every_truck_of_the_fleet_has_a_page_in_both_languages(board: Desk) -> None:
    for lang in ("zh", "en"):
        client = board.signed_in(COORDINATOR, lang=lang)
        for plate, look in board.told.looks.items():
            for journey in (None, *look.view.journeys):
                path = f"/vehicles/{plate}" + (f"?journey={journey.id}" if journey else "")
                assert client.get(path).status_code == 200, path


def test_a_suspicion_is_shown_as_one_with_its_positions_and_nobody_is_warned(board: Desk) -> None:
    client = board.signed_in(COORDINATOR)
    listed = client.get("/").text
    assert "suspected: Off the loop" in listed
    assert 'class="doubt"' in listed
    page = client.get("/vehicles/浙C20718").text
    assert "nobody was warned" in page
    assert "29.40000°" in page
    assert 'class="proof"' in page
    assert {"proof"} <= {f["properties"]["kind"] for f in client.get("/vehicles/浙C20718/plan.json").json()["features"]}


def test_where_a_truck_was_last_is_told_as_it_is_kept_and_as_chinese_maps_draw_it(board: Desk) -> None:
    page = board.signed_in(COORDINATOR).get("/vehicles/浙C20718").text
    wgs, gcj = (
        re.search(rf'{name}[^<]*<span class="figures">(\d+\.\d{{5}}), (\d+\.\d{{5}})<', page) for name in ("WGS-84", "GCJ-02")
    )
    assert wgs is not None
    assert gcj is not None
    kept, drawn = ((float(found[2]), float(found[1])) for found in (wgs, gcj))
    assert geo.distance_m(gcj_to_wgs(*drawn), kept) < 2
    assert 100 < geo.distance_m(drawn, kept) < 700
    abroad = last_place(11.5, 48.1)
    assert abroad is not None
    assert (abroad.wgs84, abroad.gcj02) == ("48.10000, 11.50000", "")


def test_what_devices_say_stands_beside_what_we_find(board: Desk) -> None:
    assert "its terminal says: Off its route; we do not" in board.signed_in(COORDINATOR).get("/").text
    page = board.signed_in(COORDINATOR).get("/vehicles/浙C20718").text
    assert "The terminal says: Off its route, since 14:02" in page
    assert "we do not (at most 42 m off the line)" in page
    assert "The phone says: into" in page
    assert "its track does not show it" in page
    assert "What the devices themselves say" not in board.signed_in(COORDINATOR).get("/vehicles/浙C10086").text


def test_an_arrival_is_an_interval_and_a_truck_off_its_line_has_none(board: Desk) -> None:
    listed = board.signed_in(COORDINATOR).get("/").text
    assert re.search(r"\d\d:\d\d–(\d\d:)?\d\d", listed)
    assert "behind plan" in listed
    assert "no estimate" in board.signed_in(COORDINATOR).get("/vehicles/浙C47T35").text


def test_a_person_may_write_anything_in_an_answer_and_it_is_shown_as_text(tmp_path: Path) -> None:
    told = Told("浙C12345", 1)
    warning = told.warned("silent", "yellow", NOW - timedelta(minutes=20))
    told.say(
        WarningAnswered(warning=warning, vehicle=told.plate, answer="<b>🚚</b>"),
        NOW - timedelta(minutes=10),
        witness="desk:coordinator",
    )
    with desk(tmp_path, told=Fleet({told.plate: told.look("outbound", 0.5)}, fleet().facts[:1])) as found:
        page = found.signed_in(COORDINATOR).get("/").text
        assert "&lt;b&gt;🚚&lt;/b&gt;" in page


@pytest.mark.parametrize(("lang", "said"), [("zh", r"\d\d:\d\d–"), ("en", r"\d\d:\d\d–")])
def test_a_driver_is_told_from_when_to_when_the_next_stations_are_reached(lang: str, said: str) -> None:
    look = FLEET.looks["浙C90211"]
    words = Words(texts(lang), NOW, loop().zone, (loop(),))
    card = card_of(look.view, look.judgement, None, look.view.pass_.crew[0] if look.view.pass_ else "", words, NOW)
    assert [each.station for each in card.coming][:1] == [words.station_name("", "taizhou-service")]
    assert re.match(said, card.coming[0].arrival)


def test_a_driver_off_the_line_is_told_that_nobody_can_say() -> None:
    look = FLEET.looks["浙C47T35"]
    words = Words(texts("en"), NOW, loop().zone, (loop(),))
    card = card_of(look.view, look.judgement, None, "", words, NOW)
    assert {each.arrival for each in card.coming} == {"no estimate"}
