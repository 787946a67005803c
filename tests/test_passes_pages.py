"""Passes, loops, stations and what was set aside, as people meet them at the desk."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from checkpoint.core import passes, pins
from checkpoint.core.facts import Fact, LoopPublished, PassGranted, PassRequested
from checkpoint.core.loop import parse
from checkpoint.store import Entry
from checkpoint.web.access import CARRIER, COORDINATOR, LABORATORY, digest
from checkpoint.web.loops import _pretty
from checkpoint.web.passes import field_of
from tests.desk import Desk, desk
from tests.fleet import DOCUMENT, NOW, Fleet, fleet
from tests.ground import ID_NUMBER

PLATE = "浙C77777"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Desk]:
    """A server with the loop in force and no truck."""
    with desk(tmp_path, told=Fleet({}, fleet().facts[:1])) as found:
        yield found


def wish(**changes: str) -> dict[str, str]:
    """The form of a sound request."""
    return {
        "carrier": "瓯海冷链", "vehicle": "浙c·77777", "loop": "ouhai-jiading",
        "not_before": "2026-05-03T14:00", "expires": "2026-05-10T14:00",
        "crew-0-name": "张三", "crew-0-id_number": ID_NUMBER, "crew-0-phone": "138 0013 8000",
        "crew-1-name": "", "crew-1-id_number": "", "crew-1-phone": "",
    } | changes  # fmt: skip


def requested(found: Desk) -> list[PassRequested]:
    return [r.fact.what for r in found.store.facts_of_kind("PassRequested") if isinstance(r.fact.what, PassRequested)]


def granted(found: Desk) -> list[PassGranted]:
    return [r.fact.what for r in found.store.facts_of_kind("PassGranted") if isinstance(r.fact.what, PassGranted)]


def asked(found: Desk, client: TestClient, **changes: str) -> str:
    """Ask for a pass; returns the request's id."""
    assert client.post("/passes/new", data=wish(**changes)).status_code == 303
    return requested(found)[-1].request


# -- asking -----------------------------------------------------------------------------------------------------------


