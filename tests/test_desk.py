"""What a station does, at the desk: scans, deeds, refusals; and that nothing is shown which was not written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoint.core import passes
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    AntigenRead,
    CarePackGiven,
    Entered,
    Overruled,
    PassCompared,
    Scanned,
    SwabTaken,
    Voided,
    WarningRaised,
)
from kiosk import desk as desk_module
from kiosk.deeds import (
    Acknowledge,
    AnyDeed,
    CheckIn,
    CheckOut,
    Compare,
    Enter,
    GivePack,
    Join,
    Leave,
    Load,
    Measure,
    Overrule,
    ReadAntigen,
    SealTube,
    SeeCode,
    SeeStranger,
    StayBehind,
    SwabAntigen,
    SwabPcr,
    Undo,
    Unload,
)
from kiosk.duty import PIN_TRIES
from kiosk.scanner import is_tube
from tests.ground import T0, publish, wish
from tests.station import PIN, Ground, ground


@contextmanager
def at(tmp_path: Path, station: str = "sampling-1", *, tested: bool = True) -> Iterator[tuple[Ground, str]]:
    """A station with somebody on duty and one truck's pass, its crew tested five hours ago."""
    with ground(tmp_path, station=station) as g:
        number = g.pass_()
        if tested:
            g.tested(number)
        g.pull()
        g.sign_on()
        yield g, number


@pytest.fixture
def truck(tmp_path: Path) -> Iterator[tuple[Ground, str]]:
    """A truck before the sampling station's desk, everything in order."""
    with at(tmp_path) as (g, number):
        g.kiosk.desk.scan(g.live(number))
        yield g, number


@pytest.fixture
def untested(tmp_path: Path) -> Iterator[tuple[Ground, str]]:
    """A truck before the sampling station's desk, nobody tested."""
    with at(tmp_path, tested=False) as (g, number):
        g.kiosk.desk.scan(g.live(number))
        yield g, number


def recorded(g: Ground, kind: type) -> list[object]:
    return [f.what for f in g.kiosk.outbox.own_facts() if isinstance(f.what, kind)]


def word(g: Ground) -> str:
    return g.shown[0]


def reasons(g: Ground) -> tuple[str, ...]:
    return g.shown[1]


def do(g: Ground, deed: AnyDeed) -> str:
    """Do it; returns what was said of it."""
    g.kiosk.desk.do(deed)
    return g.notice.removeprefix("kiosk.")


# -- scans --------------------------------------------------------------------------------------------------------------


def test_a_pass_in_order_goes_and_the_record_says_what_was_shown(truck: tuple[Ground, str]) -> None:
    g, number = truck
    assert g.shown == ("GO", ("in-order",))
    (scan,) = recorded(g, Scanned)
    assert isinstance(scan, Scanned)
    assert (scan.pass_id, scan.vehicle, scan.medium, scan.live) == (number, "浙C12345", "screen", True)
    assert (scan.shown.word, scan.shown.reasons) == ("GO", ("in-order",))
    assert (scan.loop, scan.loop_version, scan.lists_age_s) == ("ouhai-shanghai", 1, 0)
    assert scan.offset_s == 0.0
    (fact,) = g.kiosk.outbox.own_facts()
    assert (fact.by, fact.station, fact.at) == (g.staff, "sampling-1", T0)


def test_nothing_is_shown_that_could_not_be_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(tmp_path) as (g, number):

        def full(*facts: object) -> None:
            raise OSError("the disk is full")

        monkeypatch.setattr(g.kiosk.outbox, "record", full)
        with pytest.raises(OSError, match="full"):
            g.kiosk.desk.scan(g.live(number))
        assert g.kiosk.desk.screen().verdict is None


def test_the_desk_remembers_everything_over_a_restart(truck: tuple[Ground, str]) -> None:
    g, number = truck
    do(g, Enter())
    again = desk_module.Desk(g.kiosk.outbox, g.clock, lambda n: bytes(n), lambda: g.kiosk.link.state)
    assert again.sign_on(g.staff, PIN)
    again.scan(g.live(number))
    screen = again.screen()
    assert screen.inside
    assert screen.verdict is not None
    assert screen.verdict.word == "GO"


