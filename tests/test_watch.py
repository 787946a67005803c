"""The watch: what is found is told once, stays told over a restart, and is changed, cleared or withdrawn by what is learnt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from time import monotonic
from typing import Any

import pytest

from checkpoint import watch as watching
from checkpoint.core import rules
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    Colour,
    CrewJoined,
    Entered,
    HelpCalled,
    Left,
    Loaded,
    PassGranted,
    ResultReported,
    SwabTaken,
    Voided,
    WarningAnswered,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    What,
)
from checkpoint.core.journey import View
from checkpoint.core.track import Fix
from checkpoint.core.verdict import Finding, Judgement
from checkpoint.store import Concern, Recorded, StorageFailed
from checkpoint.watch import Watch
from tests.ground import LOOP, T0, Still, publish
from tests.places import Place
from tests.witness import PLATE, fact

MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
OTHER = "沪A00001"
PERSON = "p-1"


class Yard:
    """A store, a watch over it, and trucks that load at the depot and drive north along the line."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.clock = Still()
        self.store = place.open(self.clock)
        publish(self.store)
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.watch = self.new_watch()
        self._count = 0

    def new_watch(self) -> Watch:
        return Watch(self.store, self.clock, lambda event, data: self.published.append((event, data)))

    def restart(self) -> None:
        self.store.close()
        self.store = self.place.open(self.clock)
        self.watch = self.new_watch()

    def tell(self, what: What, at: datetime | None = None, station: str = "", name: str = "") -> str:
        self._count += 1
        name = name or f"f{self._count}"
        outcome = self.store.record(fact(name, at or self.clock(), what, station=station))
        assert outcome.held, outcome
        return name

    def granted(self, vehicle: str = PLATE, person: str = PERSON) -> str:
        pass_id = f"330304-{abs(hash(vehicle)) % 10**7:07d}"
        self.tell(
            PassGranted(
                pass_id=pass_id, generation=1, vehicle=vehicle, crew=(person,), loop=LOOP, carrier="c",
                not_before=T0 - HOUR, expires=T0 + 72 * HOUR,
            ),
            T0 - HOUR,
        )  # fmt: skip
        return pass_id

    def departed(self, vehicle: str = PLATE, person: str = PERSON) -> None:
        """Granted, loaded and gone at T0."""
        pass_id = self.granted(vehicle, person)
        self.tell(Entered(vehicle=vehicle, pass_id=pass_id), T0 - 10 * MINUTE, "panqiao")
        self.tell(Loaded(vehicle=vehicle, pass_id=pass_id, parcels_count=640, seal="S1"), T0 - 5 * MINUTE, "panqiao")
        self.tell(Left(vehicle=vehicle, pass_id=pass_id), T0, "panqiao")

    def drive(
        self, seconds: int, *, lon: float = 120.6, step: int = 20, at: datetime | None = None, vehicle: str = PLATE
    ) -> None:
        """Fixes along the line (or beside it), delivered as they are made: 60 km/h north from wherever T0 put it."""
        start = at or self.clock()
        for s in range(step, seconds + 1, step):
            when = start + s * SECOND
            lat = 28.0 + (when - T0).total_seconds() * (60 / 3.6) / 111_000
            if at is None:
                self.clock.at = when
            self.store.add_positions(
                [(vehicle, Fix(device=f"d-{vehicle}", fixed_at=when, lat=lat, lon=lon, accuracy_m=8.0, speed_kmh=60.0))]
            )
            if at is None:
                self.watch.settle()

    def told(self, kind: str = "") -> list[str]:
        """What the record says was told, in order, in short."""
        said = []
        raised: dict[str, str] = {}
        for r in self.store.facts_after(0, 10_000):
            match r.fact.what:
                case WarningRaised(finding=finding, colour=colour, late=late):
                    raised[r.fact.id] = finding
                    said.append((finding, f"raised {finding} {colour}{' late' if late else ''}"))
                case WarningChanged(warning=warning, colour=colour):
                    said.append((raised[warning], f"changed {raised[warning]} {colour}"))
                case WarningCleared(warning=warning):
                    said.append((raised[warning], f"cleared {raised[warning]}"))
                case WarningWithdrawn(warning=warning):
                    said.append((raised[warning], f"withdrawn {raised[warning]}"))
                case Alerted(warning=warning, place=place):
                    said.append((raised[warning], f"alerted {place}"))
        return [text for finding, text in said if not kind or finding == kind]

    def facts(self, kind: type) -> list[Any]:
        return [r.fact.what for r in self.store.facts_after(0, 10_000) if isinstance(r.fact.what, kind)]


