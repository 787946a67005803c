"""Walking the record again finds any one change to it, and names the first place that is not what it was."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from checkpoint.core.facts import SwabTaken
from checkpoint.store import Entry, Signed, Store
from tests.ground import T0, Still
from tests.seeds import seeds
from tests.witness import FakeKiosk, fact

Change = Callable[[random.Random, apsw.Connection], None]
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of several witnesses: kiosks with a signed head, one with a bad link, a desk, the server."""
    folder = tmp_path_factory.mktemp("record")
    clock = Still()
    store = Store.open(folder / "checkpoint.db", clock)
    for name in ("a", "b"):
        made = store.registry.add_kiosk("sampling-1", f"token-{name}", T0 + MINUTE)
        kiosk = FakeKiosk(made.id)
        store.registry.enrol_kiosk(f"token-{name}", kiosk.public_key, f"key-{name}")
        for i in range(8):
            link = kiosk.tell(f"{name}-{i}", T0 + i * MINUTE, SwabTaken(specimen=f"{name}{i}", person=f"p-{i}", test="pcr"))
            entry = kiosk.entry(link)
            if i == 3:
                bad = kiosk.link('{"no":"fact"}')
                store.append([
                    entry,
                    Entry(witness=kiosk.witness, raw=bad["fact"].encode(), fact=None, why="malformed",
                          seq=bad["seq"], prev=bad["prev"], hash=bad["hash"]),
                ])  # fmt: skip
            else:
                store.append([entry], signed=_signed(kiosk))
        clock.forward(minutes=1)
    for i in range(8):
        store.record(fact(f"desk-{i}", T0, station=""))
        store.record(fact(f"server-{i}", T0, witness="server", station=""))
    assert store.verify().ok
    store.close()
    return folder


def _signed(kiosk: FakeKiosk) -> Signed:
    head = kiosk.head()
    return Signed(head["seq"], head["hash"], bytes.fromhex(head["signature"]))


def _some(chance: random.Random, db: apsw.Connection, sql: str) -> Any:
    return chance.choice(list(db.execute(sql)))


def _flip(chance: random.Random, db: apsw.Connection) -> None:
    """One bit of one column of one fact."""
    column = chance.choice(("raw", "hash", "prev", "seal", "id", "witness", "kind", "at", "recorded_at", "seq"))
    number, value = _some(chance, db, f"SELECT number, {column} FROM facts")
    if isinstance(value, bytes):
        place = chance.randrange(len(value))
        value = value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]
    elif isinstance(value, str):
        value += "x"
    else:
        value += 1_000_000
    db.execute(f"UPDATE facts SET {column} = ? WHERE number = ?", (value, number))


def _delete(chance: random.Random, db: apsw.Connection) -> None:
    """One fact, with or without its place in the index."""
    (number,) = _some(chance, db, "SELECT number FROM facts")
    db.execute("DELETE FROM facts WHERE number = ?", (number,))
    if chance.random() < 0.5:
        db.execute("DELETE FROM subjects WHERE number = ?", (number,))


def _delete_aside(chance: random.Random, db: apsw.Connection) -> None:
    """A bad link that had its place in a chain."""
    (number,) = _some(chance, db, "SELECT number FROM aside WHERE linked = 1")
    db.execute("DELETE FROM aside WHERE number = ?", (number,))


def _insert(chance: random.Random, db: apsw.Connection) -> None:
    """A fact of somebody's own making: at the end of a chain, or of a witness never heard of."""
    row = list(_some(chance, db, "SELECT * FROM facts"))
    row[0], row[1] = 10_000, "made-up"
    if chance.random() < 0.5:
        row[2] = "desk:nobody"
    row[3] += 1_000 if chance.random() < 0.5 else 20
    db.execute(f"INSERT INTO facts VALUES ({', '.join('?' * len(row))})", row)


def _reorder(chance: random.Random, db: apsw.Connection) -> None:
    """Two facts change places: in the order of learning, or in their chain."""
    column = chance.choice(("number", "seq"))
    witness = _some(chance, db, "SELECT DISTINCT witness FROM facts")[0]
    rows = list(db.execute("SELECT number, seq FROM facts WHERE witness = ? ORDER BY seq", (witness,)))
    one, other = sorted(chance.sample(range(len(rows)), 2))
    place = 0 if column == "number" else 1
    where = "number = ?"
    low, high = rows[one], rows[other]
    for value, number in ((-1, low[0]), (low[place], high[0])):
        db.execute(f"UPDATE facts SET {column} = ? WHERE {where}", (value, number))
    db.execute(f"UPDATE facts SET {column} = ? WHERE {column} = -1", (high[place],))


def _truncate(chance: random.Random, db: apsw.Connection) -> None:
    """The end of a chain, or of the whole record."""
    if chance.random() < 0.5:
        (last,) = _some(chance, db, "SELECT max(number) FROM facts")
        db.execute("DELETE FROM facts WHERE number > ?", (last - chance.randrange(1, 6),))
    else:
        (witness,) = _some(chance, db, "SELECT DISTINCT witness FROM facts")
        most = 1 + chance.randrange(7)
        db.execute("DELETE FROM facts WHERE witness = ? AND seq > ?", (witness, most))
    db.execute("DELETE FROM subjects WHERE number NOT IN (SELECT number FROM facts)")


