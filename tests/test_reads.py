"""Whoever reads a person's data leaves a trace, on every route there is, and the person sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import Fact, Scanned, Shown, SwabTaken, TemperatureMeasured
from checkpoint.core.track import Fix
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web.access import ANYONE, DRIVER, KIOSK, ROLES, Rule
from checkpoint.web.app import create_app
from checkpoint.web.reads import KINDS, people_in, people_of
from checkpoint.web.routes import TABLE
from checkpoint.wish import Person
from tests.desk import HTML, Desk, desk
from tests.fleet import HOUR, NOW, Fleet, Told
from tests.ground import ID_NUMBER, T0, Still, publish, wish
from tests.places import Place

PLATE = "浙C38R71"
# What only a page or an answer about this person's health and ways can hold.
SPECIMEN, TUBE, CELSIUS, LON = "SPECIMEN-4711", "TUBE-4711", "38.71", 120.94711


def _sick() -> Fleet:
    """One truck whose driver was swabbed, has a fever, and was turned back; and one thing that could not be read."""
    told = Told(PLATE, 4711)
    told.loaded(NOW - 6 * HOUR)
    swab = SwabTaken(specimen=SPECIMEN, person=told.person, test="pcr", vehicle=PLATE, tube=TUBE)
    told.say(swab, NOW - 2 * HOUR, "ouhai-sampling")
    told.say(TemperatureMeasured(person=told.person, celsius=float(CELSIUS)), NOW - HOUR, "ouhai-sampling")
    told.scanned("ouhai-sampling", NOW - HOUR, "HOLD", "temperature-or-code", "measure-again")
    told.warned("held-for-review", "yellow", NOW - HOUR, subject=f"person:{told.person}")
    return Fleet({PLATE: told.look("inbound", 0.6)}, tuple(told.facts))


PERSON = "p-4711"


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("reads"), told=_sick()) as found:
        fixes = [Fix(device="d", fixed_at=NOW - (i + 1) * HOUR, lat=28.0, lon=LON) for i in range(2)]
        found.store.add_positions([(PLATE, fix) for fix in fixes])
        found.store.set_aside("kiosk:k-1", b'{"tube": "TUBE-4711", "what": "SPECIMEN-4711"}', "malformed")
        yield found


def _said(found: Desk, text: str) -> bool:
    """Whether an answer tells something of this person: a test, a temperature, or where the truck is or was."""
    track = found.told.looks[PLATE].view.track
    assert track is not None
    assert track.last is not None
    return any(str(each) in text for each in (SPECIMEN, TUBE, CELSIUS, LON, track.last.lon))


def _written(store: Store) -> None:
    """Wait until the writer has done all that it was given."""
    store.registry.set_setting("waited", "yes")


def _asked(found: Desk, rule: Rule, role: str) -> Iterator[tuple[str, bool, bool]]:
    """Ask a route as a role with everything that may stand in its path: the address, whether it told, whether that was traced."""
    facts = [f.id for f in found.told.facts]
    view = found.told.looks[PLATE].view
    journey = view.journey.id if view.journey is not None else ""
    swabbed = next(f.id for f in found.told.facts if isinstance(f.what, SwabTaken))
    candidates = [PLATE, PERSON, "330304-0004711", journey, facts[-1], swabbed, "1"]
    names = re.findall(r"\{(\w+)(?::\w+)?\}", rule.path)
    for n, values in enumerate(product(candidates, repeat=len(names))):
        path = rule.path
        for name, value in zip(names, values, strict=True):
            path = re.sub(r"\{" + name + r"(:\w+)?\}", value, path)
        for method in rule.methods:
            who = "carrier-1" if role == "carrier" else ""
            for accept in ("text/html", "application/json"):
                client = found.signed_in(role, who, name=f"{rule.path} {method} {accept} {n}")
                before = len(found.store.traces.of(PERSON))
                answered = client.request(method, path, headers={"accept": accept})
                _written(found.store)
                yield path, _said(found, answered.text), len(found.store.traces.of(PERSON)) > before


READERS = [
    pytest.param(rule, role, id=f"{','.join(rule.methods)} {rule.path} {role}")
    for rule in TABLE
    for role in sorted(set(rule.who) - {ANYONE, KIOSK, DRIVER})
    # The stream never ends, and says only where to look; the examples on the API's page are nobody's.
    if rule.path != "/api" and not rule.path.startswith("/events")
]


@pytest.mark.parametrize(("rule", "role"), READERS)
def test_what_a_route_tells_about_a_person_is_traced(sick: Desk, rule: Rule, role: str) -> None:
    for path, told, traced in _asked(sick, rule, role):
        assert traced or not told, f"{path} as {role} shows a person's data and leaves no trace: call `reads.noted`"


def test_the_walk_finds_what_is_read(sick: Desk) -> None:
    """Without this the test above could pass by seeing nothing."""
    told = {
        rule.path
        for rule in TABLE
        for role in sorted(set(rule.who) & {"coordinator"})
        if rule.path in ("/", "/vehicles/{plate}", "/vehicles/{plate}/plan.json", "/facts/{fact}", "/aside", "/api/v1/vehicles")
        for _, said, _ in _asked(sick, rule, role)
        if said
    }
    assert told == {"/", "/vehicles/{plate}", "/vehicles/{plate}/plan.json", "/facts/{fact}", "/aside", "/api/v1/vehicles"}


def test_a_route_that_forgets_is_found(sick: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkpoint.web.aside.noted", lambda *_: None)
    rule = next(rule for rule in TABLE if rule.path == "/aside")
    assert any(told and not traced for _, told, traced in _asked(sick, rule, "coordinator"))


# -- the traces themselves --------------------------------------------------------------------------------------------


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    store = place.open(clock)
    publish(store)
    yield store
    store.close()


def _note(store: Store, clock: Still, reader: str = "staff-1", what: str = "journey") -> object:
    noted = store.traces.note(reader=reader, role="coordinator", way="cookie", what=what, people=["p-1", "p-2", ""], at=clock())
    _written(store)
    return noted


def test_an_hour_of_reading_is_one_row(store: Store, clock: Still) -> None:
    assert _note(store, clock) is not None
    clock.forward(minutes=59)
    assert _note(store, clock) is None
    clock.forward(minutes=1)
    assert _note(store, clock) is not None
    assert [trace.at for trace in store.traces.of("p-1")] == [T0 + timedelta(hours=1), T0]
    assert store.traces.of("") == []


def test_each_reader_and_kind_is_told_apart(store: Store, clock: Still) -> None:
    for reader, what in (("staff-1", "journey"), ("staff-1", "track"), ("staff-2", "journey")):
        _note(store, clock, reader, what)
    assert len(store.traces.of("p-2")) == 3


def test_what_was_noted_is_on_disk_when_the_store_is_closed(tmp_path: Path, clock: Still) -> None:
    first = Store.open(tmp_path / "checkpoint.db", clock)
    _note(first, clock)
    first.close()
    again = Store.open(tmp_path / "checkpoint.db", clock)
    _note(again, clock)  # another process of the same hour
    again.close()
    last = Store.open(tmp_path / "checkpoint.db", clock)
    assert len(last.traces.of("p-1")) == 1
    last.close()


def test_a_trace_that_could_not_be_written_is_loud_and_tried_again(
    store: Store, clock: Still, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as full:
        full.setattr(store.traces, "_write", lambda rows: 1 / 0)
        _note(store, clock)
    assert "could not be written" in caplog.text
    assert store.traces.of("p-1") == []
    assert _note(store, clock) is not None
    assert len(store.traces.of("p-1")) == 1


def test_people_are_found_by_pass_tube_warning_and_correction(sick: Desk) -> None:
    facts = {f.id: f for f in sick.told.facts}
    warning = next(f.id for f in facts.values() if type(f.what).__name__ == "WarningRaised")
    for name in ("pass:330304-0004711", f"tube:{TUBE}", f"specimen:{SPECIMEN}", f"warning:{warning}", f"fact:{warning}"):
        assert people_of(sick.store, [name]) == {PERSON}, name
    assert people_of(sick.store, [f"vehicle:{PLATE}", "station:ouhai-rest", "tube:other"]) == set()
    assert people_in(sick.store, '{"pass_id": "330304-0004711"') == {PERSON}
    assert people_in(sick.store, "somebody p-0123456789abcde else") == {"p-0123456789abcde"}


# -- what the person sees ---------------------------------------------------------------------------------------------


@pytest.fixture
def app(store: Store, clock: Still) -> Any:
    return create_app(store, clock, public_url="https://loop.example")


def _driver(app: Any, lang: str) -> tuple[TestClient, str, str]:
    """A phone bound to a pass: the phone, the driver's pseudonym, the pass."""
    office = app.state.house.office
    asked = wish(crew=(Person(name="张三", id_number=ID_NUMBER), Person(name="李四")))
    done = office.grant(office.request(asked, by="a"), by="c")
    client = TestClient(app, base_url="https://loop.example", headers=HTML | {"Accept-Language": lang})
    client.get(f"/d/{done.link_token}")
    client.post(f"/d/{done.link_token}")
    return client, office.pass_state(done.pass_id).crew[0], done.pass_id


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_driver_sees_who_looked_and_where_the_pass_was_scanned(app: Any, store: Store, clock: Still, lang: str) -> None:
    client, person, pass_id = _driver(app, lang)
    t = texts(lang)
    page = client.get("/driver/reads").text
    assert t("reads.nobody") in page
    assert t("reads.title") in client.get("/driver").text
    for _ in range(3):
        _ = store.traces.note(reader="staff-7", role="coordinator", way="cookie", what="journey", people=[person], at=clock())
        _written(store)
        clock.forward(hours=1)
    _ = store.traces.note(reader="carrier-9", role="carrier", way="bearer", what="track", people=[person], at=clock())
    shown = Shown(word="HOLD", reasons=("evidence-missing",), next_step="sample-here")
    what = Scanned(digest="0" * 32, medium="screen", shown=shown, pass_id=pass_id, vehicle="浙C12345")
    store.record(Fact(id="scan", at=clock(), witness="server", what=what, by="staff-8", station="sampling-1"))
    _written(store)
    page = client.get("/driver/reads").text
    assert page.count(t("reads.what.journey")) == 1, "a day of readings is one line"
    assert t("role.coordinator") in page
    assert "staff-7" in page
    assert t("reads.way.bearer") in page
    station = "采样点" if lang == "zh" else "Sampling station"
    assert t("reads.scan", station=station) in page
    assert "staff-8" in page


def test_whoever_is_in_the_same_cab_leaves_a_trace_too(app: Any, store: Store) -> None:
    client, person, pass_id = _driver(app, "zh")
    mate = app.state.house.office.pass_state(pass_id).crew[1]
    app.state.house.watch.settle()
    client.get("/driver/card")
    _written(store)
    assert [(trace.reader, trace.what) for trace in store.traces.of(mate)] == [(person, "mate")]
    assert store.traces.of(person) == []


def test_only_the_phone_of_a_pass_sees_it(app: Any) -> None:
    stranger = TestClient(app, base_url="https://loop.example", headers={"accept": "application/json"})
    assert stranger.get("/driver/reads").status_code == 401


def test_every_kind_of_reading_has_its_words() -> None:
    for lang in ("zh", "en"):
        for kind in KINDS:
            assert f"reads.what.{kind}" in texts(lang)
        for way in ("bearer", "token", "shell"):
            assert f"reads.way.{way}" in texts(lang), way
        for role in ROLES:
            assert f"role.{role}" in texts(lang), role