@pytest.fixture
def yard(place: Place) -> Iterator[Yard]:
    yard = Yard(place)
    yield yard
    yard.watch.stop()
    yard.store.close()


# -- with the real rules and the real track ---------------------------------------------------------------------------


def test_a_truck_that_strays_is_warned_of_turns_red_and_is_cleared_when_back(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    assert yard.told() == []
    yard.drive(240, lon=120.61)  # a kilometre east of the line
    assert yard.told() == ["raised off-loop yellow"]
    yard.drive(720, lon=120.61)
    assert yard.told() == ["raised off-loop yellow", "changed off-loop red"]
    yard.drive(120)
    assert yard.told() == ["raised off-loop yellow", "changed off-loop red", "cleared off-loop"]
    (warning,) = yard.watch.looks()[PLATE].view.warnings
    assert not warning.open
    assert warning.ended is not None
    assert T0 + 1200 * SECOND <= warning.ended <= T0 + 1320 * SECOND
    assert warning.raised.evidence
    assert {data["event"] for event, data in yard.published if event == "warning"} == {
        "WarningRaised", "WarningChanged", "WarningCleared",
    }  # fmt: skip
    assert ("vehicle", PLATE) in {(event, data["vehicle"]) for event, data in yard.published}
    assert yard.store.verify().ok


def test_a_warning_says_until_when_it_must_be_answered_and_red_is_sooner(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    yard.drive(240, lon=120.61)
    (yellow,) = yard.watch.looks()[PLATE].view.warnings
    assert yellow.answer_by == yellow.raised_at + timedelta(hours=1)
    yard.drive(720, lon=120.61)
    (red,) = yard.watch.looks()[PLATE].view.warnings
    assert red.id == yellow.id
    assert red.answer_by is not None
    assert T0 + timedelta(minutes=15) < red.answer_by <= yard.clock() + timedelta(minutes=15)
    assert red.answer_by < yellow.answer_by


def test_a_restart_raises_nothing_twice_and_forgets_nothing(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    yard.drive(240, lon=120.61)
    told = yard.told()
    assert told == ["raised off-loop yellow"]
    yard.restart()
    yard.watch.settle()
    assert yard.told() == told
    yard.drive(60, lon=120.61)
    assert yard.told() == told
    yard.drive(120)
    assert yard.told() == [*told, "cleared off-loop"]


def test_late_fixes_that_disprove_a_warning_withdraw_it(yard: Yard) -> None:
    """Five fixes by a bad route, and an hour later the terminal's whole memory of the same minutes, on the line."""
    yard.departed()
    yard.drive(240)
    yard.drive(300, lon=120.602, step=60)
    assert yard.told("off-loop") == ["raised off-loop yellow"]
    since = yard.facts(WarningRaised)[0].since
    yard.clock.forward(hours=1)
    yard.drive(360, step=10, at=since - 45 * SECOND)
    yard.watch.settle()
    assert yard.told("off-loop") == ["raised off-loop yellow", "withdrawn off-loop"]


def test_a_departure_learnt_long_after_it_was_over_is_told_as_late_and_cleared(yard: Yard) -> None:
    yard.departed()
    for lon, start, seconds in ((120.6, 0, 240), (120.61, 240, 240), (120.6, 480, 240)):
        yard.clock.at = T0 + HOUR
        yard.drive(seconds, lon=lon, at=T0 + start * SECOND)
    yard.watch.settle()
    assert yard.told("off-loop") == ["raised off-loop yellow late", "cleared off-loop"]


def test_a_silence_that_a_late_batch_fills_is_withdrawn_and_one_that_ended_ends_with_its_next_fix(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    stopped = yard.clock()
    yard.clock.forward(minutes=12)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow"]
    yard.drive(600, step=20, at=stopped + 20 * SECOND)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow", "withdrawn silent"]
    yard.clock.forward(minutes=30)
    yard.watch.settle()
    spoke = yard.clock()
    yard.drive(20)
    assert yard.told("silent")[-1] == "cleared silent"
    assert abs(yard.facts(WarningCleared)[-1].ended - spoke) <= timedelta(seconds=20)


def test_silence_is_told_by_the_clock_alone_and_ends_with_the_next_fix(yard: Yard) -> None:
    yard.departed()
    yard.drive(240)
    due = yard.watch.looks()[PLATE].judgement.next_change
    assert due is not None
    yard.clock.forward(minutes=9, seconds=59)
    yard.watch.settle()
    assert yard.told("silent") == []
    yard.clock.forward(seconds=1)
    yard.watch.settle()
    assert yard.told("silent") == ["raised silent yellow"]
    yard.drive(20)
    assert yard.told("silent")[:2] == ["raised silent yellow", "cleared silent"]


def test_a_positive_result_is_told_of_its_own_crew_and_to_the_places_ahead_in_their_order(yard: Yard) -> None:
    yard.departed(PLATE, "p-1")
    yard.departed(OTHER, "p-2")
    for person in ("p-1", "p-2"):
        yard.tell(
            SwabTaken(specimen=f"s-{person}", person=person, test="pcr", tube=f"T-{person}"), T0 - 20 * MINUTE, "sampling-1"
        )
    yard.drive(60)
    yard.drive(60, vehicle=OTHER, at=T0)
    yard.watch.settle()
    assert yard.told("positive-result") == []
    yard.tell(ResultReported(test="pcr", result="positive", laboratory="x", specimen="s-p-1"))
    yard.watch.settle()
    raised = [w for w in yard.facts(WarningRaised) if w.finding == "positive-result"]
    assert [w.vehicle for w in raised] == [PLATE]
    places = [a.place for a in yard.facts(Alerted)]
    ahead = [a.station.id for a in rules.ahead(yard.watch.looks()[PLATE].view, yard.clock())]
    assert places == ahead
    assert places[-1] == "depot-b"
    assert [a.order for a in yard.facts(Alerted)] == list(range(1, len(places) + 1))
    assert [w.alerted for w in yard.watch.looks()[PLATE].view.warnings if w.alerted] == [tuple(places)]
    yard.restart()
    yard.watch.settle()
    assert len(yard.facts(Alerted)) == len(places)


def test_a_pool_that_is_positive_holds_every_crew_in_it(yard: Yard) -> None:
    yard.departed(PLATE, "p-1")
    yard.departed(OTHER, "p-2")
    yard.watch.settle()
    for person in ("p-1", "p-2"):
        yard.tell(SwabTaken(specimen=f"s-{person}", person=person, test="pcr", tube="T1", pooled=True), T0 - HOUR, "sampling-1")
    yard.watch.settle()
    yard.tell(ResultReported(test="pcr", result="positive", laboratory="x", tube="T1"), name="pool")
    yard.watch.settle()
    assert sorted(w.vehicle for w in yard.facts(WarningRaised) if w.finding == "held-for-review") == sorted([PLATE, OTHER])
    # The report was of another tube: by what is known now, nobody ever was to be held.
    yard.tell(Voided(target="pool", reason="another tube"))
    yard.watch.settle()
    assert yard.told("held-for-review").count("withdrawn held-for-review") == 2


def test_an_own_negative_ends_a_review_that_was_right(yard: Yard) -> None:
    yard.departed()
    yard.tell(SwabTaken(specimen="s1", person=PERSON, test="pcr", tube="T1", pooled=True), T0 - HOUR, "sampling-1")
    yard.tell(ResultReported(test="pcr", result="positive", laboratory="x", tube="T1"), T0)
    yard.watch.settle()
    assert yard.told("held-for-review") == ["raised held-for-review yellow"]
    yard.clock.forward(hours=1)
    yard.tell(SwabTaken(specimen="s2", person=PERSON, test="pcr", tube="T2"), T0 + 10 * MINUTE, "sampling-1")
    yard.tell(ResultReported(test="pcr", result="negative", laboratory="x", tube="T2"), T0 + 50 * MINUTE)
    yard.watch.settle()
    assert yard.told("held-for-review") == ["raised held-for-review yellow", "cleared held-for-review"]
    assert [c.ended for c in yard.facts(WarningCleared)] == [T0 + 50 * MINUTE]


def test_an_acknowledged_alert_is_cleared_and_not_withdrawn(yard: Yard) -> None:
    yard.departed()
    yard.tell(SwabTaken(specimen="s1", person=PERSON, test="pcr"), T0 - HOUR, "sampling-1")
    yard.tell(ResultReported(test="pcr", result="positive", laboratory="x", specimen="s1"), T0)
    yard.watch.settle()
    alerts = yard.facts(Alerted)
    yard.clock.forward(minutes=2)
    for alert in alerts:
        yard.tell(AlertAcknowledged(warning=alert.warning, vehicle=PLATE, place=alert.place))
    yard.watch.settle()
    assert set(yard.told("alert-unacknowledged")) == {"raised alert-unacknowledged yellow", "cleared alert-unacknowledged"}


def test_an_event_stands_until_it_is_answered(yard: Yard) -> None:
    yard.departed()
    yard.tell(HelpCalled(person=PERSON, vehicle=PLATE, words="brakes"))
    yard.watch.settle()
    assert yard.told("help-called") == ["raised help-called red"]
    warning = next(w for w in yard.watch.looks()[PLATE].view.warnings if w.raised.finding == "help-called")
    yard.clock.forward(minutes=3)
    yard.watch.settle()
    assert yard.told("help-called") == ["raised help-called red"]
    yard.tell(WarningAnswered(warning=warning.id, vehicle=PLATE, answer="a mechanic is on the way"))
    yard.watch.settle()
    assert yard.told("help-called") == ["raised help-called red", "cleared help-called"]


# -- with findings of our own making ----------------------------------------------------------------------------------


class Found:
    """A judge that finds what a test says."""

    def __init__(self) -> None:
        self.findings: dict[str, list[Finding]] = {}
        self.next_change: datetime | None = None
        self.calls = 0
        self.fails = False

    def __call__(self, view: View, now: datetime) -> Judgement:
        self.calls += 1
        if self.fails:
            raise ZeroDivisionError
        found = tuple(self.findings.get(view.vehicle, ()))
        return Judgement(findings=found, next_change=self.next_change, at=now)

    def say(self, *findings: tuple[float, float | None] | tuple[float, float | None, Colour], kind: str = "off-loop") -> None:
        self.findings[PLATE] = [
            Finding(
                kind=kind,
                vehicle=PLATE,
                subject=f"vehicle:{PLATE}",
                colour=f[2] if len(f) == 3 else "yellow",
                since=T0 + f[0] * MINUTE,
                until=T0 + f[1] * MINUTE if f[1] is not None else None,
            )
            for f in findings
        ]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    found = Found()
    monkeypatch.setattr(rules, "judge", found)
    return found


@pytest.fixture
def say(yard: Yard, found: Found) -> Callable[..., list[str]]:
    """Let these be the findings, learn something, settle; what was told since the last time."""
    yard.granted()
    seen = 0

    def saying(*findings: Any, **more: Any) -> list[str]:
        nonlocal seen
        found.say(*findings, **more)
        yard.clock.forward(minutes=1)
        yard.tell(CrewJoined(pass_id="x", person=PERSON), station="")
        yard.watch.settle()
        told = yard.told()
        fresh, seen = told[seen:], len(told)
        return fresh

    return saying


def test_a_warning_keeps_its_name_while_late_facts_move_its_beginning(say: Callable[..., list[str]]) -> None:
    assert say((10, None)) == ["raised off-loop yellow"]
    assert say((5, None)) == []
    assert say((12, None, "red")) == ["changed off-loop red"]
    assert say((8, 20, "red")) == ["cleared off-loop"]
    assert say((8, 20, "red")) == []


def test_late_facts_that_split_a_warning_clear_the_first_part_and_raise_the_second(say: Callable[..., list[str]]) -> None:
    assert say((10, None)) == ["raised off-loop yellow"]
    assert say((10, 15), (20, None)) == ["cleared off-loop", "raised off-loop yellow"]
    assert say((10, 15), (20, None)) == []
    assert say((10, 15), (20, 30)) == ["cleared off-loop"]


def test_late_facts_that_join_a_cleared_warning_to_an_open_one_leave_the_open_one(say: Callable[..., list[str]]) -> None:
    assert say((10, 15), (20, None)) == ["raised off-loop yellow", "cleared off-loop", "raised off-loop yellow"]
    assert say((10, None)) == []
    assert say((10, 30)) == ["cleared off-loop"]


def test_late_facts_that_merge_two_open_warnings_withdraw_the_second_and_cite_the_first(
    say: Callable[..., list[str]], yard: Yard
) -> None:
    assert say((10, None), (20, None)) == ["raised off-loop yellow"] * 2
    assert say((10, None)) == ["withdrawn off-loop"]
    first, second = sorted(yard.watch.looks()[PLATE].view.warnings, key=lambda w: w.raised.since)
    assert (first.open, second.open) == (True, False)
    assert first.raised.since == T0 + 10 * MINUTE
    assert [w.evidence[0].fact for w in yard.facts(WarningWithdrawn)] == [first.id]
    assert say((10, None)) == []


def test_what_was_cleared_and_is_not_over_is_raised_again(say: Callable[..., list[str]]) -> None:
    assert say((10, 15)) == ["raised off-loop yellow", "cleared off-loop"]
    assert say((10, None)) == ["raised off-loop yellow"]
    assert say((10, None)) == []
    assert say((10, 25)) == ["cleared off-loop"]
    assert say((10, 25)) == []


def test_what_was_withdrawn_and_is_found_again_is_raised_again(say: Callable[..., list[str]]) -> None:
    assert say((10, None)) == ["raised off-loop yellow"]
    assert say() == ["withdrawn off-loop"]
    assert say((10, None)) == ["raised off-loop yellow"]


def test_two_ends_that_touch_are_two_warnings(say: Callable[..., list[str]]) -> None:
    assert say((10, 20), (20, None)) == ["raised off-loop yellow", "cleared off-loop", "raised off-loop yellow"]
    assert say((10, 20), (20, None)) == []


def test_a_passing_state_that_is_gone_is_cleared(say: Callable[..., list[str]]) -> None:
    assert say((10, None), kind="silent") == ["raised silent yellow"]
    assert say() == ["cleared silent"]


def test_a_suspicion_is_not_told(yard: Yard, found: Found) -> None:
    yard.granted()
    found.say((1, None))
    found.findings[PLATE] = [Finding(**{f: getattr(x, f) for f in x.__struct_fields__} | {"confirmed": False})
                             for x in found.findings[PLATE]]  # fmt: skip
    yard.watch.settle()
    assert yard.told() == []


def test_the_watch_looks_again_when_the_judgement_said_so_and_not_before(yard: Yard, found: Found) -> None:
    yard.granted()
    found.next_change = T0 + 10 * MINUTE
    yard.watch.settle()
    calls = found.calls
    yard.clock.forward(minutes=9, seconds=59)
    yard.watch.settle()
    assert found.calls == calls
    yard.clock.forward(seconds=1)
    found.next_change = None
    yard.watch.settle()
    assert found.calls == calls + 1


def test_a_vehicle_that_cannot_be_judged_is_named_and_does_not_blind_us_to_the_others(
    yard: Yard, found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    yard.granted()
    found.fails = True
    with pytest.raises(ZeroDivisionError):
        yard.watch.settle()
    assert set(yard.watch.troubles) == {PLATE}
    assert "could not be judged" in caplog.text
    assert PLATE not in caplog.text
    found.fails = False
    yard.clock.forward(minutes=1)
    yard.watch.settle()
    assert yard.watch.troubles == {}
    assert PLATE in yard.watch.looks()


def test_a_crash_between_two_things_told_doubles_neither(yard: Yard, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.granted()
    found.say((1, 5), (10, None))
    tell = yard.store.tell

    def half(facts: Any, known: int) -> Any:
        tell(facts[:1], known)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "tell", half)
        with pytest.raises(KeyboardInterrupt):
            yard.watch.settle()
    assert yard.told() == ["raised off-loop yellow"]
    yard.restart()
    yard.watch.settle()
    assert yard.told() == ["raised off-loop yellow", "cleared off-loop", "raised off-loop yellow"]


def test_look_answers_for_a_truck_not_met_yet_and_for_none(yard: Yard) -> None:
    assert yard.watch.look("浙C00000") is None
    yard.departed()
    look = yard.watch.look(PLATE)
    assert look is not None
    assert look.view.journey is not None
    assert yard.watch.look("浙C00000") is None


def test_a_crew_member_who_joins_brings_their_evidence(yard: Yard) -> None:
    yard.departed()
    yard.tell(SwabTaken(specimen="s9", person="p-9", test="pcr", tube="T9"), T0 - HOUR, "sampling-1")
    yard.tell(ResultReported(test="pcr", result="positive", laboratory="x", tube="T9"), T0)
    yard.watch.settle()
    assert yard.told("positive-result") == []
    pass_id = yard.watch.looks()[PLATE].view.passes[0].grant.pass_id
    yard.tell(CrewJoined(pass_id=pass_id, person="p-9"))
    yard.watch.settle()
    assert yard.told("positive-result")[0] == "raised positive-result red"


def test_the_thread_judges_soon_after_it_is_told_and_stops(yard: Yard) -> None:
    heard = threading.Event()
    yard.watch = Watch(yard.store, yard.clock, lambda event, data: heard.set() if event == "warning" else None)
    yard.watch.start()
    yard.departed()
    yard.tell(HelpCalled(person=PERSON, vehicle=PLATE))
    yard.watch.noticed([PLATE])
    assert heard.wait(5)
    yard.watch.stop()
    assert yard.told("help-called") == ["raised help-called red"]
    assert not [t for t in threading.enumerate() if t.name == "watch"]


def test_what_streams_in_is_judged_together(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ROUND_EVERY_S", 0.2)
    begun: list[float] = []
    enough = threading.Event()
    real = Watch._round

    def round_(watch: Watch, *, telling: bool) -> None:
        begun.append(monotonic())
        if len(begun) == 4:
            enough.set()
        real(watch, telling=telling)

    monkeypatch.setattr(Watch, "_round", round_)
    yard.departed()
    yard.watch.start()
    for n in range(1_000):
        yard.tell(HelpCalled(person=PERSON, vehicle=PLATE, words=str(n)))
        yard.watch.noticed([PLATE])
        if enough.wait(0.01):
            break
    yard.watch.stop()
    assert enough.is_set()
    assert min(after - before for before, after in pairwise(begun)) >= 0.2


def test_a_stuck_judgement_does_not_hold_the_end_up(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, free = threading.Event(), threading.Event()
    real = rules.judge

    def never(view: View, now: datetime) -> Judgement:
        stuck.set()
        free.wait(30)
        return real(view, now)

    monkeypatch.setattr(rules, "judge", never)
    monkeypatch.setattr(watching, "STOP_S", 0.1)
    yard.departed()
    yard.watch.start()
    assert stuck.wait(5)
    yard.watch.stop()
    assert "left behind" in caplog.text
    free.set()
    for thread in [t for t in threading.enumerate() if t.name == "watch"]:
        thread.join(5)


def test_a_new_version_of_the_loop_is_judged_by_at_once(yard: Yard) -> None:
    yard.departed()
    yard.drive(60)
    before = yard.watch.looks()[PLATE].view.loop
    publish(yard.store, version=2)
    yard.watch.settle()
    after = yard.watch.looks()[PLATE].view.loop
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (1, 2)
    assert yard.watch.looks()[PLATE].view.track is not None


def test_a_pass_that_ends_is_seen_by_the_clock_alone(yard: Yard) -> None:
    yard.departed()
    later = "330304-7654321"
    yard.tell(
        PassGranted(
            pass_id=later, generation=1, vehicle=PLATE, crew=("p-7",), loop=LOOP, carrier="c",
            not_before=T0 + 2 * HOUR, expires=T0 + 80 * HOUR,
        )
    )  # fmt: skip
    yard.watch.settle()
    before = yard.watch.looks()[PLATE].view.pass_
    yard.clock.forward(hours=2)
    yard.watch.settle()
    after = yard.watch.looks()[PLATE].view.pass_
    assert before is not None
    assert after is not None
    assert before.grant.pass_id != after.grant.pass_id == later


def test_a_start_asks_for_its_vehicles_together_some_at_a_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    third = "浙C00003"
    for vehicle in (PLATE, OTHER, third):
        yard.departed(vehicle)
    concerning, asked = yard.store.concerning_each, list[int]()

    def counted(concerns: Sequence[Concern]) -> list[list[Recorded]]:
        asked.append(len(concerns))
        return concerning(concerns)

    monkeypatch.setattr(yard.store, "concerning_each", counted)
    monkeypatch.setattr(watching, "MET_AT_ONCE", 2)
    yard.watch.settle()
    assert asked == [2, 1]
    assert sorted(yard.watch.looks()) == sorted([PLATE, OTHER, third])


def test_a_vehicle_that_could_not_be_read_is_not_judged_by_half_and_nobody_waits_for_it(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vehicle in (PLATE, OTHER):
        yard.departed(vehicle)
    concerning = yard.store.concerning_each

    def damaged(concerns: Sequence[Concern]) -> list[list[Recorded]]:
        if any(f"vehicle:{min(PLATE, OTHER)}" in concern.subjects for concern in concerns):
            raise RuntimeError("a fact of the ledger cannot be read")
        return concerning(concerns)

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "concerning_each", damaged)
        with pytest.raises(RuntimeError, match="cannot be read"):
            yard.watch.settle()
        assert list(yard.watch.troubles) == [min(PLATE, OTHER)]
        assert list(yard.watch.looks()) == [max(PLATE, OTHER)]
    yard.clock.at += 61 * SECOND
    yard.watch.settle()
    assert sorted(yard.watch.looks()) == sorted([PLATE, OTHER])
    assert not yard.watch.troubles


def test_a_round_that_the_database_cut_short_is_finished_in_the_next(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for vehicle in (PLATE, OTHER):
        yard.departed(vehicle)

    def gone(concerns: Sequence[Concern]) -> list[list[Recorded]]:
        raise StorageFailed("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "concerning_each", gone)
        with pytest.raises(StorageFailed):
            yard.watch.settle()
        assert yard.watch.pulse().waiting == 2
    yard.watch.settle()
    assert sorted(yard.watch.looks()) == sorted([PLATE, OTHER])
