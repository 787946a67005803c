"""What leaves when its term is over: whole journeys, and never anything that changes what we say within the term."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoint import cli
from checkpoint.core import facts as f
from checkpoint.core import rules
from checkpoint.core.book import Book
from checkpoint.core.journey import View, view_of
from checkpoint.core.track import Fix
from checkpoint.retention import leaving, terms
from checkpoint.retention.leaving import choose
from checkpoint.retention.sweeping import retention, sweep
from checkpoint.store import Concern, Store
from checkpoint.watch import Watch
from checkpoint.web.feed import Feed
from tests.ground import LOOP, T0, Still, publish
from tests.histories import BASE, LOOPS, PASSES, VEHICLES, histories
from tests.places import Place

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TERM = timedelta(days=180)
_numbers = itertools.count()


# -- laps of the small loop ---------------------------------------------------------------------------------------------


class Ground:
    """A store with the small loop, whose clock goes along with what is told."""

    def __init__(self, store: Store, clock: Still) -> None:
        self.store, self.clock = store, clock

    def tell(self, what: f.Happening, at: datetime, station: str = "", fact_id: str = "") -> str:
        self.clock.at = max(self.clock.at, at)
        name = fact_id or f"f-{next(_numbers)}"
        fact = f.Fact(id=name, at=at, witness="desk:coordinator", what=what, station=station, by="staff-1")  # type: ignore[arg-type]
        assert self.store.record(fact).held
        return name

    def granted(self, plate: str, number: str, crew: Sequence[str], begins: datetime, days: int = 20) -> None:
        granted = f.PassGranted(
            pass_id=number, generation=1, vehicle=plate, crew=tuple(crew), loop=LOOP, carrier="c", not_before=begins,
            expires=begins + timedelta(days=days), anchor="11" * 16, request=f"r-{number}",
        )  # fmt: skip
        asked = f.PassRequested(
            request=f"r-{number}",
            carrier="c",
            vehicle=plate,
            crew=tuple(crew),
            loop=LOOP,
            not_before=begins,
            expires=granted.expires,
        )
        self.tell(asked, begins)
        self.tell(granted, begins)

    def lap(self, plate: str, number: str, person: str, at: datetime) -> str:
        """One whole lap on a test that counts: in, loaded, out, there, and back; the tube's name."""
        scanned = f.Scanned(
            digest="0" * 32, medium="screen", pass_id=number, vehicle=plate, loop=LOOP,
            shown=f.Shown(word="GO", reasons=("in-order",), next_step="drive-on"),
        )  # fmt: skip
        here: dict[str, Any] = {"vehicle": plate, "pass_id": number}
        tube = f"tube-{next(_numbers)}"
        for minutes, station, what in (
            (-300, "sampling-1", f.SwabTaken(specimen=f"s-{tube}", person=person, test="pcr", tube=tube)),
            (-100, "", f.ResultReported(test="pcr", result="negative", laboratory="city", tube=tube)),
            (0, "panqiao", scanned),
            (1, "panqiao", f.Entered(**here)),
            (20, "panqiao", f.Loaded(**here, parcels_count=40, seal="A1")),
            (30, "panqiao", f.Left(**here)),
            (240, "depot-b", f.Entered(**here)),
            (260, "depot-b", f.Unloaded(**here, parcels_count=40, seal="A1")),
            (270, "depot-b", f.Left(**here)),
            (480, "sampling-1", f.Entered(**here)),
            (482, "sampling-1", f.TemperatureMeasured(person=person, celsius=36.5)),
            (490, "sampling-1", f.Left(**here)),
        ):
            self.tell(what, at + minutes * MINUTE, station)
        return tube

    def at(self, moment: datetime) -> datetime:
        """It is later, and the watch has looked on the way."""
        while self.clock.at < moment:
            self.clock.at = min(moment, self.clock.at + 10 * DAY)
            self.watch()
        return moment

    def watch(self) -> None:
        Watch(self.store, self.clock, lambda *_: None).settle()

    def facts(self) -> list[f.Fact]:
        return [r.fact for r in self.store.facts_after(0, 100_000)]


PLATE, OTHER = "浙C12345", "浙C67890"


@contextmanager
def _ground(place: Place) -> Iterator[Ground]:
    clock = Still()
    store = place.open(clock)
    publish(store)
    yield Ground(store, clock)
    store.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with _ground(Place("sqlite", tmp_path, tmp_path / "checkpoint.db")) as found:
        yield found