@pytest.mark.parametrize("kind", ["forged", "foreign", "half", "beheaded", "appended"])
def test_what_is_not_a_pass_is_stopped_or_asked_for_again(tmp_path: Path, kind: str) -> None:
    with at(tmp_path) as (g, number):
        real = g.sheet(number)
        sealed = passes.read(real, g.store.registry.trusted_keys()).pass_
        text = {
            "forged": passes.seal(sealed, Ed25519PrivateKey.generate()),
            "foreign": "HTTPS://EXAMPLE.ORG/MENU",
            "half": real[:80],
            "beheaded": real[20:],
            "appended": real + "AAAAAAAA",
        }[kind]
        g.kiosk.desk.scan(text)
        if kind in ("half", "beheaded", "appended"):
            assert g.notice == "kiosk.refused.half"
            assert recorded(g, Scanned) == [], "half a pass is scanned again, not recorded"
        else:
            assert g.shown == ("STOP", ("not-genuine",))
            (scan,) = recorded(g, Scanned)
            assert isinstance(scan, Scanned)
            assert (scan.pass_id, scan.vehicle, scan.digest) == ("", "", passes.digest(text))


def test_without_issuers_nothing_is_called_forged(tmp_path: Path) -> None:
    with at(tmp_path) as (g, number):
        g.kiosk.outbox.take([], g.kiosk.outbox.cursor, people={}, staff=[], issuers={}, complete_at=None)
        g.kiosk.desk.learnt([])
        g.kiosk.desk.scan(g.live(number))
        assert g.notice == "kiosk.refused.no-issuers"
        assert g.kiosk.desk.screen().verdict is None


def test_a_screenshot_of_yesterday_is_held_and_the_live_pass_after_it_goes(tmp_path: Path) -> None:
    with at(tmp_path) as (g, number):
        screenshot = g.live(number)
        g.clock.forward(minutes=10)
        g.pull()
        g.kiosk.desk.scan(screenshot)
        assert g.shown == ("HOLD", ("pass-not-live",))
        g.kiosk.desk.scan(g.live(number))
        assert g.shown == ("GO", ("in-order",))
        assert [s.shown.word for s in recorded(g, Scanned) if isinstance(s, Scanned)] == ["HOLD", "GO"]


