"""Devices whose clock or datum is not ours: what cannot be true waits, what is declared is put right, what is noticed is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core import datum, geo
from checkpoint.core.declared import Declared, Offset, heard, mended, odd_time
from checkpoint.core.facts import DeviceBound
from checkpoint.core.fixes import Fix
from checkpoint.hearing import FixesTaken
from checkpoint.intake import Intake
from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.access import COORDINATOR
from checkpoint.web.app import create_app
from checkpoint.web.sources import sources_of
from tests.ground import T0, Still
from tests.witness import fact

PLATE = "浙C12345"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class House:
    def __init__(self, folder: Path) -> None:
        self.clock = Still()
        self.store = Store.open(folder / "checkpoint.db", self.clock)
        self.intake = Intake(self.store, self.clock, lambda _: None)
        what = DeviceBound(device="d-1", vehicle=PLATE, since=T0 - timedelta(days=3))
        self.intake.record(fact("bound", T0, what, station=""))

    def send(self, off: timedelta = timedelta(), **more: Any) -> FixesTaken:
        """One fix, a second old by a clock that is off by so much."""
        at = self.clock() - timedelta(seconds=1) + off
        found: dict[str, Any] = {"device": "d-1", "fixed_at": at, "lat": 28.0, "lon": 120.6}
        return self.intake.take_fixes([Fix(**found | more)])

    def drive(self, minutes: int, off: timedelta = timedelta()) -> None:
        for _ in range(minutes * 2):
            self.clock.forward(seconds=30)
            self.send(off)

    def seen_s(self) -> int | None:
        return self.store.registry.ways_of("d-1").seen_clock_s


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("hours", [8, 24, -24, -8, 0.5])
def test_a_clock_that_keeps_its_distance_is_noticed_and_nothing_is_put_right(house: House, hours: float) -> None:
    house.drive(15, hours * HOUR)
    assert house.seen_s() == pytest.approx(hours * 3600, abs=60)
    assert all(not fix.mended for fix in house.store.positions(PLATE))
    assert (house.store.positions(PLATE) == []) == (hours > 0), "of the future nothing is believed"


def test_a_right_clock_is_not_spoken_of(house: House) -> None:
    house.drive(30)
    assert house.seen_s() is None


def test_what_comes_hours_late_is_no_clock_that_is_off(house: House) -> None:
    now = house.clock()
    for minute in range(180):
        house.clock.forward(seconds=1)
        at = now - 4 * HOUR + minute * MINUTE
        house.intake.take_fixes([Fix(device="d-1", fixed_at=at, lat=28.0, lon=120.6)])
    house.drive(20)
    assert house.seen_s() is None


def test_a_clock_that_was_put_right_is_noticed_too(house: House) -> None:
    house.drive(15, 8 * HOUR)
    house.drive(15)
    assert house.seen_s() == 0


def test_what_waited_is_taken_in_when_the_clock_is_declared(house: House) -> None:
    house.drive(15, 8 * HOUR)
    assert {s.why for s in house.store.strangers()} == {"in-the-future"}
    assert house.intake.declare("d-1", Declared(clock_s=8 * 3600)) == 30
    assert house.store.strangers() == []
    fixes = house.store.positions(PLATE)
    assert len(fixes) == 30
    assert fixes[-1].fixed_at == house.clock() - timedelta(seconds=1)
    assert {fix.mended for fix in fixes} == {"clock +28800 s"}
    assert house.send(8 * HOUR) == FixesTaken(repeated=1), "sent again it is the same fix"


def test_what_waited_for_the_future_is_not_believed_once_it_is_past(house: House) -> None:
    house.send(HOUR)
    house.clock.forward(hours=2)
    house.intake.record(fact("again", house.clock(), DeviceBound(device="d-1", vehicle=PLATE, since=T0), station=""))
    assert house.store.positions(PLATE) == []


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "clock-unset"),
        (datetime(1980, 1, 6, 0, 3, tzinfo=UTC), "clock-unset"),
        (datetime(2000, 1, 1, tzinfo=UTC), "clock-unset"),
        (T0 - timedelta(weeks=1024), "week-rollover"),
        (T0 - timedelta(weeks=2048) + HOUR, "week-rollover"),
        (T0 + 3 * MINUTE, "in-the-future"),
        (T0 + MINUTE, ""),
        (T0 - timedelta(days=400), ""),
    ],
)
def test_a_time_that_cannot_be_true_is_named(at: datetime, why: str) -> None:
    assert odd_time(at, T0) == why


def test_a_receiver_whose_weeks_began_anew_waits_and_is_taken_in_when_that_is_declared(house: House) -> None:
    house.drive(15, -timedelta(weeks=1024))
    assert {s.why for s in house.store.strangers()} == {"week-rollover"}
    weeks_s = 1024 * 7 * 86400
    assert house.seen_s() == pytest.approx(-weeks_s, abs=60)
    assert house.intake.declare("d-1", Declared(clock_s=-weeks_s)) == 30


def test_positions_of_a_source_in_gcj_are_converted_once_and_say_so(house: House) -> None:
    true = (120.6, 28.0)
    sent = datum.wgs_to_gcj(*true)
    house.intake.declare("d-1", Declared(datum="GCJ-02"))
    house.send(lon=sent[0], lat=sent[1])
    (fix,) = house.store.positions(PLATE)
    assert geo.distance_m((fix.lon, fix.lat), true) < 0.01
    assert fix.mended == "GCJ-02"
    assert house.send(lon=sent[0], lat=sent[1]) == FixesTaken(repeated=1)


def test_enciphered_coordinates_are_left_as_they_are() -> None:
    fix = Fix(device="d", fixed_at=T0, lat=28.0, lon=120.6, encrypted=True)
    assert mended(fix, Declared(datum="GCJ-02")) == fix


def test_what_was_declared_is_of_one_device_and_can_be_taken_back(house: House) -> None:
    house.intake.declare("d-2", Declared(datum="GCJ-02", clock_s=60))
    house.send()
    house.intake.declare("d-1", Declared(datum="GCJ-02"))
    house.intake.declare("d-1", Declared())
    house.clock.forward(seconds=30)
    house.send()
    assert [fix.mended for fix in house.store.positions(PLATE)] == ["", ""]


def test_a_stranger_is_adopted_as_its_device_was_declared(house: House) -> None:
    at = house.clock() + 8 * HOUR
    house.intake.take_fixes([Fix(device="d-9", fixed_at=at, lat=28.0, lon=120.6)])
    house.store.registry.declare("d-9", Declared(clock_s=8 * 3600))
    house.intake.record(fact("bind-9", T0, DeviceBound(device="d-9", vehicle=PLATE, since=T0 - HOUR), station=""))
    assert [fix.fixed_at for fix in house.store.positions(PLATE)] == [house.clock()]


def test_a_clock_is_steady_only_over_minutes() -> None:
    offset: Offset | None = None
    for second in range(60):
        now = T0 + second * timedelta(seconds=1)
        offset = heard(offset, now + 8 * HOUR, now)
    assert offset is not None
    assert offset.steady_s is None


@pytest.fixture
def desk(house: House) -> TestClient:
    app = create_app(house.store, house.clock, public_url="https://loop.example")
    client = TestClient(app, base_url="https://loop.example", headers={"accept": "text/html", "accept-language": "en"})
    token = access.open_session(app.state.house, role=COORDINATOR, who=COORDINATOR, name="周敏")
    client.cookies.set(access.cookie_name(app.state.house, COORDINATOR), token)
    return client


def test_the_desk_is_told_of_a_clock_and_what_to_do_and_takes_in_what_waited(house: House, desk: TestClient) -> None:
    house.drive(15, 8 * HOUR)
    aside = desk.get("/aside").text
    assert "/stations/declared/d-1" in aside
    assert "8 h ahead" in aside
    page = desk.get("/stations/declared/d-1").text
    assert "8 h ahead" in page
    assert "another time zone" in page
    assert 'value="480"' in page
    assert "30 positions wait" in page
    assert "8 h ahead" in desk.get("/stations/trackers/d-1").text
    assert desk.post("/stations/declared/d-1", data={"datum": "WGS-84", "minutes": "480"}).status_code == 200
    assert len(house.store.positions(PLATE)) == 30
    page = desk.get("/stations/declared/d-1").text
    assert "positions wait" not in page
    assert "8 h ahead" not in page
    assert "480 min ahead" in page


@pytest.mark.parametrize("form", [{"datum": "Mars"}, {"datum": "WGS-84", "minutes": "nan"}, {"datum": "WGS-84", "minutes": "x"}])
def test_a_declaration_that_cannot_be_is_refused_in_words(house: House, desk: TestClient, form: dict[str, str]) -> None:
    answer = desk.post("/stations/declared/d-1", data=form)
    assert answer.status_code == 422
    assert "Choose a datum" in answer.text
    assert house.store.registry.ways_of("d-1").declared_at is None


def test_a_device_that_nobody_knows_has_no_page(desk: TestClient) -> None:
    assert desk.get("/stations/declared/nobody").status_code == 404


def test_a_terminal_that_lives_without_a_position_is_said_to_live(house: House, desk: TestClient) -> None:
    house.intake.record(fact("bound-t", T0, DeviceBound(device="terminal-139", vehicle=PLATE, since=T0 - HOUR), station=""))
    house.store.registry.enrol_terminal("terminal-139", PLATE, T0 + HOUR)
    house.send(device="terminal-139")
    house.clock.forward(minutes=40)
    house.store.registry.terminals_heard({"terminal-139": house.clock()}, {})
    own: Any = desk.app
    (source,) = [s for s in sources_of(own.state.house, PLATE) if s.device == "terminal-139"]
    assert source.heard_at == house.clock()
    assert source.is_blind
