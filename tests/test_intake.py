"""The intake: each item is answered for itself, after it is durable; nobody speaks for another."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from checkpoint import hearing
from checkpoint.core.facts import (
    Amended,
    AntigenRead,
    DeviceBound,
    DeviceReleased,
    Entered,
    Malformed,
    PassRevoked,
    ResultReported,
    SwabTaken,
    Voided,
    encode,
)
from checkpoint.core.track import Fix
from checkpoint.hearing import FixesTaken
from checkpoint.intake import Answer, Intake, Refused
from tests.ground import T0, Still
from tests.places import Place
from tests.witness import PASS, PLATE, FakeKiosk, fact

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OTHER = "沪A00001"


class House:
    """A store, its intake, and one enrolled kiosk."""

    def __init__(self, place: Place) -> None:
        self.clock = Still()
        self.store = place.open(self.clock)
        self.noticed: list[str] = []
        self.intake = Intake(self.store, self.clock, self._note)
        self.kiosk = self.enrolled("sampling-1")

    def _note(self, vehicles: Iterable[str]) -> None:
        self.noticed += sorted(vehicles)

    def enrolled(self, station: str) -> FakeKiosk:
        made = self.store.registry.add_kiosk(station, f"token-{station}", T0 + HOUR)
        kiosk = FakeKiosk(made.id, station)
        self.store.registry.enrol_kiosk(f"token-{station}", kiosk.public_key, f"key-{station}")
        return kiosk

    def push(self, *links: dict[str, Any], kiosk: FakeKiosk | None = None, **more: Any) -> Answer:
        kiosk = kiosk or self.kiosk
        return self.intake.take_batch(kiosk.id, kiosk.body(*links, **more))

    def results(self, *results: dict[str, Any], laboratory: str = "lab-1") -> list[tuple[str, str]]:
        taken = self.intake.take_results(laboratory, json.dumps({"results": results}).encode())
        return [(r.state, r.why) for r in taken]


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    house = House(place)
    yield house
    house.store.close()


# -- kiosks -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_held_and_its_vehicles_are_noticed(house: House) -> None:
    links = [house.kiosk.tell(f"f{i}", T0 + i * MINUTE) for i in range(3)]
    answer = house.push(*links)
    assert answer.held == ("f0", "f1", "f2")
    assert (answer.set_aside, answer.gaps, answer.server_time) == ((), (), T0)
    assert house.noticed == [PLATE]
    assert house.push(*links).held == answer.held
    assert len(house.store.facts_after(0, 10)) == 3
    assert house.store.verify().ok


def test_a_bad_fact_is_set_aside_and_those_behind_it_are_held(house: House) -> None:
    kiosk = house.kiosk
    answer = house.push(
        kiosk.tell("good", T0),
        kiosk.link('{"id":"half","at":"not a time"}'),
        kiosk.link('{"id":"nonsense","at":"2026-05-03T02:00:00Z","witness":"x","what":{"kind":"Teleported"}}'),
        kiosk.tell("behind", T0),
    )
    assert answer.held == ("good", "behind")
    assert [(a.id, a.seq, a.why) for a in answer.set_aside] == [("half", 2, "malformed"), ("nonsense", 3, "malformed")]
    assert "$.at" in answer.set_aside[0].detail
    assert [a.raw for a in house.store.aside(source=kiosk.witness)][-1] == b'{"id":"half","at":"not a time"}'
    assert house.push(kiosk.tell("later", T0)).gaps == ()
    assert house.store.verify().ok


@pytest.mark.parametrize(
    "entry",
    ['{"seq":"one"}', "7", "null", '{"seq":1,"prev":"zz","hash":"","fact":{}}', f'{{"seq":{10**30},"fact":{{"id":"x"}}}}'],
)
def test_an_entry_that_is_none_is_kept_whole_and_blocks_nobody(house: House, entry: str) -> None:
    link = house.kiosk.tell("good", T0)
    body = house.kiosk.body(link).replace(b'"entries":[', b'"entries":[' + entry.encode() + b",")
    answer = house.intake.take_batch(house.kiosk.id, body)
    assert answer.held == ("good",)
    assert len(answer.set_aside) == 1
    assert len(house.store.aside()) == 1


def test_gaps_are_told_until_they_are_filled(house: House) -> None:
    links = [house.kiosk.tell(f"f{i}", T0) for i in range(6)]
    answer = house.push(links[0], links[3], links[5])
    assert [(gap.first, gap.last) for gap in answer.gaps] == [(2, 3), (5, 5)]
    assert house.push(links[1], links[2], links[4]).gaps == ()
    assert house.store.verify().ok


def test_a_kiosk_speaks_as_itself_and_of_its_own_station_only(house: House) -> None:
    other = house.enrolled("rest-1")
    answer = house.push(
        house.kiosk.tell("as-another", T0, witness=other.witness),
        house.kiosk.tell("of-another", T0, station="rest-1"),
        house.kiosk.tell("as-the-server", T0, witness="server"),
        house.kiosk.tell("mine", T0),
    )
    assert answer.held == ("mine",)
    assert [a.why for a in answer.set_aside] == ["other-witness", "other-station", "other-witness"]
    assert house.store.fact("as-another") is None
    assert house.store.verify().ok


def test_a_kiosk_does_not_speak_of_passes_loops_or_warnings(house: House) -> None:
    answer = house.push(house.kiosk.tell("revoked", T0, PassRevoked(pass_id=PASS, reason="because")))
    assert [a.why for a in answer.set_aside] == ["not-yours"]


def test_a_station_corrects_its_own_facts_only(house: House) -> None:
    other = house.enrolled("rest-1")
    house.push(house.kiosk.tell("here", T0))
    house.push(other.tell("there", T0, station="rest-1"), kiosk=other)
    house.store.record(fact("desk", T0, station=""))
    answer = house.push(
        house.kiosk.tell("v1", T0, Voided(target="here", reason="wrong truck")),
        house.kiosk.tell("v2", T0, Voided(target="there", reason="wrong truck")),
        house.kiosk.tell("v3", T0, Voided(target="desk", reason="wrong truck")),
        house.kiosk.tell("v4", T0, Voided(target="not-come-yet", reason="wrong truck")),
    )
    assert answer.held == ("v1", "v4")
    assert [a.id for a in answer.set_aside] == ["v2", "v3"]


def test_a_head_that_the_kiosk_did_not_sign_is_refused_and_nothing_is_kept(house: House) -> None:
    link = house.kiosk.tell("a", T0)
    stranger = FakeKiosk(house.kiosk.id)
    for head in (
        stranger.head(house.kiosk.seq, house.kiosk.hash),
        house.kiosk.head() | {"signature": "00"},
        house.kiosk.head() | {"signature": "zz"},
        house.kiosk.head(1, "0" * 64),
    ):
        with pytest.raises(Refused, match="head"):
            house.push(link, head=head)
    assert house.store.facts_after(0, 1) == []
    assert house.store.aside() == []
    assert house.push(link).held == ("a",)


def test_a_head_behind_its_own_links_is_refused(house: House) -> None:
    first = house.kiosk.tell("a", T0)
    head = house.kiosk.head()
    with pytest.raises(Refused, match="behind"):
        house.push(first, house.kiosk.tell("b", T0), head=head)


def test_entries_without_a_head_are_refused_and_a_sign_of_life_is_not(house: House) -> None:
    with pytest.raises(Refused, match="wanted"):
        house.intake.take_batch(house.kiosk.id, house.kiosk.body(house.kiosk.tell("a", T0)).replace(b'"head"', b'"tail"'))
    assert house.intake.take_batch(house.kiosk.id, b'{"entries":[]}').held == ()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"entries":7}', b'{"entries":[],"sent_at":"now"}', b"\xff\xfe", b"[" * 5000]
)
def test_a_body_that_is_no_batch_is_refused(house: House, body: bytes) -> None:
    with pytest.raises(Malformed):
        house.intake.take_batch(house.kiosk.id, body)


def test_the_kiosks_clock_is_measured(house: House) -> None:
    house.push(house.kiosk.tell("a", T0), sent_at=(T0 + timedelta(days=1, seconds=7)).isoformat())
    kiosk = house.store.registry.kiosk(house.kiosk.id)
    assert kiosk is not None
    assert (kiosk.offset_s, kiosk.seen_at) == (86_407.0, T0)
    # The scan of a kiosk whose clock is a day ahead is held all the same.
    assert house.push(house.kiosk.tell("b", T0 + timedelta(days=1))).held == ("b",)


# -- desks and phones -------------------------------------------------------------------------------------------------


def test_a_fact_of_a_desk_is_recorded_and_a_kiosks_is_not(house: House) -> None:
    assert house.intake.record(fact("a", T0)).state == "held"
    assert house.noticed == [PLATE]
    with pytest.raises(Malformed, match="own chain"):
        house.intake.record(fact("b", T0, witness=house.kiosk.witness))
    with pytest.raises(Malformed):
        house.intake.record(fact("", T0))


# -- laboratories -----------------------------------------------------------------------------------------------------


def result(accession: str = "A-1", **more: Any) -> dict[str, Any]:
    return {
        "accession": accession, "tube": "T1", "test": "pcr", "result": "negative", "reported_at": T0.isoformat(),
    } | more  # fmt: skip


def test_a_result_reported_again_is_one_result(house: House) -> None:
    assert house.results(result()) == [("held", "")]
    assert house.results(result(), result()) == [("repeated", "")] * 2
    assert house.results(result(), laboratory="lab-2") == [("held", "")]
    recorded = house.store.facts_after(0, 10)[0]
    assert recorded.fact.at == T0
    assert house.store.handed_in(recorded) == json.dumps(result()).encode(), "what came, beside what was made of it"
    assert recorded.raw == encode(recorded.fact)


def test_a_corrected_result_is_another_fact(house: House) -> None:
    later = result(result="positive", reported_at=(T0 + MINUTE).isoformat())
    assert house.results(result(), later) == [("held", ""), ("held", "")]


def test_laboratories_codes_are_understood_and_an_unknown_test_is_kept_as_written(house: House) -> None:
    house.results(
        result("1", test="94500-6", result="260373001"),
        result("2", test="LP217198-3", result="895231008"),
        result("3", test="核酸", result="阴性"),
        result("4", test="antibody IgG", result="Positive"),
    )
    told = [r.fact.what for r in house.store.facts_after(0, 10)]
    assert [(t.test, t.result) for t in told if isinstance(t, ResultReported)] == [
        ("pcr", "positive"),
        ("antigen", "negative"),
        ("pcr", "negative"),
        ("antibody IgG", "positive"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"result": "fine"},
        {"reported_at": "yesterday"},
        {"reported_at": "2026-05-03T02:00:00"},
        {"specimen": "S1"},
        {"tube": ""},
        {"accession": ""},
        {"accession": 7},
        {"sampled_at": "2026-05-03T02:00:00"},
    ],
)
def test_a_result_that_cannot_be_read_is_set_aside_and_the_next_is_held(house: House, wrong: dict[str, Any]) -> None:
    assert house.results(result(**wrong), result("good")) == [("aside", "malformed"), ("held", "")]
    kept = house.store.aside(source="lab:lab-1")[0]
    assert "$.results[0]" in kept.detail or "$.what" in kept.detail
    assert json.loads(kept.raw) == result(**wrong)


def test_a_result_older_than_its_sample_or_of_the_future_is_set_aside(house: House) -> None:
    house.store.record(fact("swab", T0 - HOUR, SwabTaken(specimen="S9", person="p-1", test="pcr", tube="T9")))
    edge = (T0 + timedelta(seconds=120)).isoformat()
    beyond = (T0 + timedelta(seconds=121)).isoformat()
    taken = house.results(
        result("1", reported_at=edge),
        result("2", reported_at=beyond),
        result("3", sampled_at=(T0 + timedelta(seconds=1)).isoformat()),
        result("4", received_at=(T0 + timedelta(seconds=1)).isoformat()),
        result("5", sampled_at=T0.isoformat()),
        result("6", tube="T9", reported_at=(T0 - HOUR).isoformat()),
        result("7", tube="T9", reported_at=(T0 - HOUR - timedelta(seconds=121)).isoformat()),
        result("8", tube="", specimen="S9", reported_at=(T0 - 2 * HOUR).isoformat()),
        result("9", tube="T-not-known-yet"),
    )
    assert taken == [
        ("held", ""),
        ("aside", "in-the-future"),
        ("aside", "older-than-its-sample"),
        ("aside", "older-than-its-sample"),
        ("held", ""),
        ("held", ""),
        ("aside", "older-than-its-sample"),
        ("aside", "older-than-its-sample"),
        ("held", ""),
    ]


def test_a_voided_swab_ages_no_result(house: House) -> None:
    house.store.record(fact("swab", T0, SwabTaken(specimen="S9", person="p-1", test="pcr")))
    early = result(tube="", specimen="S9", reported_at=(T0 - HOUR).isoformat())
    house.store.record(fact("void", T0, Voided(target="swab", reason="wrong number"), station=""))
    assert house.results(early) == [("held", "")]


def test_a_body_that_is_no_list_of_results_is_refused(house: House) -> None:
    with pytest.raises(Malformed, match="results"):
        house.intake.take_results("lab-1", b"{}")


# -- devices ----------------------------------------------------------------------------------------------------------


def fix(minutes: float, device: str = "d-1", **more: Any) -> Fix:
    found: dict[str, Any] = {"lat": 28.0, "lon": 120.6} | more
    return Fix(device=device, fixed_at=T0 + minutes * MINUTE, **found)


def bound(device: str, vehicle: str, minutes: float, name: str = "") -> Any:
    return fact(name or f"bind-{minutes}", T0 + minutes * MINUTE, DeviceBound(device=device, vehicle=vehicle), station="")


def test_a_fix_belongs_to_the_vehicle_its_device_was_bound_to_at_that_time(house: House) -> None:
    house.clock.forward(hours=1)
    house.intake.record(bound("d-1", PLATE, 0))
    house.intake.record(bound("d-1", OTHER, 30))
    house.noticed.clear()
    assert house.intake.take_fixes([fix(40), fix(10), fix(30), fix(10)]) == FixesTaken(new=3, repeated=1)
    assert [f.fixed_at for f in house.store.positions(PLATE)] == [T0 + 10 * MINUTE]
    assert [f.fixed_at for f in house.store.positions(OTHER)] == [T0 + 30 * MINUTE, T0 + 40 * MINUTE]
    assert house.noticed == sorted([PLATE, OTHER])
    assert house.intake.vehicle_of("d-1", T0 + 5 * MINUTE) == PLATE


def test_a_binding_made_or_undone_counts_from_the_next_position_on_whoever_wrote_it(house: House) -> None:
    assert house.intake.vehicle_of("d-1", T0) is None
    house.store.record(bound("d-1", PLATE, 0, "first"))
    assert house.intake.vehicle_of("d-1", T0) == PLATE
    house.store.record(fact("other", T0))
    assert house.intake.vehicle_of("d-1", T0) == PLATE
    house.store.record(
        fact("moved", T0, Amended(target="first", reason="moved", what=DeviceBound(device="d-1", vehicle=OTHER)), station="")
    )
    assert house.intake.vehicle_of("d-1", T0) == OTHER
    house.store.record(fact("void", T0, Voided(target="first", reason="another phone"), station=""))
    assert house.intake.vehicle_of("d-1", T0) is None


def test_a_strangers_fixes_wait_until_somebody_binds_it(house: House) -> None:
    house.clock.forward(hours=1)
    assert house.intake.take_fixes([fix(10), fix(20)]) == FixesTaken(strange=2)
    assert house.noticed == []
    house.intake.record(bound("d-1", PLATE, 15))
    assert [f.fixed_at for f in house.store.positions(PLATE)] == [T0 + 20 * MINUTE]


def between(device: str, vehicle: str, since: float | None, until: float | None, said: float = 0) -> Any:
    """A binding said at one time for another."""
    at = [None if minutes is None else T0 + minutes * MINUTE for minutes in (since, until)]
    what = DeviceBound(device=device, vehicle=vehicle, since=at[0], until=at[1])
    return fact(f"bind-{vehicle == PLATE}-{since}-{until}-{said}", T0 + said * MINUTE, what, station="")


def released(device: str, vehicle: str, since: float | None, said: float = 0) -> Any:
    at = None if since is None else T0 + since * MINUTE
    return fact(f"free-{since}-{said}", T0 + said * MINUTE, DeviceReleased(device=device, vehicle=vehicle, since=at), station="")


def vehicles_at(house: House, *minutes: float) -> list[str | None]:
    return [house.intake.vehicle_of("d-1", T0 + each * MINUTE) for each in minutes]


def test_a_stranger_is_adopted_for_exactly_the_time_it_is_bound(house: House) -> None:
    house.clock.forward(hours=2)
    assert house.intake.take_fixes([fix(n) for n in (10, 20, 29.9, 30, 40)]) == FixesTaken(strange=5)
    house.intake.record(between("d-1", PLATE, 20, 30, said=120))
    assert [f.fixed_at for f in house.store.positions(PLATE)] == [T0 + 20 * MINUTE, T0 + 29.9 * MINUTE]
    assert len(house.store.strangers()) == 3
    assert house.intake.take_fixes([fix(25), fix(31)]) == FixesTaken(new=1, strange=1)


def test_a_device_that_was_released_reports_for_nobody_until_it_is_bound_again(house: House) -> None:
    house.clock.forward(hours=2)
    house.intake.record(bound("d-1", PLATE, 0))
    house.intake.record(released("d-1", PLATE, None, said=30))
    assert vehicles_at(house, -1, 0, 29, 30, 60) == [None, PLATE, PLATE, None, None]
    assert house.intake.take_fixes([fix(10), fix(40)]) == FixesTaken(new=1, strange=1)
    house.intake.record(bound("d-1", OTHER, 35))
    assert [f.fixed_at for f in house.store.positions(OTHER)] == [T0 + 40 * MINUTE], "what came meanwhile is adopted"


def test_a_device_lent_for_a_time_reports_for_its_own_truck_before_and_after(house: House) -> None:
    house.clock.forward(hours=2)
    house.intake.record(bound("d-1", PLATE, 0))
    house.intake.record(between("d-1", OTHER, 20, 40, said=100))
    assert vehicles_at(house, 10, 20, 39, 40, 110) == [PLATE, OTHER, OTHER, PLATE, PLATE]


def test_what_was_said_of_bindings_in_any_order_gives_one_reading(house: House) -> None:
    told = [
        bound("d-1", PLATE, 0),
        between("d-1", OTHER, 20, 40, said=1),
        released("d-1", PLATE, 50, said=2),
        between("d-1", OTHER, 60, None, said=3),
        between("d-1", PLATE, 70, 80, said=4),
    ]
    for each in random.Random(5).sample(told, len(told)):
        house.store.record(each)
    assert vehicles_at(house, 10, 30, 45, 55, 65, 75, 85) == [PLATE, OTHER, PLATE, None, OTHER, PLATE, OTHER]


def test_a_release_taken_back_or_a_binding_mended_adopts_what_waited(house: House) -> None:
    house.clock.forward(hours=2)
    house.intake.record(bound("d-1", PLATE, 0))
    house.intake.record(released("d-1", PLATE, 30, said=30))
    assert house.intake.take_fixes([fix(40)]) == FixesTaken(strange=1)
    house.intake.record(fact("void", T0 + 50 * MINUTE, Voided(target="free-30-30", reason="it is still in the cab"), station=""))
    assert len(house.store.positions(PLATE)) == 1
    house.intake.take_fixes([fix(-10)])
    earlier = DeviceBound(device="d-1", vehicle=PLATE, since=T0 - 20 * MINUTE)
    house.intake.record(
        fact("mend", T0 + 51 * MINUTE, Amended(target="bind-0", reason="it was there from six on", what=earlier), station="")
    )
    assert len(house.store.positions(PLATE)) == 2
    assert house.store.strangers() == []


def test_a_fix_that_comes_while_its_device_is_bound_is_not_left_a_stranger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.clock.forward(hours=1)
    keep = house.store.add_strangers

    def bound_meanwhile(fixes: Any, ours: Any) -> Any:
        monkeypatch.undo()
        house.intake.record(bound("d-1", PLATE, 0))
        return keep(fixes, ours)

    monkeypatch.setattr(house.store, "add_strangers", bound_meanwhile)
    house.intake.take_fixes([fix(10)])
    assert [f.fixed_at for f in house.store.positions(PLATE)] == [T0 + 10 * MINUTE]
    assert house.store.strangers() == []


def test_fixes_from_before_the_first_binding_go_by_the_registry(house: House) -> None:
    house.store.registry.bind_device("d-1", PLATE)
    assert house.intake.take_fixes([fix(-10)]) == FixesTaken(new=1)


def test_a_voided_binding_binds_nothing(house: House) -> None:
    house.intake.record(bound("d-1", PLATE, -5, "wrong"))
    house.intake.record(fact("void", T0, Voided(target="wrong", reason="another phone"), station=""))
    assert house.intake.take_fixes([fix(0)]) == FixesTaken(strange=1)


def test_a_fix_of_the_future_is_kept_apart_to_the_second(house: House) -> None:
    house.intake.record(bound("d-1", PLATE, -5))
    assert house.intake.take_fixes([fix(2), fix(2 + 1 / 60)]) == FixesTaken(new=1, strange=1)
    assert [s.why for s in house.store.strangers()] == ["in-the-future"]


@pytest.mark.parametrize("spot", [{"lat": float("nan")}, {"lon": float("inf")}, {"lat": 91.0}, {"lon": -180.5}])
def test_a_place_that_is_not_on_earth_is_set_aside(house: House, spot: dict[str, Any]) -> None:
    house.intake.record(bound("d-1", PLATE, -5))
    assert house.intake.take_fixes([fix(0, **spot), fix(1)]) == FixesTaken(new=1, strange=1)
    assert [a.why for a in house.store.aside()] == ["no-such-place"]


def test_a_device_that_sends_nonsense_for_ever_fills_no_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "MOST_UNUSABLE", 3)
    taken = house.intake.take_fixes([fix(-n, lat=99.0) for n in range(5)])
    assert taken == FixesTaken(strange=3, refused=2)
    naive = Fix(device="d-2", fixed_at=T0.replace(tzinfo=None), lat=28.0, lon=120.6)
    assert house.intake.take_fixes([naive]) == FixesTaken(strange=1)
    assert house.store.aside(source="device:d-2")[0].why == "no-zone"
    house.intake.record(bound("d-1", PLATE, -5))
    assert house.intake.take_fixes([fix(-n, lat=99.0) for n in range(5)] + [fix(0)]) == FixesTaken(new=1, strange=5)
    assert len(house.store.aside(source="device:d-1")) == 3
    assert house.store.tally.positions["unusable"] == 7, "counted, and no reason to hold up what came behind"


def test_a_reading_at_a_station_is_taken_in_as_told(house: House) -> None:
    read = AntigenRead(specimen="S1", person="p-1", result="negative")
    house.push(house.kiosk.tell("read", T0, read), house.kiosk.tell("came", T0, Entered(vehicle=PLATE, pass_id=PASS)))
    held = house.store.fact("read")
    assert held is not None
    assert held.fact.what == read