def test_a_live_pass_does_not_die_while_its_truck_stands_here(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    g.clock.forward(minutes=9)
    do(g, Enter())
    assert g.shown == ("GO", ("in-order",))


def test_the_same_pass_again_is_the_same_look(truck: tuple[Ground, str]) -> None:
    g, number = truck
    for _ in range(50):
        g.clock.forward(seconds=1)
        g.kiosk.desk.glimpse((), g.live(number))
    assert len(recorded(g, Scanned)) == 1, "a camera that goes on looking does not flood the record"
    g.clock.forward(seconds=31)
    g.kiosk.desk.scan(g.live(number))
    assert len(recorded(g, Scanned)) == 2, "coming back later is another look"


def test_a_sticker_flitting_by_stops_nobody(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    sticker = "HTTPS://EXAMPLE.ORG/MENU"
    for _ in range(10):
        g.kiosk.desk.glimpse((sticker,), None)
    assert g.shown[0] == "GO", "a truck is being served"
    g.kiosk.desk.clear()
    for _ in range(desk_module.GLIMPSES - 1):
        g.kiosk.desk.glimpse((sticker,), None)
    g.kiosk.desk.glimpse((), None)
    g.kiosk.desk.glimpse((sticker,), None)
    assert g.kiosk.desk.screen().verdict is None
    for _ in range(desk_module.GLIMPSES):
        g.kiosk.desk.glimpse((sticker,), None)
    assert g.shown == ("STOP", ("not-genuine",))


def test_a_typed_number_wants_its_check_character_and_a_comparison(tmp_path: Path) -> None:
    with at(tmp_path) as (g, number):
        desk = g.kiosk.desk
        desk.type_number(number + "0123456789X"[(("0123456789X".index(passes.check_character(number))) + 1) % 11])
        assert g.notice == "kiosk.refused.number"
        desk.type_number(number + passes.check_character(number))
        assert g.shown == ("HOLD", ("paper-not-compared",))
        assert do(g, Compare()) == "done.Compare"
        assert g.shown == ("GO", ("in-order",))
        (compared,) = recorded(g, PassCompared)
        assert compared == PassCompared(pass_id=number, vehicle="浙C12345", plate_read="浙C12345", names_agree=True)
        unknown = "330304-9999999"
        desk.type_number(unknown + passes.check_character(unknown))
        assert g.shown == ("STOP", ("not-genuine",))


def test_another_plate_stops_the_truck(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    assert do(g, Compare(plate="浙 c·54321")) == "done.Compare"
    assert g.shown[0] == "STOP"
    assert g.shown[1][0] == "plate-differs"
    assert do(g, Compare(plate="not a plate")) == "refused.no-plate"


def test_old_lists_hold_and_say_so(tmp_path: Path) -> None:
    with at(tmp_path) as (g, number):
        g.clock.forward(hours=12)
        g.kiosk.desk.scan(g.live(number))
        assert g.shown == ("HOLD", ("lists-old",))
        g.clock.at = T0 + timedelta(hours=11, minutes=59)
        g.kiosk.desk.clear()
        g.kiosk.desk.scan(g.live(number))
        assert g.shown == ("GO", ("in-order",))


def test_a_clock_wrong_by_a_day_is_said_where_the_answer_depends_on_it(tmp_path: Path) -> None:
    with at(tmp_path) as (g, number):
        steady = g.clock() - T0
        assert not steady
        g.kiosk.outbox.keep(offset_s="-86400.0", compared_at=g.clock().isoformat())
        wrong = desk_module.Desk(
            g.kiosk.outbox,
            g.clock,
            lambda n: bytes(n),
            lambda: type(g.kiosk.link.state)(state="up", reached_at=T0, offset_s=3 * 86400.0),
        )
        wrong.scan(g.live(number))
        verdict = wrong.screen().verdict
        assert verdict is not None
        assert verdict.reasons[0].row.reason == "clock-unsure"


# -- who ----------------------------------------------------------------------------------------------------------------


def test_deeds_want_somebody_signed_on_and_scans_do_not(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        number = g.pass_()
        g.tested(number)
        g.pull()
        g.kiosk.desk.scan(g.live(number))
        assert g.shown[0] == "GO"
        assert do(g, Enter()) == "refused.sign-on"
        assert recorded(g, Entered) == []


def test_a_pin_is_checked_here_and_five_wrong_ones_make_a_pause(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        for _ in range(PIN_TRIES):
            assert not g.kiosk.desk.sign_on(g.staff, "1357")
        assert not g.kiosk.desk.sign_on(g.staff, PIN)
        assert g.notice == "kiosk.refused.pin-pause"
        g.clock.forward(minutes=1)
        assert g.kiosk.desk.sign_on(g.staff, PIN)
        assert not g.kiosk.desk.sign_on("staff-nobody", PIN)


def test_whoever_walks_away_is_signed_off(truck: tuple[Ground, str]) -> None:
    g, number = truck
    g.clock.forward(minutes=19)
    assert g.kiosk.desk.screen().signed_on is not None
    g.kiosk.desk.scan(g.live(number))
    do(g, Enter())
    g.clock.forward(minutes=20)
    assert g.kiosk.desk.screen().signed_on is None


def test_staff_taken_off_the_list_are_signed_off_at_once(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    g.store.registry.change_staff(g.staff, active=False)
    g.pull()
    assert do(g, Enter()) == "refused.sign-on"


# -- the truck ----------------------------------------------------------------------------------------------------------


def test_a_truck_is_scanned_in_once_and_out(truck: tuple[Ground, str]) -> None:
    g, number = truck
    assert do(g, Enter()) == "done.Enter"
    assert g.kiosk.desk.screen().inside
    assert do(g, Enter()) == "refused.already-in"
    (entered,) = recorded(g, Entered)
    assert isinstance(entered, Entered)
    scan = next(f for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Scanned))
    assert entered == Entered(vehicle="浙C12345", pass_id=number, scan=scan.id)
    assert do(g, Leave()) == "done.Leave"
    assert not g.kiosk.desk.screen().inside


def test_nothing_is_done_without_a_truck(truck: tuple[Ground, str]) -> None:
    g, number = truck
    g.kiosk.desk.clear()
    person = g.crew(number)[0]
    for deed in (
        Enter(),
        Leave(),
        Compare(),
        Measure(person=person, celsius=36.5),
        SwabAntigen(person=person),
        Overrule(word="GO", reason="因为"),
    ):
        assert do(g, deed) == "refused.scan-first"


def test_a_stranger_joins_or_stays_behind(truck: tuple[Ground, str]) -> None:
    g, number = truck
    other = g.pass_(vehicle="沪A11111", crew=(wish().crew[1],))
    g.pull()
    (stranger,) = [p for p in g.crew(other) if p not in g.crew(number)]
    assert do(g, SeeStranger()) == "done.SeeStranger"
    assert g.shown == ("HOLD", ("stranger-in-cab",))
    assert do(g, StayBehind()) == "done.StayBehind"
    assert g.shown == ("GO", ("in-order",))
    do(g, Compare(names_agree=False))
    assert g.shown == ("HOLD", ("stranger-in-cab",))
    assert do(g, Join(person="p-nobody")) == "refused.person-unknown"
    assert do(g, Join(person=g.crew(number)[0])) == "refused.already-on-pass"
    assert do(g, Join(person=stranger)) == "done.Join"
    assert g.shown == ("HOLD", ("evidence-missing",)), "on the crew now, and without a test"


def test_overruling_wants_a_reason_and_names_who(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    assert do(g, Overrule(word="HOLD", reason=" ")) == "refused.reason-wanted"
    assert do(g, Overrule(word="HOLD", reason="司机说不舒服")) == "done.Overrule"
    fact = next(f for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Overruled))
    assert fact.by == g.staff


def test_ones_own_last_deed_can_be_taken_back_for_fifteen_minutes(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    do(g, Enter())
    last = g.kiosk.desk.screen().undoable
    assert last is not None
    assert isinstance(last.what, Entered)
    assert do(g, Undo(target="another", reason="按错了")) == "refused.not-last"
    assert do(g, Undo(target=last.id, reason="按错了")) == "done.Undo"
    assert recorded(g, Voided) == [Voided(target=last.id, reason="按错了")]
    assert not g.kiosk.desk.screen().inside
    do(g, Enter())
    last = g.kiosk.desk.screen().undoable
    assert last is not None
    g.clock.forward(minutes=15, seconds=1)
    assert do(g, Undo(target=last.id, reason="按错了")) == "refused.not-last"


# -- samples ------------------------------------------------------------------------------------------------------------


def test_the_antigen_road_from_hold_to_go(untested: tuple[Ground, str]) -> None:
    g, number = untested
    assert g.shown == ("HOLD", ("evidence-missing", "evidence-missing"))
    for i, person in enumerate(g.crew(number)):
        assert do(g, SwabAntigen(person=person)) == "done.SwabAntigen"
        assert do(g, SwabPcr(person=person, tube=f"TB-000{i}")) == "done.SwabPcr"
    assert g.shown == ("HOLD", ("antigen-unread", "antigen-unread"))
    assert do(g, SwabAntigen(person=g.crew(number)[0])) == "refused.timer-runs"
    running = g.kiosk.desk.screen().running
    assert len(running) == 2
    g.clock.forward(minutes=14, seconds=59)
    assert do(g, ReadAntigen(specimen=running[0].specimen, result="negative")) == "refused.too-early"
    g.clock.forward(seconds=1, milliseconds=1)
    assert do(g, ReadAntigen(specimen=running[0].specimen, result="negative")) == "done.ReadAntigen"
    assert list(reasons(g)) == ["antigen-unread"], "the truck is called back before the desk"
    g.clock.forward(minutes=4)
    g.sign_on()
    assert do(g, ReadAntigen(specimen=running[1].specimen, result="negative")) == "done.ReadAntigen"
    assert list(reasons(g)) == ["pcr-pending"]
    assert do(g, ReadAntigen(specimen=running[1].specimen, result="positive")) == "refused.read-before"


def test_a_reading_out_of_time_is_recorded_and_said_to_prove_nothing(untested: tuple[Ground, str]) -> None:
    g, number = untested
    person = g.crew(number)[0]
    do(g, SwabAntigen(person=person))
    (test,) = g.kiosk.desk.screen().running
    g.clock.forward(minutes=20, seconds=1)
    g.sign_on()
    assert do(g, ReadAntigen(specimen=test.specimen, result="negative")) == "done.read-outside"
    assert len(recorded(g, AntigenRead)) == 1
    assert g.shown[0] == "HOLD"


def test_a_positive_line_is_taken_at_once_whatever_the_clock_says(untested: tuple[Ground, str]) -> None:
    g, number = untested
    person = g.crew(number)[0]
    do(g, SwabAntigen(person=person))
    (test,) = g.kiosk.desk.screen().running
    g.clock.forward(minutes=5)
    assert do(g, ReadAntigen(specimen=test.specimen, result="positive")) == "done.read-outside"
    assert "held-for-review" in g.shown[1]


def test_an_antigen_positive_person_is_never_pooled(untested: tuple[Ground, str]) -> None:
    g, number = untested
    person = g.crew(number)[0]
    do(g, SwabAntigen(person=person))
    (test,) = g.kiosk.desk.screen().running
    assert do(g, SwabPcr(person=person, tube="POOL-1", pooled=True)) == "refused.single-only", "not while the test runs either"
    g.clock.forward(minutes=16)
    do(g, ReadAntigen(specimen=test.specimen, result="positive"))
    assert g.shown[0] == "STOP"
    assert do(g, SwabPcr(person=person, tube="POOL-1", pooled=True)) == "refused.single-only"
    assert do(g, SwabPcr(person=person, tube="TB-0001")) == "done.SwabPcr"


def test_a_tube_takes_what_it_may_take(untested: tuple[Ground, str]) -> None:
    g, number = untested
    first, second = g.crew(number)
    assert do(g, SwabPcr(person=first, tube="12")) == "refused.no-tube"
    assert do(g, SwabPcr(person=first, tube=g.sheet(number))) == "refused.no-tube"
    assert do(g, SwabPcr(person=first, tube="tb 0001")) == "done.SwabPcr"
    assert do(g, SwabPcr(person=first, tube="TB0001")) == "refused.twice-in-tube"
    assert do(g, SwabPcr(person=second, tube="TB0001")) == "refused.tube-used"
    assert do(g, SwabPcr(person=second, tube="TB0001", pooled=True)) == "refused.tube-used"
    assert do(g, SealTube(tube="TB0001")) == "done.SealTube"
    assert do(g, SealTube(tube="TB0001")) == "refused.tube-sealed"
    assert do(g, SealTube(tube="TB0009")) == "refused.tube-empty"
    assert do(g, SwabPcr(person=second, tube="TB0001")) == "refused.tube-sealed"


def test_one_open_pool_a_sampler_and_no_more_people_than_it_holds(untested: tuple[Ground, str]) -> None:
    g, number = untested
    first, second = g.crew(number)
    assert do(g, SwabPcr(person=first, tube="POOL-1", pooled=True)) == "done.SwabPcr"
    assert g.kiosk.desk.screen().open_tube == "POOL-1"
    assert do(g, SwabPcr(person=first, tube="POOL-1", pooled=True)) == "refused.twice-in-tube"
    assert do(g, SwabPcr(person=second, tube="POOL-2", pooled=True)) == "refused.seal-first"
    assert do(g, SwabPcr(person=second, tube="POOL-1", pooled=True)) == "done.SwabPcr"
    publish(g.store, version=2, effective_from="2026-01-02T00:00:00+08:00", policy={"pool_size": 2})
    third = g.pass_(vehicle="沪A22222", crew=(wish().crew[1],))
    g.pull()
    g.kiosk.desk.clear()
    g.kiosk.desk.scan(g.live(third))
    (person,) = g.crew(third)
    assert do(g, SwabPcr(person=person, tube="POOL-1", pooled=True)) == "refused.tube-full"
    assert do(g, SealTube(tube="POOL-1")) == "done.SealTube"
    assert g.kiosk.desk.screen().open_tube == ""


def test_a_tube_of_another_station_or_with_a_result_is_not_used(untested: tuple[Ground, str]) -> None:
    g, number = untested
    person = g.crew(number)[0]
    other = g.crew(number)[1]
    g.tell(SwabTaken(specimen="s1", person=other, test="pcr", tube="TB0001", pooled=True), station="rest-1")
    g.pull()
    assert do(g, SwabPcr(person=person, tube="TB0001", pooled=True)) == "refused.tube-used"


def test_sampling_again_inside_the_validity_wants_a_reason(truck: tuple[Ground, str]) -> None:
    g, number = truck
    person = g.crew(number)[0]
    assert do(g, SwabPcr(person=person, tube="TB0001")) == "refused.valid-still"
    assert do(g, SwabAntigen(person=person)) == "refused.valid-still"
    assert do(g, SwabPcr(person=person, tube="TB0001", repeat_reason="symptoms")) == "done.SwabPcr"
    (swab,) = recorded(g, SwabTaken)
    assert isinstance(swab, SwabTaken)
    assert swab.repeat_reason == "symptoms"


def test_temperature_and_code_are_judged_at_once(truck: tuple[Ground, str]) -> None:
    g, number = truck
    person = g.crew(number)[0]
    assert do(g, Measure(person=person, celsius=3.7)) == "refused.no-temperature"
    assert do(g, Measure(person="p-nobody", celsius=36.5)) == "refused.not-on-pass"
    assert do(g, Measure(person=person, celsius=37.3)) == "done.Measure"
    assert g.shown == ("HOLD", ("temperature-or-code",))
    assert do(g, Measure(person=person, celsius=36.6)) == "done.Measure"
    assert word(g) == "GO"
    assert do(g, SeeCode(person=person, colour="yellow")) == "done.SeeCode"
    assert g.shown == ("HOLD", ("temperature-or-code",))


def test_one_care_pack_a_visit(truck: tuple[Ground, str]) -> None:
    g, number = truck
    person, other = g.crew(number)
    do(g, Enter())
    assert do(g, GivePack(person=person)) == "done.GivePack"
    assert do(g, GivePack(person=person)) == "refused.pack-given"
    assert do(g, GivePack(person=other)) == "done.GivePack"
    do(g, Leave())
    g.clock.forward(hours=6)
    g.pull()
    g.kiosk.desk.scan(g.live(number))
    do_signed(g, Enter())
    assert do(g, GivePack(person=person)) == "done.GivePack", "another visit"
    assert len(recorded(g, CarePackGiven)) == 3


def do_signed(g: Ground, deed: AnyDeed) -> str:
    g.sign_on()
    return do(g, deed)


# -- other services -----------------------------------------------------------------------------------------------------


def test_a_station_offers_what_it_has(tmp_path: Path) -> None:
    with at(tmp_path, "rest-1") as (g, number):
        g.kiosk.desk.scan(g.live(number))
        person = g.crew(number)[0]
        for deed in (SwabPcr(person=person, tube="TB0001"), Load(parcels_count=3, seal="S1"), SealTube(tube="TB0001")):
            assert do(g, deed) == "refused.not-here"


def test_parcels_and_seals_are_counted(tmp_path: Path) -> None:
    with at(tmp_path, "panqiao") as (g, number):
        g.kiosk.desk.scan(g.live(number))
        assert do(g, Load(parcels_count=-1, seal="S1")) == "refused.no-count"
        assert do(g, Load(parcels_count=420, seal=" ")) == "refused.no-seal"
        assert do(g, Load(parcels_count=420, seal="s 1001")) == "done.Load"
        assert do(g, Unload(parcels_count=420, seal="S1001")) == "refused.not-here"


def test_bays_and_beds_are_given_once(tmp_path: Path) -> None:
    with at(tmp_path, "rest-1") as (g, number):
        first, second = g.crew(number)
        other = g.pass_(vehicle="沪A33333", crew=(wish().crew[1],))
        g.tested(other)
        g.pull()
        g.kiosk.desk.scan(g.live(number))
        assert do(g, CheckIn(persons=(first,), bay="Z9")) == "refused.no-bay"
        assert do(g, CheckIn(persons=(first, second), bay="A1", beds=("1",))) == "refused.no-bed"
        assert do(g, CheckIn(persons=("p-nobody",), bay="A1")) == "refused.not-on-pass"
        assert do(g, CheckIn(persons=(first, second), bay="A1", beds=("1", "2"))) == "done.CheckIn"
        assert do(g, CheckIn(persons=(first,), bay="A2")) == "refused.checked-in"
        g.kiosk.desk.clear()
        g.kiosk.desk.scan(g.live(other))
        (guest,) = g.crew(other)
        assert do(g, CheckIn(persons=(guest,), bay="A1")) == "refused.bay-taken"
        assert do(g, CheckIn(persons=(guest,), bay="A2", beds=("1",))) == "refused.bed-taken"
        assert do(g, CheckOut()) == "refused.not-checked-in"
        g.kiosk.desk.clear()
        g.clock.forward(minutes=1)
        g.kiosk.desk.scan(g.live(number))
        assert do(g, CheckOut()) == "done.CheckOut"
        assert g.kiosk.desk.screen().taken == ()


def test_a_truck_with_a_positive_result_is_announced_until_the_station_says_that_it_knows(truck: tuple[Ground, str]) -> None:
    g, number = truck
    person = g.crew(number)[0]
    raised = g.tell(
        WarningRaised(finding="positive-result", vehicle="浙C12345", colour="red", since=T0, subject=f"person:{person}"),
        witness="server",
    )
    g.tell(Alerted(warning=raised.id, vehicle="浙C12345", place="sampling-1", order=1), witness="server")
    g.tell(Alerted(warning=raised.id, vehicle="浙C12345", place="panqiao", order=2), witness="server")
    g.pull()
    (alert,) = g.kiosk.desk.screen().alerts
    assert (alert.warning, alert.vehicle, alert.person) == (raised.id, "浙C12345", person)
    assert do(g, Acknowledge(warning="another")) == "refused.no-such-alert"
    assert do(g, Acknowledge(warning=raised.id)) == "done.Acknowledge"
    assert g.kiosk.desk.screen().alerts == ()
    assert recorded(g, AlertAcknowledged) == [AlertAcknowledged(warning=raised.id, vehicle="浙C12345", place="sampling-1")]


def test_a_truck_that_nobody_touches_leaves_the_desk_without_a_trace(truck: tuple[Ground, str]) -> None:
    g, _ = truck
    before = len(list(g.kiosk.outbox.own_facts()))
    g.clock.forward(minutes=10)
    screen = g.kiosk.desk.screen()
    assert screen.subject is None
    assert screen.verdict is None
    assert len(list(g.kiosk.outbox.own_facts())) == before


@pytest.mark.parametrize(
    ("text", "tube"), [("TB20260503017", True), ("ABC", False), ("采样管一号", False), ("HTTPS://X.Y", False), ("A" * 41, False)]
)
def test_what_can_be_a_tube(text: str, tube: bool) -> None:
    assert is_tube(text) is tube
