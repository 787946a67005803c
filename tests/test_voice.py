"""What is told together: all of a breath or nothing of it, nothing lost, nothing twice, and nobody waits for a slow neighbour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from random import Random

import pytest

from checkpoint import voice as speaking
from checkpoint import watch as watching
from checkpoint.core import rules
from checkpoint.core.facts import Fact, HelpCalled, WarningRaised
from checkpoint.core.journey import View
from checkpoint.core.track import Fix
from checkpoint.core.verdict import Judgement
from checkpoint.store import SERVER, Concern, Outcome, Recorded, StorageBusy, StorageFailed
from checkpoint.voice import BREATH_S, MOST_FACTS, Voice
from tests.ground import T0
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.test_watch import SECOND, Yard
from tests.witness import fact

TRUCKS = [f"浙C{n:05d}" for n in range(1, 6)]
Tell = Callable[[Sequence[Fact], int], list[Outcome]]


class Calls(Yard):
    """A yard whose trucks call for help, and what was told of it."""

    def call(self, *trucks: str) -> None:
        for truck in trucks:
            self.tell(HelpCalled(person=f"p-{truck}", vehicle=truck, words="flat tyre"))

    def raised(self) -> list[str]:
        """The trucks of which it was told, in order; each as often as it was."""
        return [w.vehicle for w in self.facts(WarningRaised) if w.finding == "help-called"]

    def commits(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many facts are told in each commit from now on."""
        tell, told = self.store.tell, list[int]()

        def counted(facts: Sequence[Fact], known: int) -> list[Outcome]:
            told.append(len(facts))
            return tell(facts, known)

        monkeypatch.setattr(self.store, "tell", counted)
        return told


@pytest.fixture
def yard(place: Place) -> Iterator[Calls]:
    yard = Calls(place)
    for truck in TRUCKS:
        yard.granted(truck, f"p-{truck}")
    yard.watch.settle()
    yield yard
    assert Counter(yard.raised()).most_common(1)[0][1] == 1, "nothing is told twice"
    assert yard.store.verify().ok
    yard.watch.stop()
    yard.store.close()


