"""Walking the record again finds any one change to it, and names the first place that is not what it was.

A thousand changes are made, each alone, in a transaction that is then taken back: flipped, deleted, inserted, reordered, cut
off; in every column of every table that the record consists of.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import apsw
import peewee
import pytest

from checkpoint.core.facts import ResultReported, SwabTaken, encode
from checkpoint.store import Entry, Signed, Store, Verification
from checkpoint.store.database import Database
from checkpoint.store.verify import walked
from tests.ground import T0, Still
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.witness import FakeKiosk, fact

MINUTE = timedelta(minutes=1)
# Where the first problem may be said to be: (witness, link); nowhere in particular when empty.
Places = set[tuple[str, int]]
Change = Callable[[Random, Database], Places]


def laid(store: Store, clock: Still) -> None:
    """A record of several witnesses: two kiosks with a signed head and a bad link, one of which two links have not come; a
    laboratory, a desk, the server; things set aside; a fact and a bad link that left when their term was over."""
    for name in ("a", "b"):
        made = store.registry.add_kiosk("sampling-1", f"token-{name}", T0 + MINUTE)
        kiosk = FakeKiosk(made.id)
        store.registry.enrol_kiosk(f"token-{name}", kiosk.public_key, f"key-{name}")
        for i in range(8):
            link = kiosk.tell(f"{name}-{i}", T0 + i * MINUTE, SwabTaken(specimen=f"{name}{i}", person=f"p-{i}", test="pcr"))
            if name == "a" and i in (4, 5):
                continue  # these have not come
            store.append([kiosk.entry(link)], signed=_signed(kiosk))
            if i == 2:
                bad = kiosk.link('{"no":"fact"}')
                store.append([
                    Entry(witness=kiosk.witness, raw=bad["fact"].encode(), fact=None, why="malformed",
                          seq=bad["seq"], prev=bad["prev"], hash=bad["hash"]),
                ])  # fmt: skip
        clock.forward(minutes=1)
        store.set_aside(f"device:{name}", b"nonsense of a device", "no-such-place", f"{name}")
    for i in range(6):
        store.record(fact(f"desk-{i}", T0, station=""))
        store.record(fact(f"server-{i}", T0, witness="server", station=""))
        result = fact(f"lab-{i}", T0, ResultReported(test="pcr", result="negative", laboratory="l", tube="T1"), witness="lab:l")
        store.append([Entry(witness="lab:l", raw=encode(result), fact=result, received=b"as it came")])
    store.remove_aside(T0 + MINUTE / 2)
    leaving = store.fact("desk-2")
    assert leaving is not None
    store.remove_facts([leaving.number])
    assert store.verify().ok, store.verify().problems


def _signed(kiosk: FakeKiosk) -> Signed:
    head = kiosk.head()
    return Signed(head["seq"], head["hash"], bytes.fromhex(head["signature"]))


# -- changes --------------------------------------------------------------------------------------------------------------


def _some(chance: Random, db: Database, sql: str) -> Any:
    return chance.choice(sorted(db.rows(sql), key=repr))


def _another(chance: Random, value: object) -> object:
    """A value of the same kind that is not this one: one bit, letter or step off."""
    if isinstance(value, bytes) and value:
        place = chance.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
    if isinstance(value, bytes):
        return b"\x01"
    if isinstance(value, str):
        return value + "x"
    return value + chance.choice((-1, 1)) if isinstance(value, int) else None


def _flip_fact(chance: Random, db: Database) -> Places:
    """One column of one fact."""
    columns = (
        "raw",
        "hash",
        "prev",
        "seal",
        "id",
        "witness",
        "kind",
        "at",
        "recorded_at",
        "seq",
        "number",
        "received",
        "removed_at",
    )
    column = chance.choice(columns)
    number, witness, seq, value = _some(chance, db, f"SELECT number, witness, seq, {column} FROM facts")
    other = _another(chance, value)
    if value is None:
        other = 1 if column == "removed_at" else b"received"
    if column == "number":
        other = 1_000_000 + number
    if column == "seq":
        other = seq + 1_000_000
    db.run(f"UPDATE facts SET {column} = ? WHERE number = ?", (other, number))
    return {(witness, seq), (f"{witness}x", 1)} if column == "witness" else {(witness, seq)}


def _delete_fact(chance: Random, db: Database) -> Places:
    """One fact, with or without its place in the index."""
    number, witness, seq = _some(chance, db, "SELECT number, witness, seq FROM facts")
    db.run("DELETE FROM facts WHERE number = ?", (number,))
    if chance.random() < 0.5:
        db.run("DELETE FROM subjects WHERE number = ?", (number,))
    return {(witness, seq)}


_FACT = "number, id, witness, seq, prev, hash, kind, at, recorded_at, raw, received, seal"


def _insert_fact(chance: Random, db: Database) -> Places:
    """A fact of somebody's own making: at the end of a chain, in a hole, or of a witness never heard of."""
    row = list(_some(chance, db, f"SELECT {_FACT} FROM facts"))
    (last,) = _some(chance, db, f"SELECT max(seq) FROM facts WHERE witness = '{row[2]}'")
    row[0], row[1] = 1_000_000, "made-up"
    if chance.random() < 0.3:
        row[2], last = "desk:nobody", 0
    row[3] = last + chance.choice((1, 2, 20))
    db.run(f"INSERT INTO facts ({_FACT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return {(row[2], last + 1)}


def _reorder_facts(chance: Random, db: Database) -> Places:
    """Two facts of a chain change places: in the order of learning, or in their chain."""
    column = chance.choice(("number", "seq"))
    (witness,) = _some(chance, db, "SELECT DISTINCT witness FROM facts")
    rows = sorted(db.rows("SELECT seq, number FROM facts WHERE witness = ?", (witness,)))
    low, high = sorted(chance.sample(rows, 2))
    one, other = (low[1], high[1]) if column == "number" else (low[0], high[0])
    where = "witness = ? AND"
    db.run(f"UPDATE facts SET {column} = -1 WHERE {where} {column} = ?", (witness, one))
    db.run(f"UPDATE facts SET {column} = ? WHERE {where} {column} = ?", (one, witness, other))
    db.run(f"UPDATE facts SET {column} = ? WHERE {where} {column} = -1", (other, witness))
    return {(witness, low[0])}


def _truncate(chance: Random, db: Database) -> Places:
    """The end of a chain."""
    (witness,) = _some(chance, db, "SELECT DISTINCT witness FROM facts")
    links = sorted(seq for (seq,) in db.rows("SELECT seq FROM facts WHERE witness = ?", (witness,)))
    first = chance.choice(links)
    db.run("DELETE FROM facts WHERE witness = ? AND seq >= ?", (witness, first))
    db.run("DELETE FROM aside WHERE linked = 1 AND witness = ? AND seq >= ?", (witness, first))
    if chance.random() < 0.5:
        db.run("DELETE FROM subjects WHERE number NOT IN (SELECT number FROM facts)")
    if chance.random() < 0.5:
        db.run("DELETE FROM gaps WHERE witness = ? AND first_seq >= ?", (witness, first))
    return {(witness, first)}


def _cut_all(chance: Random, db: Database) -> Places:
    """The end of the whole record: what was learnt last."""
    last = max(number for (number,) in db.rows("SELECT number FROM facts"))
    db.run("DELETE FROM facts WHERE number > ?", (last - chance.randint(1, 12),))
    db.run("DELETE FROM subjects WHERE number NOT IN (SELECT number FROM facts)")
    return set()


def _subjects(chance: Random, db: Database) -> Places:
    """A row of the index: gone, another, or one more."""
    subject, number, witness, seq = _some(
        chance, db, "SELECT s.subject, s.number, f.witness, f.seq FROM subjects s JOIN facts f ON f.number = s.number"
    )
    match chance.randrange(4):
        case 0:
            db.run("DELETE FROM subjects WHERE subject = ? AND number = ?", (subject, number))
        case 1:
            db.run("UPDATE subjects SET subject = ? WHERE subject = ? AND number = ?", (subject + "x", subject, number))
        case 2:
            db.run("UPDATE subjects SET number = ? WHERE subject = ? AND number = ?", (number + 1_000_000, subject, number))
        case _:
            db.run("INSERT INTO subjects (subject, number) VALUES ('person:other', ?)", (number,))
    return {(witness, seq)}


def _flip_head(chance: Random, db: Database) -> Places:
    """One column of the end of a chain."""
    columns = ("witness", "seq", "hash", "links", "chains_itself", "seal", "signed_seq", "signed_hash", "signature")
    column = chance.choice(columns)
    witness, seq, value = _some(chance, db, f"SELECT witness, seq, {column} FROM heads WHERE {column} IS NOT NULL")
    other = _another(chance, value)
    if column.startswith("sign") and chance.random() < 0.5:
        other = None  # as if it had never signed
    db.run(f"UPDATE heads SET {column} = ? WHERE witness = ?", (other, witness))
    return {(witness, seq), (f"{witness}x", seq), (witness, _number(other))}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _take_head(chance: Random, db: Database) -> Places:
    """The end of a chain: gone, or moved back over a link that was taken away."""
    witness, seq = _some(chance, db, "SELECT witness, seq FROM heads")
    if chance.random() < 0.4:
        db.run("DELETE FROM heads WHERE witness = ?", (witness,))
        return {(witness, seq)}
    db.run("DELETE FROM facts WHERE witness = ? AND seq = ?", (witness, seq))
    db.run(
        "UPDATE heads SET seq = seq - 1, links = links - 1, hash = coalesce("
        "(SELECT f.hash FROM facts f WHERE f.witness = heads.witness AND f.seq = heads.seq - 1), hash) WHERE witness = ?",
        (witness,),
    )
    return {(witness, seq - 1)}


def _gaps(chance: Random, db: Database) -> Places:
    """A gap: changed, gone, or written down where a link was taken away."""
    witness, first, last = _some(chance, db, "SELECT witness, first_seq, last_seq FROM gaps")
    match chance.randrange(4):
        case 0:
            column = chance.choice(("witness", "first_seq", "last_seq", "noticed_at", "seal"))
            value = _some(chance, db, f"SELECT {column} FROM gaps")[0]
            db.run(f"UPDATE gaps SET {column} = ?", (_another(chance, value),))
            return set()
        case 1:
            db.run("DELETE FROM gaps WHERE witness = ?", (witness,))
            return {(witness, first)}
        case 2:
            db.run("DELETE FROM facts WHERE witness = ? AND seq = ?", (witness, last + 1))
            db.run("UPDATE gaps SET last_seq = last_seq + 1 WHERE witness = ?", (witness,))
            return {(witness, first)}
        case _:
            number, witness, seq = _some(
                chance, db, "SELECT number, witness, seq FROM facts WHERE witness LIKE 'kiosk%' AND seq < 3"
            )
            db.run("DELETE FROM facts WHERE number = ?", (number,))
            db.run("DELETE FROM subjects WHERE number = ?", (number,))
            db.run("INSERT INTO gaps (witness, first_seq, last_seq, noticed_at, seal) SELECT ?, ?, ?, noticed_at, seal FROM gaps",
                   (witness, seq, seq))  # fmt: skip
            return {(witness, seq)}


def _aside(chance: Random, db: Database) -> Places:
    """What was set aside: changed, gone, or one more."""
    match chance.randrange(4):
        case 0:
            (number,) = _some(chance, db, "SELECT number FROM aside")
            db.run("DELETE FROM aside WHERE number = ?", (number,))
        case 1:
            columns = "digest, source, why, detail, fact_id, received_at, raw, linked, seal"
            db.run(
                f"INSERT INTO aside ({columns}) SELECT ?, source, why, detail, fact_id, received_at, raw, 0, seal FROM aside"
                " WHERE number = (SELECT min(number) FROM aside)",
                (b"made up",),
            )
        case _:
            columns_ = (
                "digest", "source", "why", "detail", "fact_id", "received_at", "raw", "linked", "witness", "seq", "prev", "hash",
                "removed_at", "removal", "seal", "number",
            )  # fmt: skip
            column = chance.choice(columns_)
            number, value = _some(chance, db, f"SELECT number, {column} FROM aside WHERE {column} IS NOT NULL")
            other = number + 1_000_000 if column == "number" else 1 - value if column == "linked" else _another(chance, value)
            db.run(f"UPDATE aside SET {column} = ? WHERE number = ?", (other, number))
    return set()


def _aside_count(chance: Random, db: Database) -> Places:
    """The count of what was set aside."""
    (value,) = _some(chance, db, "SELECT value FROM settings WHERE name = 'aside-count'")
    if chance.random() < 0.3:
        db.run("DELETE FROM settings WHERE name = 'aside-count'")
    else:
        db.run("UPDATE settings SET value = ? WHERE name = 'aside-count'", (chance.choice("0123456789") + str(value),))
    return set()


CHANGES: tuple[Change, ...] = (
    _flip_fact, _flip_fact, _delete_fact, _insert_fact, _reorder_facts, _truncate, _cut_all, _subjects, _flip_head, _take_head,
    _gaps, _aside, _aside_count,
)  # fmt: skip


# -- finding them ---------------------------------------------------------------------------------------------------------


class _Undo(Exception):
    pass


def after(store: Store, change: Callable[[Database], Places]) -> tuple[Places, Verification]:
    """What walking the record says after a change, which is then undone."""
    keys = {k.witness: k.public_key for k in store.registry.kiosks() if k.public_key}
    found: list[tuple[Places, Verification]] = []

    def work() -> None:
        places = change(store._db)
        found.append((places, walked(store._db, store._keys, lambda: keys)))
        raise _Undo

    with pytest.raises(_Undo):
        store._writer.do(work)
    return found[0]


def test_a_thousand_single_changes_are_all_found_and_the_first_bad_place_named(place: Place) -> None:
    clock = Still()
    store = place.open(clock)
    laid(store, clock)
    missed, misplaced, made = [], [], 0
    wanted = rounds(1_000, soak=4_000) if place.kind == "sqlite" else rounds(150, soak=1_000)
    for seed in itertools.count(seeds(1)[0]):
        if made == wanted:
            break
        chance, change = Random(seed), CHANGES[seed % len(CHANGES)]
        try:
            places, verification = after(store, partial(change, chance))
        except peewee.IntegrityError:
            continue  # the database itself would not have it so
        made, first = made + 1, verification.first
        if first is None:
            missed.append((seed, change.__doc__))
        elif not first.what or (places and (first.witness, first.seq) not in places):
            misplaced.append((seed, change.__doc__, places, str(first)))
    assert not missed
    assert not misplaced
    assert store.verify().ok, "each was undone"
    store.close()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same record in a file, closed."""
    folder, clock = tmp_path_factory.mktemp("record"), Still()
    store = Store.open(folder / "checkpoint.db", clock)
    laid(store, clock)
    store.close()
    return folder


@pytest.fixture
def copy(record: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Copies of it, by name."""

    def copied(name: str) -> Path:
        shutil.copytree(record, tmp_path / name)
        return tmp_path / name / "checkpoint.db"

    return copied  # type: ignore[return-value]


def test_the_first_bad_fact_is_named_with_its_place(copy: Callable[[str], Path]) -> None:
    path = copy("copy")
    db = apsw.Connection(str(path))
    db.execute("UPDATE facts SET raw = CAST(raw || ' ' AS BLOB) WHERE id = 'desk-3'")
    db.execute("DELETE FROM facts WHERE id = 'desk-4'")
    db.close()
    store = Store.open(path, Still())
    verification = store.verify()
    store.close()
    assert verification.first is not None
    assert (verification.first.witness, verification.first.seq, verification.first.fact_id) == ("desk:coordinator", 4, "desk-3")
    assert "hash" in verification.first.what
    assert "desk-3" in str(verification.first)
    assert [(p.seq, p.what) for p in verification.problems if "missing" in p.what] == [(5, "5 is missing")]


@pytest.mark.parametrize("column", ["raw", "hash", "seq", "id", "at", "seal", "received"])
def test_a_value_of_another_kind_is_found(copy: Callable[[str], Path], column: str) -> None:
    for value in ("text", b"bytes", 7.5):
        path = copy(f"{value!r}")
        db = apsw.Connection(str(path))
        db.execute(f"UPDATE facts SET {column} = ? WHERE id = 'desk-4'", (value,))
        db.close()
        store = Store.open(path, Still())
        assert not store.verify().ok, (column, value)
        store.close()


_RECORD = ("facts", "subjects", "heads", "gaps", "aside")


def _told(path: Path) -> list[Any]:
    """All that the record says, past everything that could find fault with it."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [sorted(db.execute(f"SELECT * FROM {table} NOT INDEXED"), key=repr) for table in _RECORD]
    finally:
        db.close()


def test_a_bit_flipped_anywhere_in_the_file_is_found_or_says_nothing(record: Path, tmp_path: Path) -> None:
    """Where nothing is kept, and in what is no part of the record, a flip changes nothing that the record says."""
    path, sound = tmp_path / "checkpoint.db", _told(record / "checkpoint.db")
    full = [place for place, byte in enumerate((record / "checkpoint.db").read_bytes()) if byte]
    found = 0
    for seed in seeds(rounds(80, soak=2_000)):
        shutil.copytree(record, tmp_path, dirs_exist_ok=True)
        content = bytearray((record / "checkpoint.db").read_bytes())
        place = Random(seed).choice(full)
        content[place] ^= 1 << Random(seed).randrange(8)
        path.write_bytes(content)
        try:
            store = Store.open(path, Still())
        except Exception:  # noqa: BLE001 - a file that does not open hides nothing
            found += 1
            continue
        ok = store.verify().ok
        store.close()
        found += not ok
        assert not ok or _told(path) == sound, f"seed {seed}: byte {place}"
    assert found


def _found_and_walked_all_the_same(path: Path) -> None:
    store = Store.open(path, Still())
    found = store.verify()
    store.close()
    assert not found.ok
    assert any("cannot be walked" in problem.what for problem in found.problems)
    assert found.facts_count == len(_told(path)[0])


def test_a_damaged_list_of_kiosks_is_found_and_stops_nothing(copy: Callable[[str], Path]) -> None:
    path = copy("copy")
    db = apsw.Connection(str(path))
    [(page,)] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'kiosks'")
    [(size,)] = db.execute("PRAGMA page_size")
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 16)
    _found_and_walked_all_the_same(path)


def test_a_list_of_kiosks_whose_columns_have_other_names_is_found_and_stops_nothing(copy: Callable[[str], Path]) -> None:
    """One bit is enough to change a name where SQLite keeps how a table was made."""
    path = copy("copy")
    db = apsw.Connection(str(path))
    [(made,)] = db.execute("SELECT sql FROM sqlite_master WHERE name = 'kiosks'")
    db.close()
    other = re.sub(r"\bid\b", "ie", made, count=1)
    assert other != made
    path.write_bytes(path.read_bytes().replace(made.encode(), other.encode()))
    _found_and_walked_all_the_same(path)


def test_what_has_not_come_yet_is_waited_for_and_is_no_damage(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "checkpoint.db", Still())
    kiosk = FakeKiosk()
    links = [kiosk.tell(f"f{i}", T0) for i in range(5)]
    store.append([kiosk.entry(links[0]), kiosk.entry(links[4])])
    verification = store.verify()
    assert verification.ok
    assert [(gap.first, gap.last) for gap in verification.waiting] == [(2, 4)]
    store.close()
