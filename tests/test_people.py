"""One person's data: handed over whole, with nobody else in it; erased where nothing speaks against it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint import cli
from checkpoint.chores import Chore
from checkpoint.config import utc_now
from checkpoint.core.facts import Fact, ResultReported, Scanned, Shown, SwabTaken, TemperatureMeasured
from checkpoint.core.track import Fix
from checkpoint.granting import PassOffice
from checkpoint.store import Store
from checkpoint.store.registry import ChoreRecord
from checkpoint.ui import texts
from checkpoint.web.app import create_app
from checkpoint.web.dossier import gathered
from checkpoint.web.reads import KINDS
from checkpoint.wish import Person
from tests.desk import Desk, desk
from tests.fleet import Fleet
from tests.ground import ID_NUMBER, OTHER_ID_NUMBER, publish, wish
from tests.places import Place
from tests.served import AXE, chromium, serving

PLATE, PHONE = "浙C12345", "13800138000"
HOUR = timedelta(hours=1)


def _filled(store: Store) -> tuple[str, str, str]:
    """A pass for two people with a swab each in one tube, scans and fixes; their pseudonyms and the pass."""
    now = store.now()
    publish(store)
    office = PassOffice(store, store.now, store.record)
    crew = (Person(name="张三", id_number=ID_NUMBER, phone=PHONE), Person(name="李四", id_number=OTHER_ID_NUMBER))
    asked = wish(crew=crew, not_before=now, expires=now + timedelta(days=2))
    pass_id = office.grant(office.request(asked, "a"), "c").pass_id
    one, other = office.pass_state(pass_id).crew
    told: list[tuple[Any, float, str]] = [
        (SwabTaken(specimen="S-one", person=one, test="pcr", tube="POOL", pooled=True, vehicle=PLATE), 0.1, "sampling-1"),
        (SwabTaken(specimen="S-other", person=other, test="pcr", tube="POOL", pooled=True, vehicle=PLATE), 0.2, "sampling-1"),
        (TemperatureMeasured(person=one, celsius=36.61), 0.2, "sampling-1"),
        (TemperatureMeasured(person=other, celsius=37.17), 0.2, "sampling-1"),
        (ResultReported(test="pcr", result="negative", laboratory="lab", tube="POOL"), 0.4, ""),
        (
            Scanned(
                digest="0" * 32,
                medium="screen",
                pass_id=pass_id,
                vehicle=PLATE,
                shown=Shown(word="GO", reasons=("in-order",), next_step="drive-on"),
            ),
            0.5,
            "sampling-1",
        ),
    ]
    for i, (what, hours, station) in enumerate(told):
        store.record(Fact(id=f"told-{i}", at=now + hours * HOUR, witness="desk:x", what=what, station=station, by="staff-1"))
    for hours in (-5, 1, 100):
        store.add_positions([(PLATE, Fix(device="d", fixed_at=now + hours * HOUR, lat=28.0 + hours / 1000, lon=120.6))])
    noted = store.traces.note(reader="staff-9", role="coordinator", way="cookie", what="journey", people=[one], at=now)
    assert noted is not None
    noted.result()
    return one, other, pass_id


# -- handed over ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = place.open(utc_now)
    yield opened
    opened.close()


def test_everything_about_a_person_is_in_it_and_nobody_else(store: Store) -> None:
    one, other, pass_id = _filled(store)
    dossier = gathered(store, one)
    assert dossier is not None
    assert dossier.registry == {"name": "张三", "id_number": ID_NUMBER, "phone": PHONE}
    kinds = [fact["what"]["kind"] for fact in dossier.facts]
    assert sorted(kinds) == ["PassGranted", "PassRequested", "ResultReported", "Scanned", "SwabTaken", "TemperatureMeasured"]
    assert [v["word"] for v in dossier.verdicts] == ["GO"]
    assert [round(p["lat"], 3) for p in dossier.positions] == [28.001], "only while they were on the pass"
    assert [p["number"] for p in dossier.passes] == [pass_id]
    assert len(dossier.links) == 1
    assert [(r["reader"], r["what"]) for r in dossier.read_by] == [("staff-9", "journey")]
    whole = repr(dossier)
    assert other not in whole
    assert "other-1" in whole
    for foreign in ("李四", OTHER_ID_NUMBER, "37.17", "S-other"):
        assert foreign not in whole, foreign


def test_of_somebody_unknown_there_is_nothing(store: Store) -> None:
    _filled(store)
    assert gathered(store, "p-0") is None


def test_an_erased_person_is_found_by_nobody_and_what_happened_stays(store: Store) -> None:
    one, other, _ = _filled(store)
    assert store.registry.erase_person(one)
    assert not store.registry.erase_person("p-0")
    assert store.registry.person_of_number(ID_NUMBER) is None
    assert store.registry.names([one, other]) == {other: "李四"}
    found = gathered(store, one)
    assert found is not None
    assert found.registry == {"name": "", "id_number": "", "phone": ""}
    assert len(found.facts) == 6
    assert store.registry.add_person("张三", id_number=ID_NUMBER).id != one, "who comes again is somebody new"
    assert store.verify().ok


def test_what_was_erased_is_in_no_file_of_the_database_even_for_whoever_has_the_key(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    one, _, _ = _filled(store)
    before = {
        bytes(cell) for row in store._db.rows("SELECT name, id_number, phone FROM people WHERE id = ?", (one,)) for cell in row
    }
    store.registry.erase_person(one)
    store.overwrite()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoint.db*"))
    assert len(before) == 3
    assert not [cell for cell in before if cell in files], "the old ciphertext is overwritten"
    store.close()


# -- by command -----------------------------------------------------------------------------------------------------------


def test_the_command_asks_for_the_number_and_writes_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    one, _, _ = _filled(store)
    store.close()
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO(ID_NUMBER + "\n"))
    file = tmp_path / "out.zip"
    assert cli.main(["person", "export", "--id-number", "--to", str(file)]) == 0
    said = capsys.readouterr()
    assert ID_NUMBER not in said.out + said.err
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == ["person-en.html", "person-zh.html", "person.json"]
        whole = json.loads(archive.read("person.json"))
        pages = [archive.read(f"person-{lang}.html").decode() for lang in ("zh", "en")]
    assert (whole["person"], whole["registry"]["name"]) == (one, "张三")
    assert [r["what"] for r in whole["read_by"]] == ["export", "journey"], "that it was handed over is in it too"
    for lang, page in zip(("zh", "en"), pages, strict=True):
        assert texts(lang)("dossier.title") in page
        assert ID_NUMBER in page
        assert "李四" not in page
    assert cli.main(["person", "export", one, "--to", str(file)]) == 3, "a file that exists is not written over"
    assert cli.main(["person", "export", "p-0", "--to", str(tmp_path / "x.zip")]) == 1


def test_nobody_is_erased_while_a_gate_must_know_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    one, _, pass_id = _filled(store)
    store.close()
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path))
    assert cli.main(["person", "erase", one]) == 1
    assert "Revoke the pass first" in capsys.readouterr().err
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    PassOffice(store, utc_now, store.record).revoke(pass_id, "asked for it", "c")
    store.close()
    assert cli.main(["person", "erase", one]) == 0
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    assert store.registry.names([one]) == {}
    assert [row.what for row in store.registry.audited(5)] == ["person-erased"]
    store.close()


# -- the page -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    with desk(tmp_path_factory.mktemp("people"), told=Fleet({}, ())) as found:
        one, _, _ = _filled(found.store)
        yield found, one


def _administrator(found: Desk, lang: str = "en") -> TestClient:
    return found.signed_in("administrator", lang=lang)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_shows_terms_with_their_reasons_and_what_would_leave(empty: tuple[Desk, str], lang: str) -> None:
    found, _ = empty
    t = texts(lang)
    page = _administrator(found, lang).get("/people?dry=1").text
    for kind in ("positions", "journeys", "traces"):
        assert t(f"retention.kind.{kind}") in page
        assert t(f"retention.why.{kind}").replace("'", "&#39;") in page
    assert t("people.would") in page
    assert t("people.never") in page


@pytest.mark.parametrize(
    ("report", "told", "untold"),
    [
        ("positions=12 facts=3 links=0", ("retention.kind.positions", ">12<"), ("retention.kind.links", "people.nothing-left")),
        ("positions=0 links=0", ("people.nothing-left",), ("retention.kind.positions",)),
    ],
)
def test_what_the_last_sweep_let_go_is_told_in_words(
    tmp_path: Path, report: str, told: tuple[str, ...], untold: tuple[str, ...]
) -> None:
    t = texts("en")
    with desk(tmp_path, told=Fleet({}, ())) as found:
        found.app.state.house.chores.add(Chore("retention", timedelta(days=1), lambda _: ""))
        found.store.registry.keep_chore(ChoreRecord(name="retention", last_run=found.store.now(), last_report=report))
        page = _administrator(found).get("/people").text
    last = page.split(t("people.last"), 1)[1].split("<form", 1)[0]
    assert all((t(word) if word in t else word) in last for word in told)
    assert not any(t(word) in last for word in untold)
    assert report.split()[0] not in last


def test_a_person_is_found_by_number_without_its_standing_in_an_address(empty: tuple[Desk, str]) -> None:
    found, one = empty
    got = _administrator(found).post("/people/find", data={"who": ID_NUMBER})
    assert one in got.text
    assert ID_NUMBER not in got.text
    assert "张三" not in got.text, "an administrator is not shown who it is"
    assert texts("en")("people.nobody") in _administrator(found).post("/people/find", data={"who": "p-0"}).text


def test_an_export_asks_who_is_there_and_leaves_its_trace(empty: tuple[Desk, str]) -> None:
    found, one = empty
    client = _administrator(found)
    got = client.post(f"/people/{one}/export")
    if got.status_code == 303:
        assert got.headers["location"].startswith("/confirm")
    else:
        assert got.headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
            assert json.loads(archive.read("person.json"))["person"] == one
        found.store.registry.set_setting("waited", "yes")
        assert "export" in [trace.what for trace in found.store.traces.of(one)]
        assert "person-exported" in [row.what for row in found.store.registry.audited(5)]
    assert any(rule.step_up for rule in _rules("/people/{person}/export"))
    assert any(rule.step_up for rule in _rules("/people/{person}/erase"))


def _rules(path: str) -> list[Any]:
    from checkpoint.web.routes import TABLE

    return [rule for rule in TABLE if rule.path == path]


def test_nobody_else_sees_the_page(empty: tuple[Desk, str]) -> None:
    found, _ = empty
    for role in ("coordinator", "carrier", "laboratory"):
        got = found.signed_in(role).get("/people")
        assert got.status_code in (303, 403)
        assert "/people" not in got.headers.get("location", "")


@pytest.mark.browser
def test_the_pages_about_people_are_fit_to_be_read(empty: tuple[Desk, str], tmp_path: Path) -> None:
    found, one = empty
    with serving(found.app) as address, chromium() as browser:
        for lang in ("zh", "en"):
            for width, height in ((1280, 900),) if lang == "en" else ((390, 844),):
                context = browser.new_context(viewport={"width": width, "height": height})
                client = _administrator(found, lang)
                context.add_cookies([{"name": k, "value": v, "url": address} for k, v in client.cookies.items()])
                page = context.new_page()
                page.goto(f"{address}/people?dry=1")
                assert page.locator("h1").count() == 1, page.url
                page.locator("#who").fill(one)
                page.locator("#who").press("Enter")
                page.wait_for_url("**/people/find")
                assert page.locator("dl.facts").count() == 1
                page.evaluate(AXE.read_text(encoding="utf-8"))
                wrong = page.evaluate("async () => (await axe.run()).violations.map(v => v.id + ' ' + v.nodes.map(n => n.html))")
                assert wrong == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (lang, width)
                page.screenshot(path=str(tmp_path / f"people-{lang}-{width}.png"), full_page=True)
                context.close()
    assert len(list(tmp_path.glob("*.png"))) == 2


@pytest.mark.browser
def test_who_looked_is_fit_to_be_read_on_a_phone(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "checkpoint.db", utc_now)
    publish(store)
    app = create_app(store, utc_now, public_url="http://127.0.0.1")
    office = app.state.house.office
    done = office.grant(office.request(wish(not_before=utc_now(), expires=utc_now() + timedelta(days=2)), "a"), "c")
    person = office.pass_state(done.pass_id).crew[0]
    for what in KINDS:
        noted = store.traces.note(reader=f"r-{what}", role="coordinator", way="token", what=what, people=[person], at=utc_now())
        assert noted is not None
        noted.result()
    with serving(app) as address, chromium() as browser:
        context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
        page = context.new_page()
        page.goto(f"{address}/d/{done.link_token}")
        page.get_by_role("button").first.click()
        page.wait_for_url("**/driver")
        page.get_by_role("link", name=texts("zh")("reads.title")).click()
        page.wait_for_url("**/driver/reads")
        assert page.locator(".reads li").count() == len(KINDS)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        assert page.evaluate("async () => (await axe.run()).violations.map(v => v.id + ' ' + v.nodes.map(n => n.html))") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()
    store.close()