@pytest.fixture
def either(place: Place) -> Iterator[Ground]:
    """The same on each kind of database."""
    with _ground(place) as found:
        yield found


def test_what_is_over_leaves_whole_and_what_is_not_stays(either: Ground) -> None:
    ground = either
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + 3 * DAY)
    ground.tell(f.DeviceBound(device="d", vehicle=PLATE), T0)
    ground.watch()
    now = ground.at(T0 + 100 * DAY)
    assert choose(ground.store, now, TERM).numbers == ()
    now = ground.at(T0 + 205 * DAY)
    chosen = choose(ground.store, now, TERM)
    assert chosen.journeys_count == 2
    assert chosen.passes == ("330304-0000001",)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    assert {type(fact.what).__name__ for fact in ground.facts()} == {"LoopPublished", "DeviceBound"}
    assert ground.store.verify().ok
    again = choose(ground.store, now, TERM)
    assert (again.numbers, again.journeys_count) == ((), 0)


def test_a_truck_that_never_stands_still_lets_its_old_laps_go(ground: Ground) -> None:
    """Its passes overlap all the year: the data of last winter leaves nevertheless."""
    for month in range(5):
        begins = T0 + month * 25 * DAY
        number = f"330304-000000{month}"
        ground.granted(PLATE, number, ["p-1"], begins, days=28)
        for lap in range(3):
            ground.lap(PLATE, number, "p-1", begins + lap * 8 * DAY + DAY)
            ground.watch()
    now = ground.at(T0 + 125 * DAY)
    chosen = choose(ground.store, now, timedelta(days=60))
    assert 5 <= chosen.journeys_count <= 8
    before = _seen(ground.store, PLATE, now)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    after = _seen(ground.store, PLATE, now)
    assert [j.id for j in after.journeys] == [j.id for j in before.journeys][chosen.journeys_count :]
    old = [fact for fact in ground.facts() if fact.at < now - timedelta(days=101) and not isinstance(fact.what, f.LoopPublished)]
    assert old == []
    last = ground.store.last_number()
    ground.watch()
    assert ground.store.last_number() == last, "the watch has nothing new to say"


def test_an_open_warning_keeps_its_journey_until_it_is_answered(ground: Ground) -> None:
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    said = f.HelpCalled(person="p-1", vehicle=PLATE, words="flat tyre")
    ground.tell(said, T0 + 2 * HOUR)
    ground.watch()
    now = ground.at(T0 + 250 * DAY)
    chosen = choose(ground.store, now, TERM)
    assert (chosen.journeys_count, chosen.held) == (0, (PLATE,))
    warning = next(
        fact for fact in ground.facts() if isinstance(fact.what, f.WarningRaised) and fact.what.finding == "help-called"
    )
    ground.tell(f.WarningAnswered(warning=warning.id, vehicle=PLATE, answer="called"), now)
    ground.watch()
    now = ground.at(now + 200 * DAY)
    assert choose(ground.store, now, TERM).journeys_count == 1


def test_what_nobody_answered_for_years_leaves_all_the_same(ground: Ground) -> None:
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    ground.tell(f.HelpCalled(person="p-1", vehicle=PLATE, words="flat tyre"), T0 + 2 * HOUR)
    now = ground.at(T0 + 250 * DAY)
    assert choose(ground.store, now, TERM, timedelta(days=300)).numbers == ()
    now = ground.at(T0 + 330 * DAY)
    chosen = choose(ground.store, now, TERM, timedelta(days=300))
    assert (chosen.journeys_count, chosen.held) == (1, ())


def test_a_person_whose_positive_still_stops_them_keeps_it(ground: Ground) -> None:
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    tube = ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    ground.tell(f.ResultReported(test="pcr", result="positive", laboratory="city", tube=tube), T0 + DAY)
    now = T0 + 250 * DAY
    ground.granted(PLATE, "330304-0000002", ["p-1"], now - HOUR)
    ground.at(now)
    before = _verdict_words(ground.store, now)
    assert before == {"STOP"}
    chosen = choose(ground.store, now, TERM)
    assert not {r.number for r in ground.store.recorded_of(f"tube:{tube}")} & set(chosen.numbers)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    assert _verdict_words(ground.store, now) == before


