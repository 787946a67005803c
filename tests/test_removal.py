"""What leaves when its term is over: bytes and subjects go, the chain still verifies, and nothing comes back."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from checkpoint.core.facts import SwabTaken
from checkpoint.store import Entry, Signed, Store
from tests.ground import T0, Still
from tests.places import Place
from tests.seeds import seeds
from tests.witness import FakeKiosk, fact

WORD = "SPECIMEN-OF-SOMEBODY"


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


def _kiosk(store: Store) -> FakeKiosk:
    made = store.registry.add_kiosk("sampling-1", "token", T0 + timedelta(minutes=1))
    kiosk = FakeKiosk(made.id)
    store.registry.enrol_kiosk("token", kiosk.public_key, "key")
    return kiosk


def _told(store: Store, kiosk: FakeKiosk, count: int = 6) -> list[Entry]:
    """A chain of swabs with a signed head, and a bad link among them."""
    entries = []
    for i in range(count):
        swab = SwabTaken(specimen=f"{WORD}-{i}", person="p-1", test="pcr", tube=f"tube-{i}")
        entries.append(kiosk.entry(kiosk.tell(f"swab-{i}", T0, swab)))
    bad = kiosk.link(f'{{"no fact": "{WORD}"}}')
    linked = {"seq": bad["seq"], "prev": bad["prev"], "hash": bad["hash"]}
    entries.append(Entry(witness=kiosk.witness, raw=bad["fact"].encode(), fact=None, why="malformed", fact_id="bad", **linked))
    head = kiosk.head()
    store.append(entries, Signed(head["seq"], head["hash"], bytes.fromhex(head["signature"])))
    return entries


def _numbers(store: Store) -> list[int]:
    return [r.number for r in store.facts_after(0, 100)]


def test_what_left_is_nowhere_and_the_chain_still_verifies(store: Store, clock: Still, tmp_path: Path) -> None:
    _told(store, _kiosk(store))
    store.record(fact("desk-1", T0, SwabTaken(specimen=f"{WORD}-d", person="p-1", test="pcr"), station=""))
    store.set_aside("device:d", WORD.encode(), "malformed")
    kept = _numbers(store)[3]
    assert store.remove_facts([n for n in _numbers(store) if n != kept]) == 6
    clock.forward(days=1)
    assert store.remove_aside(clock()) == 2
    assert _numbers(store) == [kept]
    assert store.facts_of("person:p-1") == [r.fact for r in store.facts_after(0, 9)]
    assert store.fact("swab-0") is None
    assert store.facts_of_kind("SwabTaken")[0].number == kept
    assert store.aside() == []
    verification = store.verify()
    assert verification.ok, verification.problems
    assert (verification.left_count, verification.facts_count) == (7, 7)
    if store._db.kind == "postgresql":
        return  # it keeps dead rows until its own vacuum
    store.close()
    bytes_ = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoint.db*"))
    assert f"{WORD}-3".encode() in bytes_
    assert not [i for i in (0, 1, 2, 4, 5, "d") if f"{WORD}-{i}".encode() in bytes_], "SQLite overwrites what is deleted"
    assert b"swab-0" not in bytes_


def test_what_left_is_answered_as_held_and_does_not_come_back(store: Store) -> None:
    entries = _told(store, _kiosk(store))
    desk = fact("desk-1", T0, SwabTaken(specimen="d", person="p-1", test="pcr"), station="")
    store.record(desk)
    store.remove_facts(_numbers(store))
    store.remove_aside(T0 + timedelta(days=1))
    again = store.append(entries)
    assert [(o.id, o.state) for o in again[:-1]] == [(f"swab-{i}", "repeated") for i in range(6)]
    assert (again[-1].id, again[-1].state) == ("bad", "aside")
    assert store.record(desk).state == "repeated"
    assert _numbers(store) == []
    assert store.aside() == []
    assert store.verify().ok


def test_another_fact_under_the_id_of_one_that_left_is_set_aside(store: Store) -> None:
    kiosk = _kiosk(store)
    _told(store, kiosk)
    store.record(fact("desk-1", T0, station=""))
    store.remove_facts(_numbers(store))
    other = SwabTaken(specimen="another", person="p-2", test="pcr")
    assert store.record(fact("desk-1", T0, other, station="")).why == "id-taken"
    assert store.append([kiosk.entry(kiosk.tell("swab-0", T0, other))])[0].why == "id-taken"
    assert store.verify().ok


def test_a_chain_goes_on_after_its_end_left(store: Store) -> None:
    kiosk = _kiosk(store)
    _told(store, kiosk)
    store.remove_facts(_numbers(store))
    assert store.append([kiosk.entry(kiosk.tell("later", T0))])[0].state == "held"
    assert store.record(fact("desk-1", T0, station="")).state == "held"
    verification = store.verify()
    assert verification.ok, verification.problems


def test_leaving_twice_is_leaving_once(store: Store) -> None:
    _told(store, _kiosk(store))
    numbers = _numbers(store)
    assert store.remove_facts(numbers) == 6
    assert store.remove_facts([*numbers, 10_000]) == 0
    assert store.verify().ok


# What somebody without the key file may do to a record of which a part has left.
CHANGES = {
    "a fact emptied from outside": "UPDATE facts SET raw = x'', kind = '', at = 0, removed_at = 1 WHERE id = 'swab-5'",
    "a fact marked as left": "UPDATE facts SET removed_at = 1 WHERE id = 'swab-5'",
    "a link that left moved in time": "UPDATE facts SET recorded_at = recorded_at + 1 WHERE removed_at IS NOT NULL",
    "a link that left under another id": "UPDATE facts SET id = id || 'x' WHERE removed_at IS NOT NULL",
    "a link that left with other bytes": "UPDATE facts SET raw = x'7b7d' WHERE number = 1",
    "a link that left said to be there": "UPDATE facts SET removed_at = NULL WHERE number = 1",
    "a link that left of another kind": "UPDATE facts SET kind = 'SwabTaken' WHERE number = 1",
    "a link that left gone whole": "DELETE FROM facts WHERE number = 2",
    "a link that left with another hash": "UPDATE facts SET hash = zeroblob(32) WHERE number = 1",
    "a subject of a link that left": "INSERT INTO subjects VALUES ('person:p-1', 1)",
    "a link set aside emptied from outside": "UPDATE aside SET raw = x'', removed_at = 1 WHERE linked = 1",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_done_to_it_from_outside_is_found(tmp_path: Path, clock: Still, change: str) -> None:
    store = Store.open(tmp_path / "checkpoint.db", clock)
    _told(store, _kiosk(store))
    store.remove_facts(_numbers(store)[:3])
    assert store.verify().ok
    store.close()
    db = apsw.Connection(str(tmp_path / "checkpoint.db"))
    db.execute(CHANGES[change])
    assert db.changes() >= 1
    db.close()
    again = Store.open(tmp_path / "checkpoint.db", Still())
    verification = again.verify()
    again.close()
    assert not verification.ok


def test_any_bit_of_a_link_that_left_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    first = Store.open(folder / "checkpoint.db", Still())
    _told(first, _kiosk(first))
    first.remove_facts(_numbers(first)[:4])
    first.close()
    for seed in seeds(12):
        chance = random.Random(seed)
        copy = tmp_path / str(seed)
        shutil.copytree(folder, copy)
        db = apsw.Connection(str(copy / "checkpoint.db"))
        column = chance.choice(("hash", "prev", "seal", "removed_at", "seq", "witness"))
        number = chance.randrange(1, 5)
        (value,) = next(iter(db.execute(f"SELECT {column} FROM facts WHERE number = ?", (number,))))
        if isinstance(value, bytes):
            place = chance.randrange(len(value))
            value = value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
        else:
            value = value + "x" if isinstance(value, str) else value + 1_000
        db.execute(f"UPDATE facts SET {column} = ? WHERE number = ?", (value, number))
        db.close()
        store = Store.open(copy / "checkpoint.db", Still())
        assert not store.verify().ok, (seed, column, number)
        store.close()