def test_what_is_found_of_many_at_once_is_told_in_one_commit(yard: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = yard.commits(monkeypatch)
    yard.call(*TRUCKS)
    yard.watch.settle()
    assert commits == [len(TRUCKS)]
    assert yard.raised() == TRUCKS
    yard.restart()
    yard.watch.settle()
    assert yard.raised() == TRUCKS


def test_a_breath_is_not_longer_than_a_moment_nor_larger_than_what_a_scan_may_wait_for(yard: Calls) -> None:
    help_ = fact("help", T0, HelpCalled(person="p", vehicle=TRUCKS[0], words="!"))
    voice = Voice(yard.store)
    assert not voice.due(1_000.0)
    voice.take(TRUCKS[0], [help_], 0, 50.0)
    voice.take(TRUCKS[1], [help_], 0, 50.0 + BREATH_S / 2)
    assert not voice.due(50.0 + 0.9 * BREATH_S)
    assert voice.due(50.0 + BREATH_S)
    voice.take(TRUCKS[2], [help_] * (MOST_FACTS - 2), 0, 50.0)
    assert voice.due(50.0)
    assert voice.waiting == set(TRUCKS[:3])
    yard.call(TRUCKS[0])
    yard.watch.settle()


def test_the_watch_draws_breath_when_enough_waits(yard: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "MOST_FACTS", 2)
    commits = yard.commits(monkeypatch)
    yard.call(*TRUCKS)
    yard.watch.settle()
    assert commits == [2, 2, 1]
    assert yard.raised() == TRUCKS


@pytest.mark.parametrize("durable", [True, False], ids=["after the commit", "before it"])
def test_a_crash_while_a_breath_is_told_loses_and_doubles_nothing(
    yard: Calls, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    monkeypatch.setattr(speaking, "MOST_FACTS", 2)
    tell, turn = yard.store.tell, iter(range(10))

    def killed(facts: Sequence[Fact], known: int) -> list[Outcome]:
        second = next(turn) == 1
        if second and not durable:
            raise KeyboardInterrupt
        outcomes = tell(facts, known)
        if second:
            raise KeyboardInterrupt
        return outcomes

    yard.call(*TRUCKS)
    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            yard.watch.settle()
    assert yard.raised() == TRUCKS[: 4 if durable else 2]
    yard.restart()
    yard.watch.settle()
    assert yard.raised() == TRUCKS


@pytest.mark.parametrize("durable", [True, False], ids=["nobody knows", "not held"])
def test_a_store_that_fails_in_the_middle_leaves_nobody_untold_and_nobody_unjudged(
    yard: Calls, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    monkeypatch.setattr(speaking, "MOST_FACTS", 2)
    tell, commits = yard.store.tell, 0

    def bad(facts: Sequence[Fact], known: int) -> list[Outcome]:
        nonlocal commits
        commits += 1
        if commits == 1:
            return tell(facts, known)
        if durable:  # the answer was lost on its way, and the commit was made
            tell(facts, known)
        raise StorageBusy("the connection to the database was lost")

    yard.call(*TRUCKS)
    judged = _judged(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "tell", bad)
        with pytest.raises(StorageFailed, match="was lost"):
            yard.watch.settle()
        assert commits == 2, "what is known to fail is not tried again in this round"
        assert judged == TRUCKS
        assert yard.watch.pulse().waiting == 3
        assert not yard.watch.troubles, "it is no vehicle's fault"
        assert yard.raised() == TRUCKS[: 4 if durable else 2]
    yard.watch.settle()
    assert yard.raised() == TRUCKS
    assert not yard.watch.pulse().waiting


def test_what_was_found_before_the_database_went_away_in_the_middle_of_a_round_is_told_in_the_next(
    yard: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MET_AT_ONCE", 2)
    yard.call(*TRUCKS)
    yard.restart()
    concerning, asked = yard.store.concerning_each, 0

    def gone(concerns: Sequence[Concern]) -> list[list[Recorded]]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise StorageFailed("the database is away")
        return concerning(concerns)

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "concerning_each", gone)
        with pytest.raises(StorageFailed):
            yard.watch.settle()
    assert yard.watch.pulse().waiting == len(TRUCKS)
    yard.watch.settle()
    assert yard.raised() == TRUCKS


def test_what_another_told_and_what_has_left_the_record_since_silences_nobody(yard: Calls) -> None:
    other = yard.new_watch()
    other.settle()
    yard.call(TRUCKS[0])
    other.settle()
    yard.store.remove_facts([r.number for r in yard.store.facts_of_kind("WarningRaised", "HelpCalled")])
    yard.call(TRUCKS[1])
    yard.watch.settle()
    assert yard.raised() == [TRUCKS[1]]


def test_of_two_processes_the_one_that_was_stopped_between_judging_and_telling_tells_nothing_of_its_breath(yard: Calls) -> None:
    stopped = yard.new_watch()
    stopped.settle()
    yard.call(*TRUCKS[:3])
    stopped._learn()
    voice = Voice(yard.store)
    for truck in TRUCKS[:3]:
        stopped._look_at(truck, True, yard.clock(), voice)
    # Here it is stopped. The other tells of one of them, and has not read of the rest: of them nothing is told either.
    yard.watch._learn()
    other = Voice(yard.store)
    yard.watch._look_at(TRUCKS[1], True, yard.clock(), other)
    assert yard.watch._speak(other, yard.clock())
    assert stopped._speak(voice, yard.clock()), "there is something to learn"
    assert yard.raised() == [TRUCKS[1]]
    assert stopped._dirty >= set(TRUCKS[:3])
    stopped.settle()
    assert sorted(yard.raised()) == TRUCKS[:3]
    yard.watch.settle()


def test_what_another_told_while_a_breath_was_drawn_is_not_told_past_even_if_it_was_read_meanwhile(yard: Calls) -> None:
    """A page that asks for a truck has the watch read on, in the middle of a round."""
    other = yard.new_watch()
    other.settle()
    yard.call(TRUCKS[0])
    yard.watch._learn()
    voice = Voice(yard.store)
    yard.watch._look_at(TRUCKS[0], True, yard.clock(), voice)
    yard.clock.at += SECOND
    other.settle()
    yard.call(TRUCKS[1])
    yard.watch._learn()
    yard.watch._look_at(TRUCKS[1], True, yard.clock(), voice)
    assert voice.waiting == set(TRUCKS[:2])
    spoken = voice.speak()
    assert (spoken.outrun, spoken.again) == (True, set(TRUCKS[:2]))
    yard.watch.settle()
    assert yard.raised() == TRUCKS[:2]
    assert not yard.store.aside()


@pytest.mark.parametrize("how", ["raises", "is refused"])
def test_a_vehicle_of_which_the_record_will_not_take_what_is_told_does_not_silence_the_others(
    yard: Calls, monkeypatch: pytest.MonkeyPatch, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    tell, culprit = yard.store.tell, TRUCKS[2]

    def bad(facts: Sequence[Fact], known: int) -> list[Outcome]:
        wrong = [f.id for f in facts if getattr(f.what, "vehicle", "") == culprit]
        if wrong and how == "raises":
            raise ValueError("a value that no column holds")
        taken = {o.id: o for o in tell([f for f in facts if f.id not in wrong], known)}
        return [taken.get(f.id) or Outcome(id=f.id, state="aside", why="id-taken") for f in facts]

    yard.call(*TRUCKS)
    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "tell", bad)
        with pytest.raises(ValueError if how == "raises" else RuntimeError):
            yard.watch.settle()
    assert list(yard.watch.troubles) == [culprit]
    assert yard.raised() == [t for t in TRUCKS if t != culprit]
    assert culprit not in caplog.text
    yard.clock.forward(minutes=1)
    yard.watch.settle()
    assert sorted(yard.raised()) == TRUCKS
    assert not yard.watch.troubles


def test_what_is_found_of_a_vehicle_at_hand_does_not_wait_for_a_track_that_is_read_from_the_store(
    yard: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, unread = TRUCKS[3], TRUCKS[0]
    yard.drive(60, vehicle=ready)
    yard.store.add_positions([(unread, Fix(device="d", fixed_at=yard.clock(), lat=28.0, lon=120.6, accuracy_m=8.0))])
    yard.watch._watched[unread].track = None
    happened: list[str] = []
    tell, positions = yard.store.tell, yard.store.positions

    def telling(facts: Sequence[Fact], known: int) -> list[Outcome]:
        happened.append("told")
        return tell(facts, known)

    def reading(vehicle: str, since: datetime | None = None, until: datetime | None = None) -> list[Fix]:
        happened.append(f"read {vehicle}")
        return positions(vehicle, since, until)

    monkeypatch.setattr(yard.store, "tell", telling)
    monkeypatch.setattr(yard.store, "positions", reading)
    yard.call(ready, unread)
    yard.watch.settle()
    assert happened[:3] == ["told", f"read {unread}", "told"]


def test_a_stop_tells_what_was_found_and_leaves_the_rest_to_the_next_start(yard: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    real = rules.judge

    def judge(view: View, now: datetime) -> Judgement:
        if view.vehicle == TRUCKS[1]:
            yard.watch._stopping.set()
        return real(view, now)

    yard.call(*TRUCKS)
    with monkeypatch.context() as patch:
        patch.setattr(rules, "judge", judge)
        yard.watch.settle()
    assert yard.raised() == TRUCKS[:2]
    yard.restart()
    yard.watch.settle()
    assert yard.raised() == TRUCKS


@pytest.mark.parametrize("seed", seeds(2))
def test_whatever_fails_and_whoever_tells_everybody_is_told_of_once(
    yard: Calls, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    monkeypatch.setattr(speaking, "MOST_FACTS", random.randint(1, 4))
    watches, tell = [yard.watch, yard.new_watch()], yard.store.tell
    called: list[str] = []

    def bad(facts: Sequence[Fact], known: int) -> list[Outcome]:
        fate = random.random()
        if fate < 0.2:
            raise StorageBusy("not held")
        outcomes = tell(facts, known)
        if fate < 0.4:
            raise StorageBusy("nobody knows")
        return outcomes

    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "tell", bad)
        for _ in range(rounds(6, soak=12)):
            quiet = [t for t in TRUCKS if t not in called]
            some = random.sample(quiet, min(len(quiet), random.randint(0, 2)))
            yard.call(*some)
            called += some
            watch = random.choice(watches)
            with suppress(StorageFailed):
                watch.settle()
            yard.clock.at += SECOND
    yard.call(*[t for t in TRUCKS if t not in called])
    for watch in watches:
        watch.settle()
    assert sorted(yard.raised()) == TRUCKS
    assert len([r for r in yard.store.facts_after(0, 1_000) if r.fact.witness == SERVER]) == len(TRUCKS)


def _judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whoever is judged from now on."""
    real, judged = rules.judge, list[str]()

    def judge(view: View, now: datetime) -> Judgement:
        judged.append(view.vehicle)
        return real(view, now)

    monkeypatch.setattr(rules, "judge", judge)
    return judged