def test_a_pool_stays_until_the_last_of_its_swabs_may_go(ground: Ground) -> None:
    for plate, number, person, begins in (
        (PLATE, "330304-0000001", "p-1", T0),
        (OTHER, "330304-0000002", "p-2", T0),
    ):
        ground.granted(plate, number, [person], begins)
        ground.lap(plate, number, person, begins + HOUR)
        ground.tell(
            f.SwabTaken(specimen=f"pool-{person}", person=person, test="pcr", vehicle=plate, tube="POOL", pooled=True),
            T0 + 4 * DAY,
            "sampling-1",
        )
    result = ground.tell(f.ResultReported(test="pcr", result="negative", laboratory="city", tube="POOL"), T0 + 5 * DAY)
    ground.tell(f.HelpCalled(person="p-2", vehicle=OTHER, words="still waiting"), T0 + 5 * DAY)
    ground.watch()
    now = ground.at(T0 + 250 * DAY)
    chosen = choose(ground.store, now, TERM)
    assert chosen.held == (OTHER,)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    assert ground.store.fact(result) is not None
    assert not [fact for fact in ground.facts() if f"vehicle:{PLATE}" in f.subjects(fact)]
    assert len(_seen(ground.store, OTHER, now).journeys) == 1


def test_a_correction_within_the_term_keeps_what_it_corrects(ground: Ground) -> None:
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    wrong = ground.tell(f.TemperatureMeasured(person="p-1", celsius=36.9), T0 + DAY, "sampling-1")
    now = ground.at(T0 + 250 * DAY)
    void = ground.tell(f.Voided(target=wrong, reason="other person"), now - DAY)
    chosen = choose(ground.store, now, TERM)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    assert ground.store.fact(wrong) is not None
    assert ground.store.fact(void) is not None


def test_much_at_once_is_taken_in_portions_the_oldest_first(ground: Ground) -> None:
    for i in range(4):
        plate, number = f"浙C0000{i}", f"330304-000000{i}"
        ground.granted(plate, number, [f"p-{i}"], T0 + i * 30 * DAY, days=10)
        ground.lap(plate, number, f"p-{i}", T0 + i * 30 * DAY + HOUR)
        ground.at(T0 + (i * 30 + 15) * DAY)
    now = ground.at(T0 + 400 * DAY)
    assert 1 <= choose(ground.store, now, TERM, most=30).journeys_count <= 3
    runs = 0
    while (chosen := choose(ground.store, now, TERM, most=30)).numbers:
        ground.store.remove_facts(chosen.numbers, chosen.passes)
        runs += 1
    assert runs >= 2
    assert [type(fact.what).__name__ for fact in ground.facts()] == ["LoopPublished"]


def test_stations_are_not_told_what_has_left_and_their_cursors_go_on(ground: Ground) -> None:
    ground.granted(PLATE, "330304-0000001", ["p-1"], T0)
    ground.lap(PLATE, "330304-0000001", "p-1", T0 + HOUR)
    feed = Feed(ground.store)
    told, cursor, _ = feed.page([LOOP], 0, 500)
    assert len(told) > 10
    now = ground.at(T0 + 250 * DAY)
    chosen = choose(ground.store, now, TERM)
    ground.store.remove_facts(chosen.numbers, chosen.passes)
    for reading in (feed, Feed(ground.store)):
        again, _, more = reading.page([LOOP], 0, 500)
        assert [type(r.fact.what).__name__ for r in again] == ["LoopPublished"]
        assert not more
    ground.granted(OTHER, "330304-0000002", ["p-2"], now)
    later, after, _ = feed.page([LOOP], cursor, 500)
    assert [type(r.fact.what).__name__ for r in later] == ["PassGranted"]
    assert after == ground.store.last_number()


# -- whatever happened ----------------------------------------------------------------------------------------------------


def _seen(store: Store, vehicle: str, now: datetime) -> View:
    book = Book(r.fact for r in store.concerning(Concern(vehicle)))
    return view_of(book, vehicle, store.loops(), None, now)


def _verdict_words(store: Store, now: datetime) -> set[str]:
    return {verdict.word for verdict in leaving._verdicts(_seen(store, PLATE, now), now)}  # type: ignore[attr-defined]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(history=histories(), days=st.integers(0, 40), term=st.sampled_from((0.5, 1.0, 2.0, 10.0)))
