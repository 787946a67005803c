"""The ledger: what is held is held once, whole, in its place; and it is durable when it is answered."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import peewee
import pytest

from checkpoint.core.facts import (
    Amended,
    CrewJoined,
    Entered,
    Fact,
    PassGranted,
    ResultReported,
    SwabTaken,
    Voided,
    What,
    encode,
)
from checkpoint.store import Concern, Entry, Recorded, StorageFailed, Store
from checkpoint.store.ledger import entry_of
from checkpoint.store.tables import Settings
from tests.ground import LOOP, T0, Still, publish
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.witness import PASS, PLATE, FakeKiosk, fact

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


def test_the_writer_waits_for_the_disk(store: Store) -> None:
    """A process that is killed cannot show it; only the power can: NORMAL would lose what was answered as held."""
    asked = {"sqlite": ("PRAGMA synchronous", "PRAGMA journal_mode"), "postgresql": ("SHOW synchronous_commit", "SHOW fsync")}
    wanted = {"sqlite": [[(2,)], [("wal",)]], "postgresql": [[("on",)], [("on",)]]}
    kind = store._db.kind
    assert store._writer.do(lambda: [store._db.rows(sql) for sql in asked[kind]]) == wanted[kind]


def test_a_fact_told_again_is_held_once(store: Store) -> None:
    first, again = store.record(fact("a", T0)), store.record(fact("a", T0))
    assert (first.state, again.state) == ("held", "repeated")
    assert first.number == again.number
    assert len(store.facts_after(0, 10)) == 1


def test_another_fact_under_the_same_id_is_set_aside_and_both_are_kept(store: Store) -> None:
    store.record(fact("a", T0))
    other = store.record(fact("a", T0 + MINUTE))
    assert (other.state, other.why) == ("aside", "id-taken")
    held = store.fact("a")
    assert held is not None
    assert held.fact.at == T0
    assert [a.raw for a in store.aside()] == [encode(fact("a", T0 + MINUTE))]
    assert store.record(fact("a", T0 + MINUTE)).state == "aside"
    assert len(store.aside()) == 1
    assert store.verify().ok


def test_the_bytes_are_kept_as_they_came(store: Store) -> None:
    kiosk = FakeKiosk()
    raw = ' { "at":"2026-05-03T10:00:00+08:00", "id":"a", "witness":"kiosk:k-1","station":"sampling-1",\n "what":' + (
        '{"kind":"Entered","pass_id":"p","vehicle":"浙C12345","later_field":1}}'
    )
    outcome = store.append([kiosk.entry(kiosk.link(raw))])[0]
    assert outcome.state == "held"
    recorded = store.fact("a")
    assert recorded is not None
    assert recorded.raw == raw.encode()
    assert recorded.fact.at == T0
    assert store.verify().ok


def test_what_could_not_be_read_is_kept_whole_and_leaves_no_hole_in_the_chain(store: Store) -> None:
    kiosk = FakeKiosk()
    good, bad, after = kiosk.tell("a", T0), kiosk.link('{"id":"b","nonsense":true}'), kiosk.tell("c", T0)
    broken = Entry(
        witness=kiosk.witness, raw=bad["fact"].encode(), fact=None, why="malformed", detail="at `$.at`",
        seq=bad["seq"], prev=bad["prev"], hash=bad["hash"],
    )  # fmt: skip
    outcomes = store.append([kiosk.entry(good), broken, kiosk.entry(after)])
    assert [o.state for o in outcomes] == ["held", "aside", "held"]
    assert store.append([broken])[0].state == "aside"
    assert [a.raw for a in store.aside()] == [bad["fact"].encode()]
    assert store.gaps() == []
    verification = store.verify()
    assert verification.ok
    assert verification.witnesses[kiosk.witness] == 3


def test_links_may_come_in_any_order_and_gaps_are_written_down_until_they_are_filled(store: Store) -> None:
    kiosk = FakeKiosk()
    links = [kiosk.tell(f"f{i}", T0 + i * MINUTE) for i in range(1, 10)]
    order = list(range(9))
    random.Random(7).shuffle(order)
    missing = set(range(1, 10))
    highest = 0
    for i in order:
        assert store.append([kiosk.entry(links[i])])[0].state == "held"
        missing.discard(i + 1)
        highest = max(highest, i + 1)
        waiting = {n for gap in store.gaps(kiosk.witness) for n in range(gap.first, gap.last + 1)}
        assert waiting == {n for n in missing if n < highest}
        assert store.verify().ok
    assert store.append([kiosk.entry(link) for link in links]) == [
        msgspec.structs.replace(o, state="repeated") for o in store.append([kiosk.entry(link) for link in links])
    ]
    assert len(store.facts_after(0, 100)) == 9


def test_a_link_whose_hash_does_not_fit_is_set_aside(store: Store) -> None:
    kiosk = FakeKiosk()
    link = kiosk.tell("a", T0)
    wrong = msgspec.structs.replace(kiosk.entry(link), raw=encode(fact("a", T0 + MINUTE, witness=kiosk.witness)))
    assert store.append([wrong])[0].why == "hash-wrong"
    assert store.append([kiosk.entry(link)])[0].state == "held"


def test_a_second_link_under_one_number_is_set_aside(store: Store) -> None:
    kiosk, twin = FakeKiosk(), FakeKiosk()
    assert store.append([kiosk.entry(kiosk.tell("a", T0))])[0].state == "held"
    assert store.append([twin.entry(twin.tell("b", T0))])[0].why == "seq-taken"


@pytest.mark.parametrize("backwards", [False, True])
def test_a_link_that_does_not_follow_what_is_held_is_set_aside(store: Store, backwards: bool) -> None:
    kiosk, other = FakeKiosk(), FakeKiosk()
    mine = [kiosk.tell("a", T0), kiosk.tell("b", T0)]
    theirs = [other.tell("x", T0), other.tell("y", T0)]
    pair = [theirs[1], mine[0]] if backwards else [mine[0], theirs[1]]
    assert [store.append([kiosk.entry(link)])[0].why for link in pair] == ["", "chain-broken"]


@pytest.mark.parametrize("seq", [0, -1, 2**62, 2**64])
def test_a_number_that_no_chain_has_is_set_aside(store: Store, seq: int) -> None:
    kiosk = FakeKiosk()
    entry = msgspec.structs.replace(kiosk.entry(kiosk.tell("a", T0)), seq=seq)
    good = store.append([entry, entry_of(fact("b", T0))])
    assert [o.state for o in good] == ["aside", "held"]


def test_a_number_far_ahead_is_a_mistake_and_no_gap(store: Store) -> None:
    kiosk = FakeKiosk()
    kiosk.seq = 5_000_000
    assert store.append([kiosk.entry(kiosk.tell("a", T0))])[0].why == "seq-too-far"


def test_a_witness_chains_itself_or_not_but_not_both(store: Store) -> None:
    kiosk = FakeKiosk()
    store.append([kiosk.entry(kiosk.tell("a", T0))])
    assert store.record(fact("b", T0, witness=kiosk.witness)).why == "chain-missing"
    store.record(fact("c", T0, witness="kiosk:k-2"))
    late = FakeKiosk("k-2")
    assert store.append([late.entry(late.tell("d", T0))])[0].why == "not-chaining"


def test_a_fact_that_its_kiosk_chained_twice_keeps_both_links(store: Store) -> None:
    kiosk = FakeKiosk()
    links = [kiosk.tell("a", T0), kiosk.tell("a", T0), kiosk.tell("b", T0)]
    outcomes = store.append([kiosk.entry(link) for link in links])
    assert [o.why for o in outcomes] == ["", "id-taken", ""]
    assert store.verify().ok
    assert store.gaps() == []


# -- whom facts concern ------------------------------------------------------------------------------------------------


def test_what_concerns_a_vehicle_is_followed_to_its_crew_their_tubes_and_corrections(store: Store) -> None:
    granted = PassGranted(
        pass_id=PASS, generation=1, vehicle=PLATE, crew=("p-1",), loop="l", carrier="c", not_before=T0, expires=T0 + MINUTE
    )
    told = [
        fact("result", T0, ResultReported(test="pcr", result="positive", laboratory="x", tube="T1"), station=""),
        fact("joined", T0, CrewJoined(pass_id=PASS, person="p-2")),
        fact("swab", T0, SwabTaken(specimen="s1", person="p-2", test="pcr", tube="T1", pooled=True)),
        fact("void", T0, Voided(target="swab", reason="wrong tube"), station=""),
        fact("unvoid", T0, Voided(target="void", reason="it was right"), station=""),
        fact("granted", T0, granted, station=""),
    ]
    for f in told:
        store.record(f)
    assert {f.id for f in store.about(PLATE)} == {f.id for f in told}


def test_a_pool_does_not_tie_other_trucks_to_this_one(store: Store) -> None:
    for plate, person in ((PLATE, "p-1"), ("沪A00001", "p-2")):
        store.record(fact(f"swab-{person}", T0, SwabTaken(specimen=person, person=person, test="pcr", tube="T1", vehicle=plate)))
        store.record(fact(f"came-{person}", T0, Entered(vehicle=plate, pass_id=f"pass-{person}")))
    about = {f.id for f in store.about(PLATE)}
    assert about == {"swab-p-1", "came-p-1", "swab-p-2"}  # the swab beside ours in the tube, and nothing of that truck


def test_an_amendment_brings_a_fact_from_another_truck_here(store: Store) -> None:
    store.record(fact("came", T0, Entered(vehicle="沪A00001", pass_id="x")))
    store.record(fact("amended", T0, Amended(target="came", reason="plate misread", what=Entered(vehicle=PLATE, pass_id=PASS))))
    assert {f.id for f in store.about(PLATE)} == {"came", "amended"}


def one_by_one(store: Store, concern: Concern) -> list[Recorded]:
    """What concerns a vehicle, asked for in the plainest way: every subject and every id by itself."""
    found: dict[int, Recorded] = {}
    subjects, targets = set(concern.subjects), set[str]()
    while subjects or targets:
        answers = sorted({r.number: r for name in subjects for r in store.recorded_of(name)}.items())
        came = [r for _, r in answers] + [r for target in sorted(targets) if (r := store.fact(target)) is not None]
        found |= {r.number: r for r in came}
        subjects, targets = concern.add(r.fact for r in came)
    return [found[number] for number in sorted(found)]


def a_tangle(chance: random.Random, plates: list[str]) -> list[Fact]:
    """Trucks that share people, tubes and passes, and facts that are amended to be another's, voided, and both again."""
    told: list[Fact] = []

    def what(n: int) -> What:
        plate, person, tube = chance.choice(plates), f"p-{chance.randrange(8)}", f"T{chance.randrange(4)}"
        kinds: list[What] = [
            PassGranted(
                pass_id=f"pass-{chance.randrange(6)}", generation=1, vehicle=plate, crew=(person,), loop="l", carrier="c",
                not_before=T0, expires=T0 + MINUTE,
            ),
            Entered(vehicle=plate, pass_id=f"pass-{chance.randrange(6)}"),
            CrewJoined(pass_id=f"pass-{chance.randrange(6)}", person=person),
            SwabTaken(specimen=f"s{n}", person=person, test="pcr", tube=tube, pooled=True),
            ResultReported(test="pcr", result="negative", laboratory="x", tube=tube),
        ]  # fmt: skip
        return chance.choice(kinds)

    for n in range(90):
        target, odds = chance.choice(told).id if told else "never-told", chance.random()
        happened = what(n)
        if odds < 0.15:
            happened = Amended(target=target, reason="misread", what=what(n))
        elif odds < 0.3:
            happened = Voided(target=target, reason="wrong")
        told.append(fact(f"f{n}", T0, happened, station=""))
    chance.shuffle(told)  # what is corrected may come after its correction
    return told