def _index(chance: random.Random, db: apsw.Connection) -> None:
    """A row of the index of subjects: gone, another, or one more."""
    subject, number = _some(chance, db, "SELECT subject, number FROM subjects")
    match chance.randrange(3):
        case 0:
            db.execute("DELETE FROM subjects WHERE subject = ? AND number = ?", (subject, number))
        case 1:
            db.execute("UPDATE subjects SET subject = 'person:other' WHERE subject = ? AND number = ?", (subject, number))
        case _:
            db.execute("INSERT INTO subjects VALUES ('person:other', ?)", (number,))


def _head(chance: random.Random, db: apsw.Connection) -> None:
    """The end of a chain moved back, so that a missing tail would not show."""
    witness, seq = _some(chance, db, "SELECT witness, seq FROM heads")
    if chance.random() < 0.3:
        db.execute("DELETE FROM heads WHERE witness = ?", (witness,))
    elif chance.random() < 0.5:
        db.execute("UPDATE heads SET signed_hash = zeroblob(32) WHERE signature IS NOT NULL")
    else:
        db.execute("DELETE FROM facts WHERE witness = ? AND seq = ?", (witness, seq))
        db.execute(
            "UPDATE heads SET seq = seq - 1, links = links - 1,"
            " hash = (SELECT hash FROM facts WHERE witness = heads.witness AND seq = heads.seq - 1) WHERE witness = ?",
            (witness,),
        )


def _hidden_gap(chance: random.Random, db: apsw.Connection) -> None:
    """A fact removed and a gap written down in its place, as if it had never come."""
    witness, seq, number = _some(chance, db, "SELECT witness, seq, number FROM facts WHERE witness LIKE 'kiosk%' AND seq < 8")
    db.execute("DELETE FROM facts WHERE number = ?", (number,))
    db.execute("DELETE FROM subjects WHERE number = ?", (number,))
    db.execute("INSERT INTO gaps VALUES (?, ?, ?, 0)", (witness, seq, seq))


CHANGES: tuple[Change, ...] = (_flip, _delete, _delete_aside, _insert, _reorder, _truncate, _index, _head, _hidden_gap)


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__.strip("_"))
def test_any_one_change_to_the_record_is_found(record: Path, tmp_path: Path, change: Change) -> None:
    for seed in seeds(8):
        folder = tmp_path / str(seed)
        shutil.copytree(record, folder)
        db = apsw.Connection(str(folder / "checkpoint.db"))
        change(random.Random(seed), db)
        db.close()
        store = Store.open(folder / "checkpoint.db", Still())
        verification = store.verify()
        store.close()
        assert not verification.ok, f"seed {seed}: {change.__doc__}"
        assert verification.first is not None
        assert verification.first.what


def test_the_first_bad_fact_is_named_with_its_place(record: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(record, folder)
    db = apsw.Connection(str(folder / "checkpoint.db"))
    db.execute("UPDATE facts SET raw = CAST(raw || ' ' AS BLOB) WHERE id = 'desk-4'")
    db.execute("DELETE FROM facts WHERE id = 'desk-6'")
    db.close()
    store = Store.open(folder / "checkpoint.db", Still())
    verification = store.verify()
    store.close()
    assert verification.first is not None
    assert (verification.first.witness, verification.first.seq, verification.first.fact_id) == ("desk:coordinator", 5, "desk-4")
    assert "hash" in verification.first.what
    assert "desk-4" in str(verification.first)
    assert [(p.seq, p.what) for p in verification.problems if "missing" in p.what] == [(7, "7 is missing")]


@pytest.mark.parametrize("column", ["raw", "hash", "seq", "id", "at", "seal", "received"])
def test_a_value_of_another_kind_is_found(record: Path, tmp_path: Path, column: str) -> None:
    for value in ("text", b"bytes", 7.5):
        folder = tmp_path / f"{value!r}"
        shutil.copytree(record, folder)
        db = apsw.Connection(str(folder / "checkpoint.db"))
        db.execute(f"UPDATE facts SET {column} = ? WHERE id = 'desk-4'", (value,))
        db.close()
        store = Store.open(folder / "checkpoint.db", Still())
        assert not store.verify().ok, (column, value)
        store.close()


def test_what_has_not_come_yet_is_waited_for_and_is_no_damage(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "checkpoint.db", Still())
    kiosk = FakeKiosk()
    links = [kiosk.tell(f"f{i}", T0) for i in range(5)]
    store.append([kiosk.entry(links[0]), kiosk.entry(links[4])])
    verification = store.verify()
    assert verification.ok
    assert [(gap.first, gap.last) for gap in verification.waiting] == [(2, 4)]
    store.close()