def test_nothing_that_is_said_within_the_term_changes(history: tuple[f.Fact, ...], days: int, term: float) -> None:
    history = tuple(fact for fact in history if _fit(fact))
    now, kept = BASE + timedelta(days=days + 3), timedelta(days=term)
    with tempfile.TemporaryDirectory() as folder:
        clock = Still(BASE)
        store = Store.open(Path(folder, "checkpoint.db"), clock)
        store.loops = lambda: LOOPS  # type: ignore[method-assign]
        for fact in sorted(history, key=lambda fact: (fact.at, fact.id)):
            clock.at = max(clock.at, fact.at)
            store.record(fact)
        clock.at = now
        Watch(store, clock, lambda *_: None).settle()
        before = {vehicle: _seen(store, vehicle, now) for vehicle in VEHICLES}
        held = {r.fact.id: r.fact for r in store.facts_after(0, 10_000)}
        chosen = choose(store, now, kept)
        store.remove_facts(chosen.numbers, chosen.passes)
        left = {r.fact.id for r in store.facts_after(0, 10_000)}
        after = {vehicle: _seen(store, vehicle, now) for vehicle in VEHICLES}
        number = store.last_number()
        Watch(store, clock, lambda *_: None).settle()
        assert store.last_number() == number, "the watch says nothing new"
        assert store.verify().ok
        store.close()
    since = now - kept
    assert {name for name, fact in held.items() if fact.at >= since} <= left, "within the term nothing leaves"
    for vehicle in VEHICLES:
        one, other = before[vehicle], after[vehicle]
        _same(one, other, now, since)
        gone = len(one.journeys) - len(other.journeys)
        assert [j.id for j in other.journeys] == [j.id for j in one.journeys][gone:], "journeys leave whole, the oldest first"
        open_ = {w.id for w in one.warnings if w.open or rules.must_be_answered(w)}
        assert open_ <= {w.id for w in other.warnings}
    assert all(p.grant.pass_id in PASSES for view in after.values() for p in view.passes)


def _fit(fact: f.Fact) -> bool:
    """Whether the record would take it."""
    try:
        f.decode(f.encode(fact))
    except f.Malformed:
        return False
    return not isinstance(fact.what, f.LoopPublished)


def _same(one: View, other: View, now: datetime, since: datetime) -> None:
    """What the rules find that is not over, or was over within the term, is the same; and what a gate would show."""
    found, still = ([x for x in rules.judge(v, now).findings if x.until is None or x.until > since] for v in (one, other))
    assert found == still
    assert list(leaving._verdicts(one, now)) == list(leaving._verdicts(other, now))
    for person, evidence in other.people.items():
        kept = {s.specimen for s in evidence.swabs}
        newer = {s.specimen for s in one.people[person].swabs if s.taken_at >= since}
        assert newer <= kept


# -- the sweep ------------------------------------------------------------------------------------------------------------


def _filled(ground: Ground) -> None:
    store = ground.store
    person = store.registry.add_person("张三", id_number="11010519491231002X", phone="13800138000").id
    ground.granted(PLATE, "330304-0000001", [person], T0)
    ground.lap(PLATE, "330304-0000001", person, T0 + HOUR)
    store.registry.keep_seed("330304-0000001", 1, b"\x01" * 16)
    store.registry.add_link("hash", person=person, pass_id="330304-0000001", expires=T0 + 7 * DAY)
    store.registry.use_link("hash", "phone")
    store.registry.open_session("token", role="driver", who="link", name="", opened=T0, expires=T0 + 20 * DAY)
    store.add_positions([(PLATE, Fix(device="d", fixed_at=T0, lat=28.0, lon=120.6))])
    store.add_strangers([(Fix(device="e", fixed_at=T0, lat=28.0, lon=120.6), "unknown-device")])
    store.set_aside("device:x", b"{}", "malformed")
    noted = store.traces.note(reader="s", role="coordinator", way="cookie", what="journey", people=[person], at=T0)
    assert noted is not None
    noted.result()


def test_a_dry_run_counts_and_changes_nothing(either: Ground) -> None:
    ground = either
    _filled(ground)
    now = ground.at(T0 + 900 * DAY)
    facts = len(ground.facts()) - 1  # the loop stays
    dry = sweep(ground.store, now, dry=True)
    assert dry.counts == {
        "positions": 1, "strangers": 1, "journeys": 1, "facts": facts, "people": 0, "links": 0, "aside": 1, "traces": 1,
        "audit": 0, "sessions": 1,
    }  # fmt: skip
    assert sweep(ground.store, now, dry=True) == dry
    done = sweep(ground.store, now)
    # Without facts nobody is named any more, and the link went with its pass.
    assert done.counts == {**dry.counts, "people": 1}
    assert set(sweep(ground.store, now).counts.values()) == {0}
    assert ground.store.registry.people() == []
    assert ground.store.registry.links("330304-0000001") == []
    assert ground.store.registry.seed("330304-0000001", 1) is None
    assert ground.store.verify().ok