@pytest.mark.parametrize("seed", seeds(rounds(3, soak=60)))
def test_many_vehicles_asked_for_together_are_what_each_is_alone(store: Store, seed: int) -> None:
    chance, plates = random.Random(seed), [f"浙C{i:05}" for i in range(7)]
    store.append([entry_of(f) for f in a_tangle(chance, plates)])
    store.remove_facts(sorted(chance.sample(range(1, 91), 6)))
    together, alone = [Concern(plate) for plate in plates], [Concern(plate) for plate in plates]
    found = store.concerning_each(together)
    assert found == [one_by_one(store, concern) for concern in alone] == [store.concerning(Concern(plate)) for plate in plates]
    assert [vars(concern) for concern in together] == [vars(concern) for concern in alone]
    assert len({len(recorded) for recorded in found}) > 1
    assert store.concerning_each([]) == []


def test_forty_vehicles_are_asked_for_in_as_many_questions_as_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plates = [f"浙C{i:05}" for i in range(40)]
    for i, plate in enumerate(plates):
        store.record(fact(f"came-{i}", T0, Entered(vehicle=plate, pass_id=f"pass-{i}")))
        store.record(fact(f"joined-{i}", T0, CrewJoined(pass_id=f"pass-{i}", person=f"p-{i}")))
        store.record(
            fact(f"wrong-{i}", T0, Amended(target=f"came-{i}", reason="misread", what=Entered(vehicle=plate, pass_id="")))
        )
    asked: list[str] = []
    rows = store._db.rows

    def counted(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        asked.append(sql)
        return rows(sql, values)

    monkeypatch.setattr(store._db, "rows", counted)
    assert all(len(recorded) == 3 for recorded in store.concerning_each([Concern(plate) for plate in plates]))
    many = len(asked)
    store.concerning(Concern(plates[0]))
    assert many == len(asked) - many > 0


def test_facts_are_found_by_kind_by_subject_and_by_number(store: Store, clock: Still) -> None:
    store.record(fact("a", T0))
    clock.forward(minutes=5)
    store.record(fact("b", T0, CrewJoined(pass_id=PASS, person="p-9")))
    assert [r.fact.id for r in store.facts_of_kind("CrewJoined")] == ["b"]
    assert [f.id for f in store.facts_of("person:p-9", f"vehicle:{PLATE}")] == ["a", "b"]
    assert [(r.number, r.recorded_at) for r in store.facts_after(1, 5)] == [(2, T0 + 5 * MINUTE)]
    assert store.vehicles(T0) == [PLATE]
    assert store.vehicles(T0 + MINUTE) == []


def test_a_published_loop_is_parsed_and_a_voided_one_is_not(store: Store) -> None:
    publish(store)
    publish(store, version=2)
    assert [v.version for v in store.loops().all()[LOOP]] == [1, 2]
    store.record(fact("void", T0, Voided(target=f"loop-{LOOP}-2", reason="wrong line"), station=""))
    assert [v.version for v in store.loops().all()[LOOP]] == [1]


# -- durable ----------------------------------------------------------------------------------------------------------

_WRITES = """
import sys, itertools
from datetime import UTC, datetime
from pathlib import Path
from checkpoint.store import Store
from tests.witness import FakeKiosk
store = Store.open(sys.argv[1], lambda: datetime.now(UTC), key_folder=Path(sys.argv[3]))
kiosk = FakeKiosk(sys.argv[2])
for n in itertools.count():
    link = kiosk.tell(f"{sys.argv[2]}-{n}", datetime(2026, 5, 1, tzinfo=UTC))
    assert store.append([kiosk.entry(link)])[0].state == "held"
    sys.stdout.write(f"{sys.argv[2]}-{n}\\n")
    sys.stdout.flush()
"""


def test_what_was_answered_as_held_outlives_a_killed_process(place: Place, clock: Still) -> None:
    answered: list[str] = []
    rng = random.Random(seeds(1)[0])
    for run in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITES, str(place.where), f"k-{run}", str(place.folder)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as writing:  # fmt: skip
            assert writing.stdout is not None
            answered.append(writing.stdout.readline().strip())
            time.sleep(rng.uniform(0.05, 0.3))
            writing.send_signal(signal.SIGKILL)
            answered += [line.strip() for line in writing.stdout if line.endswith("\n")]
    store = place.open(clock)
    held = [r.fact.id for r in store.facts_after(0, 1_000_000)]
    assert len(held) == len(set(held))
    assert set(answered) <= set(held)
    assert len(answered) > 20
    verification = store.verify()
    assert verification.ok, verification.first
    assert set(verification.witnesses) == {f"kiosk:k-{run}" for run in range(4)}
    store.close()


def test_four_hundred_at_once_are_all_held_and_none_finds_the_database_locked(store: Store) -> None:
    ready = threading.Barrier(40)

    def tell(n: int) -> str:
        if n < 40:
            ready.wait()
        outcome = store.record(fact(f"f{n}", T0, witness=f"desk:{n % 7}"))
        assert store.fact(f"f{n}") is not None  # and read at once, on a connection of the thread's own
        return outcome.state

    with ThreadPoolExecutor(40) as threads:
        assert list(threads.map(tell, range(400))) == ["held"] * 400
    assert store.verify().ok
    assert store.last_number() == 400


def test_one_piece_of_work_that_fails_leaves_its_neighbours_in_the_same_commit(store: Store) -> None:
    hold = threading.Event()

    def waits() -> None:
        assert hold.wait(5)

    def fails() -> None:
        store._db.execute_sql("INSERT INTO settings VALUES ('half', 'done')")
        raise LookupError("no")

    first = store._writer.submit(waits)
    failing = store._writer.submit(fails)
    beside = store.append_soon([entry_of(fact("beside", T0))])
    hold.set()
    first.result(5)
    with pytest.raises(LookupError):
        failing.result(5)
    assert beside.result(5)[0].state == "held"
    assert store.registry.setting("half") == ""


def test_what_was_left_for_later_fails_with_the_work_that_left_it(store: Store) -> None:
    hold = threading.Event()

    def leaves() -> None:
        for _ in range(2):
            store._db.later("INSERT INTO settings (name, value) VALUES (?, ?)", ("twice", "there"))

    first = store._writer.submit(lambda: hold.wait(5))
    before = store.append_soon([entry_of(fact("before", T0))])
    failing = store._writer.submit(leaves)
    after = store.append_soon([entry_of(fact("after", T0))])
    hold.set()
    assert first.result(5)
    with pytest.raises(peewee.IntegrityError):
        failing.result(5)
    assert [told.result(5)[0].state for told in (before, after)] == ["held", "held"]
    assert [r.fact.id for r in store.facts_after(0, 10)] == ["before", "after"]
    assert store.registry.setting("twice") == ""


def test_an_entry_that_we_fail_on_is_kept_and_named_and_the_others_stand(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = store._ledger._insert

    def failing(entry: Entry, *rest: Any) -> int | None:
        if entry.fact is not None and entry.fact.id == "bad":
            raise ZeroDivisionError
        return insert(entry, *rest)

    monkeypatch.setattr(store._ledger, "_insert", failing)
    outcomes = store.append([entry_of(fact(name, T0)) for name in ("a", "bad", "c")])
    assert [(o.state, o.why) for o in outcomes] == [("held", ""), ("aside", "not-taken"), ("held", "")]
    assert store.verify().ok


def test_when_the_commit_fails_nobody_is_told_that_anything_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StorageFailed("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store._db, "commit_writing", full)
        with pytest.raises(StorageFailed, match="disk is full"):
            store.record(fact("a", T0))
    assert store.fact("a") is None
    assert store.record(fact("a", T0)).state == "held"


def test_a_store_that_is_closed_takes_nothing_in(place: Place, clock: Still) -> None:
    store = place.open(clock)
    store.close()
    store.close()
    with pytest.raises(StorageFailed, match="closed"):
        store.record(fact("a", T0))


def test_only_the_writer_writes(store: Store) -> None:
    with pytest.raises(StorageFailed, match=r"read-?only"):
        store._db.run("DELETE FROM facts")
    with pytest.raises(StorageFailed, match=r"read-?only"):
        Settings.delete().execute(store._db)


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path, clock: Still) -> None:
    (tmp_path / "checkpoint.db").write_bytes(b"this is no database, but something else" * 100)
    with pytest.raises(StorageFailed):
        Store.open(tmp_path / "checkpoint.db", clock)