def test_a_request_is_taken_as_people_write_it(server: Desk) -> None:
    asked(server, server.signed_in(COORDINATOR))
    found = requested(server)[0]
    assert found.vehicle == PLATE
    assert found.not_before.isoformat() == "2026-05-03T06:00:00+00:00", "the form's time is the loop's"
    assert len(found.crew) == 1
    person = server.store.registry.people(found.crew)[0]
    assert (person.name, person.phone) == ("张三", "13800138000")
    assert "张三" in server.signed_in(COORDINATOR).get("/passes").text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("vehicle", "ABC", "“ABC” is not a tractor&#39;s plate"),
        ("vehicle", "浙C1234挂", "tractor&#39;s plate"),
        ("crew-0-id_number", "110105194912310021", "not a resident ID number"),
        ("crew-0-phone", "12345", "not a phone number"),
        ("crew-0-name", " ", "A name of 1 to"),
        ("expires", "2026-05-03T13:00", "must come after the beginning"),
        ("expires", "2026-06-30T13:00", "31 days at most"),
        ("expires", "", "A date and time is wanted"),
        ("loop", "nowhere", "is in force"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(server: Desk, field: str, value: str, said: str) -> None:
    answer = server.signed_in(COORDINATOR).post("/passes/new", data=wish(**{field: value}))
    assert answer.status_code == 422
    assert said in answer.text
    if field != "loop":
        box = re.search(rf'<input id="{field}"[^>]*>', answer.text)
        assert box is not None
        assert 'aria-invalid="true"' in box.group()
    assert 'value="张三"' in answer.text or field == "crew-0-name"
    assert requested(server) == []


def test_every_fault_is_told_at_once(server: Desk) -> None:
    answer = server.signed_in(COORDINATOR).post(
        "/passes/new", data=wish(**{"vehicle": "x", "crew-0-phone": "y", "crew-0-name": ""})
    )
    assert answer.text.count('aria-invalid="true"') == 3
    assert "3 things to mend" in answer.text


def test_a_carrier_asks_in_its_own_name_whatever_the_form_says(server: Desk) -> None:
    asked(server, server.signed_in(CARRIER, who="甲"), carrier="乙")
    assert requested(server)[0].carrier == "甲"


def test_a_faults_path_names_the_forms_field() -> None:
    assert field_of("$.crew[0].phone") == "crew-0-phone"
    assert field_of("$.vehicle") == "vehicle"
    assert field_of("$.crew") == "crew"


# -- deciding ---------------------------------------------------------------------------------------------------------


def test_a_granted_request_becomes_a_pass_with_a_link_that_is_shown_once(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    request = asked(server, client)
    made = client.post(f"/passes/requests/{request}/grant")
    assert made.status_code == 303
    page = client.get(made.headers["location"]).text
    link = re.search(r'value="(http://testserver/d/[a-z2-7]+)"', page)
    assert link is not None
    assert 'class="qr"' in page
    pass_id = granted(server)[0].pass_id
    assert made.headers["location"] == f"/passes/{pass_id}"
    assert link.group(1) in client.get(f"/passes/{pass_id}").text, "reloading makes no other link"
    token = link.group(1).rsplit("/", 1)[1]
    assert [each.closed_at for each in server.store.registry.links(pass_id)] == [None]
    others = server.signed_in(COORDINATOR).get(f"/passes/{pass_id}").text
    assert "/d/" not in others, "nobody else is shown it"
    assert server.store.registry.use_link(digest(token), digest("phone")) is not None
    assert "/d/" not in client.get(f"/passes/{pass_id}").text, "a link that was opened is of no use to anybody"


def test_a_refused_request_keeps_its_reason_and_the_carrier_reads_it(server: Desk) -> None:
    request = asked(server, server.signed_in(CARRIER, who="甲"))
    desk_ = server.signed_in(COORDINATOR)
    assert desk_.post(f"/passes/requests/{request}/refuse", data={"reason": ""}).status_code == 422
    assert desk_.post(f"/passes/requests/{request}/refuse", data={"reason": "保险过期"}).status_code == 303
    assert "保险过期" in server.signed_in(CARRIER, who="甲").get("/passes").text
    assert desk_.post(f"/passes/requests/{request}/grant").status_code == 409
    assert granted(server) == []


def test_a_revoked_pass_says_so_with_the_reason_and_has_no_sheet_to_offer(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    client.post(f"/passes/requests/{asked(server, client)}/grant")
    pass_id = granted(server)[0].pass_id
    assert client.post(f"/passes/{pass_id}/revoke", data={"reason": "车辆转让"}).status_code == 303
    page = client.get(f"/passes/{pass_id}").text
    assert "车辆转让" in page
    assert "revoked" in page
    assert "/sheet" not in page


def test_a_carrier_sees_its_own_passes_and_decides_nothing(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    mine = asked(server, server.signed_in(CARRIER, who="甲"))
    client.post(f"/passes/requests/{mine}/grant")
    pass_id = granted(server)[0].pass_id
    own, other = server.signed_in(CARRIER, who="甲"), server.signed_in(CARRIER, who="乙")
    assert own.get(f"/passes/{pass_id}").status_code == 200
    assert other.get(f"/passes/{pass_id}").status_code == 404
    assert other.get(f"/passes/{pass_id}/sheet").status_code == 404
    assert PLATE not in other.get("/passes").text
    assert own.post(f"/passes/{pass_id}/revoke", data={"reason": "x"}).status_code == 403
    assert "/revoke" not in own.get(f"/passes/{pass_id}").text


def test_the_sheet_carries_a_genuine_paper_pass_and_its_number_with_the_check_sign(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    client.post(f"/passes/requests/{asked(server, client)}/grant")
    pass_id = granted(server)[0].pass_id
    page = client.get(f"/passes/{pass_id}/sheet").text
    number = f"{pass_id}-{passes.check_character(pass_id)}"
    assert number in page
    assert passes.typed_number(number) == pass_id
    read = passes.read(server.house.office.sheet_text(pass_id), server.store.registry.trusted_keys())
    assert (read.pass_.paper, read.pass_.plate) == (True, PLATE)


def test_requests_and_passes_that_are_not_there_are_said_not_to_be(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    assert client.post("/passes/requests/none/grant").status_code == 404
    assert client.post("/passes/330304-0009999/revoke", data={"reason": "x"}).status_code == 404
    assert client.get("/passes/330304-0009999").status_code == 404


# -- loops ------------------------------------------------------------------------------------------------------------


def next_version(**changes: object) -> str:
    return json.dumps(json.loads(DOCUMENT) | {"version": 2} | changes, ensure_ascii=False)


def published(found: Desk) -> list[LoopPublished]:
    return [r.fact.what for r in found.store.facts_of_kind("LoopPublished") if isinstance(r.fact.what, LoopPublished)]


def test_a_document_is_drawn_first_and_published_when_that_is_meant(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    looked = client.post("/loops", data={"document": next_version(), "look": "1"})
    assert looked.status_code == 200
    assert "way-outbound" in looked.text
    assert len(published(server)) == 1
    assert client.post("/loops", data={"document": next_version(), "publish": "1"}).status_code == 303
    assert published(server)[-1].document == next_version()
    assert server.store.loops().version("ouhai-jiading", 2) is not None


def test_a_document_may_be_uploaded(server: Desk) -> None:
    files = {"file": ("loop.json", next_version().encode(), "application/json")}
    client = server.signed_in(COORDINATOR)
    assert client.post("/loops", data={"publish": "1", "document": ""}, files=files).status_code == 303
    assert published(server)[-1].version == 2


def test_a_document_with_mistakes_is_answered_with_the_path_of_each_and_kept_for_mending(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    broken = next_version(time_zone="Europe/Atlantis", destination="nowhere")
    answer = client.post("/loops", data={"document": broken, "publish": "1"})
    assert answer.status_code == 422
    assert "$.time_zone" in answer.text
    assert "$.destination" in answer.text
    assert "Europe/Atlantis" in answer.text.split("<textarea")[1]
    assert client.post("/loops", data={"document": "{", "publish": "1"}).status_code == 422
    assert len(published(server)) == 1


def test_a_published_version_never_changes(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    assert client.post("/loops", data={"document": next_version(), "publish": "1"}).status_code == 303
    assert client.post("/loops", data={"document": next_version(), "publish": "1"}).status_code == 303, "the same again"
    other = next_version(name={"zh": "别的", "en": "Other"})
    assert client.post("/loops", data={"document": other, "publish": "1"}).status_code == 409
    assert len(published(server)) == 2


def gpx_of(places: list[tuple[float, float]]) -> bytes:
    points = "".join(f'<trkpt lat="{lat}" lon="{lon}"/>' for lon, lat in places)
    return f'<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>'.encode()


def test_a_recorded_drive_becomes_the_line_of_the_next_version(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    driven = list(parse(DOCUMENT).outbound.points)
    moved = [(lon + 0.0004, lat) for lon, lat in driven]
    form = {"loop": "ouhai-jiading", "leg": "outbound", "datum": "WGS-84"}
    answer = client.post("/loops/line", data=form, files={"file": ("drive.gpx", gpx_of(moved), "application/gpx+xml")})
    assert answer.status_code == 200
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", answer.text, re.DOTALL)
    assert text is not None
    found = parse(html.unescape(text.group(1)))
    assert found.version == 2
    assert found.outbound.points[0] == pytest.approx(moved[0], abs=1e-5)
    assert found.inbound == parse(DOCUMENT).inbound
    assert len(published(server)) == 1, "nothing is in force before somebody says so"


def test_a_line_through_nowhere_is_refused(server: Desk) -> None:
    form = {"loop": "ouhai-jiading", "leg": "outbound", "datum": "WGS-84"}
    files = {"file": ("drive.gpx", gpx_of([(2.0, 48.0), (2.1, 48.1)]), "application/gpx+xml")}
    client = server.signed_in(COORDINATOR)
    assert client.post("/loops/line", data=form, files=files).status_code == 422
    assert client.post("/loops/line", data=form, files={"file": ("x.gpx", b"<gpx>", "text/xml")}).status_code == 422


def test_a_document_is_laid_out_to_be_edited_and_says_the_same() -> None:
    told = json.loads(DOCUMENT)
    laid_out = _pretty(told)
    assert json.loads(laid_out) == told
    longest = max(len(line) for line in laid_out.splitlines())
    assert longest < 200
    assert laid_out.count("\n") < DOCUMENT.count("[") * 2 + 600, "a place takes one line"


# -- stations ---------------------------------------------------------------------------------------------------------


def test_a_kiosks_token_is_shown_once_and_enrols_once(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    made = client.post("/stations/kiosks", data={"station": "ouhai-sampling"})
    assert (made.status_code, made.headers["location"]) == (303, "/stations")
    token = re.search(r'id="token"[^>]*value="([0-9a-f]{32})"', client.get("/stations").text)
    assert token is not None
    assert token.group(1) in client.get("/stations").text, "reloading shows the same one, and makes none"
    assert len(server.store.registry.kiosks()) == 1
    assert token.group(1) not in server.signed_in(COORDINATOR).get("/stations").text, "nobody else is shown it"
    kiosk = server.store.registry.enrol_kiosk(digest(token.group(1)), b"\x02" * 32, digest("key"))
    assert kiosk is not None
    assert kiosk.station == "ouhai-sampling"
    page = client.get("/stations").text
    assert kiosk.id in page
    assert token.group(1) not in page, "a spent token is of no use to anybody"
    assert client.post(f"/stations/kiosks/{kiosk.id}/close").status_code == 303
    assert server.store.registry.kiosk_by_key(digest("key")) is None


def test_no_kiosk_is_placed_where_no_station_is(server: Desk) -> None:
    assert server.signed_in(COORDINATOR).post("/stations/kiosks", data={"station": "moon"}).status_code == 422
    assert server.store.registry.kiosks() == []


def test_staff_get_a_pin_that_only_its_check_is_kept_of(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    assert client.post("/stations/staff", data={"name": "林夏 🌿", "pin": "2468"}).status_code == 303
    member = server.store.registry.staff()[0]
    assert member.name == "林夏 🌿"
    assert pins.fits("2468", member.pin)
    assert "2468" not in client.get("/stations").text
    client.post(f"/stations/staff/{member.id}", data={"active": "0"})
    assert server.store.registry.staff() == []


@pytest.mark.parametrize(("name", "pin"), [("", "2468"), ("林夏", "12"), ("林夏", "1111"), ("林夏", "abcd")])
def test_a_pin_or_name_that_will_not_do_is_refused(server: Desk, name: str, pin: str) -> None:
    answer = server.signed_in(COORDINATOR).post("/stations/staff", data={"name": name, "pin": pin})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_device_is_bound_to_a_truck(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    assert client.post("/stations/devices", data={"device": "860123", "vehicle": "浙c77777"}).status_code == 303
    assert server.house.intake.vehicle_of("860123", server.house.now()) == PLATE
    times = {"since": "2026-05-01T08:00:00", "until": "2026-05-01T07:00:00"}
    assert client.post("/stations/devices", data={"device": "860123", "vehicle": PLATE} | times).status_code == 422
    assert client.post("/stations/devices", data={"device": "设备", "vehicle": PLATE}).status_code == 422
    assert client.post("/stations/devices", data={"device": "1", "vehicle": "x"}).status_code == 422


# -- set aside --------------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_shown_whole_with_the_reason(server: Desk) -> None:
    client = server.signed_in(COORDINATOR)
    assert "Nothing." in client.get("/aside").text
    server.store.append([Entry(witness="kiosk:x", raw=b'{"half": <b>', fact=None, why="malformed", detail="cut short")])
    page = client.get("/aside").text
    assert "cannot be read" in page
    assert "{&#34;half&#34;: &lt;b&gt;" in page
    assert "cut short" in page


def test_a_fact_told_twice_with_two_contents_is_set_aside_and_shown(server: Desk) -> None:
    for seal in ("A", "B"):
        what = LoopPublished(loop="x", version=1, document=seal)
        server.store.record(Fact(id="same", at=NOW + timedelta(seconds=1), witness="desk:coordinator", what=what))
    assert "its id belongs to another fact" in server.signed_in(COORDINATOR).get("/aside").text


# -- the laboratory ---------------------------------------------------------------------------------------------------


def test_a_laboratory_types_a_result_and_hears_what_became_of_it(server: Desk) -> None:
    client = server.signed_in(LABORATORY, who="lab-1")
    form = {"accession": "A-1", "tube": "T-1", "result": "negative", "reported_at": "2026-05-03T14:10"}
    assert "taken in" in client.post("/lab", data=form).text
    assert "was held before" in client.post("/lab", data=form).text
    result = next(r.fact for r in server.store.facts_of_kind("ResultReported"))
    assert result.witness == "lab:lab-1"
    assert result.at.isoformat() == "2026-05-03T06:10:00+00:00"
    future = client.post("/lab", data=form | {"accession": "A-2", "reported_at": "2026-05-09T14:10"})
    assert "from the future" in future.text
    assert client.post("/lab", data=form | {"reported_at": "noon"}).status_code == 422
    assert client.get("/").headers["location"] == "/lab", "the board is not a laboratory's: it has a page of its own"


def test_a_laboratory_sends_a_file(server: Desk) -> None:
    client = server.signed_in(LABORATORY, who="lab-1")
    sent = {"accession": "A-9", "tube": "T-9", "test": "pcr", "result": "positive", "reported_at": "2026-05-03T06:00:00Z"}
    files = {"file": ("results.json", json.dumps({"results": [sent]}).encode(), "application/json")}
    assert "taken in" in client.post("/lab", files=files).text
    assert client.post("/lab", files={"file": ("x.json", b"{", "application/json")}).status_code == 422


# -- both languages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/passes", "/passes/new", "/loops", "/loops/ouhai-jiading/1", "/stations", "/aside", "/sign-in"]
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_speaks_both_languages(server: Desk, path: str, lang: str) -> None:
    client = server.signed_in(COORDINATOR, lang=lang)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-language"] == lang
    assert f'<html lang="{"zh-Hans" if lang == "zh" else "en"}"' in answer.text
    other = "en" if lang == "zh" else "zh"
    assert client.get(f"{path}?lang={other}").headers["set-cookie"].startswith(f"lang={other}")