def test_each_kind_leaves_at_its_own_term(ground: Ground) -> None:
    _filled(ground)
    left: dict[str, int] = {}
    for day in (*range(0, 40, 5), 90, 95, 200, 205, 365, 370):
        for kind, count in sweep(ground.store, ground.at(T0 + day * DAY)).counts.items():
            if count and kind not in left:
                left[kind] = day
    assert left == {
        "positions": 35, "strangers": 15, "journeys": 205, "facts": 205, "people": 205, "aside": 95,
        "traces": 370, "sessions": 25,
    }  # fmt: skip


def test_terms_may_be_set_within_what_the_rules_need(ground: Ground) -> None:
    terms.set_terms(ground.store, {"journeys": 60, "traces": 400})
    assert terms.terms(ground.store)["journeys"] == 60 * DAY
    assert terms.terms(ground.store)["positions"] == 30 * DAY
    for kind, days in (("journeys", 44), ("positions", 0), ("audit", 100_000)):
        with pytest.raises(terms.OutOfBounds) as found:
            terms.set_terms(ground.store, {kind: days})
        assert found.value.term.kind == kind
    with pytest.raises(KeyError):
        terms.set_terms(ground.store, {"nothing": 1})
    assert terms.terms(ground.store)["journeys"] == 60 * DAY


def test_the_chore_says_what_it_did_and_names_nobody(ground: Ground) -> None:
    _filled(ground)
    now = ground.at(T0 + 900 * DAY)
    facts = len(ground.facts()) - 1
    report = retention(ground.store).work(now)
    assert report.startswith(f"positions=1 strangers=1 journeys=1 facts={facts} people=1")
    assert report.endswith("held=0")


def test_the_command_says_what_would_leave_with_its_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Still(T0)
    store = Store.open(tmp_path / "checkpoint.db", clock)
    publish(store)
    ground = Ground(store, clock)
    _filled(ground)
    ground.at(T0 + 30 * DAY)
    count = store.last_number()
    store.close()
    monkeypatch.setenv("CHECKPOINT_DATA", str(tmp_path))
    monkeypatch.setenv("CHECKPOINT_CLOCK", f"{(T0 + 900 * DAY).isoformat()}*1")
    monkeypatch.setattr("checkpoint.config.Clock.__call__", lambda self: self.start)
    for lang, wanted in (("zh_CN.UTF-8", "已结束的车次"), ("C.UTF-8", "Positions of trucks: 1 · kept for 30 days")):
        monkeypatch.setenv("LC_ALL", lang)
        assert cli.main(["retention", "--dry-run"]) == 0
        assert wanted in capsys.readouterr().out
    store = Store.open(tmp_path / "checkpoint.db", clock)
    assert len(store.facts_after(0, 1000)) == count
    store.close()
    assert cli.main(["retention"]) == 0
    assert "Let go" in capsys.readouterr().out
    store = Store.open(tmp_path / "checkpoint.db", clock)
    assert len(store.facts_after(0, 1000)) == 1
    store.close()


def test_a_store_that_fails_midway_has_let_go_a_whole_choice_or_nothing(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(ground)
    now = ground.at(T0 + 300 * DAY)
    numbers = choose(ground.store, now, TERM).numbers
    with monkeypatch.context() as full:
        full.setattr("checkpoint.store.removal._AT_ONCE", 3)
        full.setattr("checkpoint.store.removal.left_id", _failing_after(5))
        with pytest.raises(RuntimeError):
            sweep(ground.store, now)
    assert set(numbers) <= {r.number for r in ground.store.facts_after(0, 1000)}
    assert ground.store.verify().ok
    assert sweep(ground.store, now).counts["facts"] == len(numbers)


def _failing_after(count: int) -> Any:
    from checkpoint.store.ledger import left_id

    left = [count]

    def work(fact_id: str) -> str:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("the disk is full")
        return left_id(fact_id)

    return work
