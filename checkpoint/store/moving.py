"""Carrying a whole installation from one database into another: from a file to PostgreSQL, and back.

The law of this file:

* Before the first row goes over, both databases are marked. A marked one is opened by no server: the one left behind, so that
  nothing is written there that the other would not have; the one that grows, so that nobody takes a part for the whole.
* Rows go over in the order of their keys, a portion to a transaction. What the new database holds is what is done: killed at
  any moment, the same call goes on from there.
* At the end both are read again from the first row to the last and compared, and the record is verified where it now lies.
  Only then the new one loses its mark. The old one keeps its own, and its rows.

The key file goes along when it is to lie elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from checkpoint.database_url import DatabaseUrl
from checkpoint.store import copying, migrations
from checkpoint.store.alone import in_use
from checkpoint.store.database import Database, StorageFailed
from checkpoint.store.keys import KEY_FILE
from checkpoint.store.postgres import open_postgres
from checkpoint.store.sqlite import open_sqlite
from checkpoint.store.verify import Verification

T = TypeVar("T")
Where = Path | DatabaseUrl
Say = Callable[[str, str, int, int], None]
MARK = "move"
PORTION_ROWS = 2_000
# A process that was killed a moment ago is still at its database for a while.
PATIENCE_S = 5.0
# None is a row of the installation's: how the schema came about here, SQLite's own, and what the watch can read again.
_NOT_OURS = frozenset({"migrations", "sqlite_sequence", "readings", "readings_to"})
_MARKED = "SELECT value FROM settings WHERE name = ?"


class CannotMove(RuntimeError):
    """A move is not begun, or not finished. `why`: `source-used`, `target-used`, `taken`, `other-key`, `same`, `changed`,
    `damaged`; `what` says which, in the database's own words."""

    def __init__(self, why: str, what: str = "") -> None:
        self.why, self.what = why, what
        super().__init__(f"{why}: {what}")


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What went over: rows by table."""

    rows: dict[str, int]


def mark_of(database: Database) -> str:
    """How a database is marked: empty when it is nobody's move."""
    rows = database.rows(_MARKED, (MARK,))
    return str(rows[0][0]) if rows else ""


def refuse_marked(database: Database) -> None:
    """Raises `StorageFailed` when a server may not open this database."""
    way, _, place = mark_of(database).partition(" ")
    if way == "to":
        raise StorageFailed(f"this database was moved to {place}: set CHECKPOINT_DATABASE to it, or `checkpoint move --give-up`")
    if way == "from":
        raise StorageFailed("a move into this database is not finished: call `checkpoint move` again, as before")


def move(
    source: Where,
    target: Where,
    *,
    now: Callable[[], datetime],
    keys: tuple[Path, Path],
    verified: Callable[[Where], Verification],
    say: Say,
) -> Moved:
    """Carry all of one database into another, or go on with it. `keys`: the folders of the key file there and here.

    `verified` walks the record in the new one. `say` hears the step (`copy`, `compare`, `verify`), a table, and how far it is.
    Raises `CannotMove`, `StorageFailed`.
    """
    if _same(source, target):
        raise CannotMove("same", _shown(target))
    _fit_key(*keys)
    _alone(source, "source-used")
    _alone(target, "target-used")
    name = _begin(source, target, now)
    old, new = _opened(source), _opened(target)
    try:
        new.writes()
        tables = sorted(set(new.get_tables()) - _NOT_OURS)
        moved = {table: _carry(old, new, table, say) for table in tables}
    finally:
        old.close_all()
        new.close_all()
    _compare(source, target, tables, say)
    _bring_key(*keys)
    say("verify", "facts", 0, moved["facts"])
    problem = verified(target).first
    if problem is not None:
        raise CannotMove("damaged", str(problem))
    _written(target, lambda database: _unmark(database, f"from {name}"))
    return Moved(rows=moved)


def give_up(source: Where) -> bool:
    """Let a database that was moved, or was being moved, be opened again. False when it was not."""
    _alone(source, "source-used")

    def work(database: Database) -> bool:
        found = mark_of(database)
        return found.startswith("to ") and _unmark(database, found)

    return _written(source, work)


# -- the two ends -----------------------------------------------------------------------------------------------------


def _opened(where: Where) -> Database:
    return open_postgres(where) if isinstance(where, DatabaseUrl) else open_sqlite(where)


def _shown(where: Where) -> str:
    return str(where)


def _same(one: Where, other: Where) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        return one.resolve() == other.resolve()
    return one == other


def _alone(where: Where, why: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while in_use(where):
        if time.monotonic() > until:
            raise CannotMove(why, _shown(where))
        time.sleep(0.1)


def _written(where: Where, work: Callable[[Database], T]) -> T:
    """Open, do something in one transaction, close."""
    database = _opened(where)
    try:
        database.writes()
        database.begin_writing()
        try:
            done = work(database)
            database.commit_writing()
        except BaseException:
            database.abandon_writing()
            raise
        return done
    finally:
        database.close_all()


def _begin(source: Where, target: Where, now: Callable[[], datetime]) -> str:
    """Mark both ends, or find them marked by the same move. Returns whose installation it is."""

    def leave(database: Database) -> None:
        migrations.migrate(database, now())
        found, ours = mark_of(database), f"to {_shown(target)}"
        if found and found != ours:
            raise CannotMove("taken", found.partition(" ")[2] or _shown(source))
        if not found:
            database.run("INSERT INTO settings (name, value) VALUES (?, ?)", (MARK, ours))

    def arrive(database: Database) -> None:
        fresh = not set(database.get_tables()) - _NOT_OURS
        if not fresh and ("settings" not in database.get_tables() or mark_of(database) != f"from {name}"):
            raise CannotMove("taken", _shown(target))
        migrations.migrate(database, now())
        if fresh:
            database.run("INSERT INTO settings (name, value) VALUES (?, ?)", (MARK, f"from {name}"))

    # The target is looked at first: a move that cannot begin leaves no mark.
    name = _installation(source)
    _written(target, arrive)
    _written(source, leave)
    try:
        # Who began to use it while we looked is still there: then it was not ours to take.
        _alone(source, "source-used")
    except CannotMove:
        _written(source, lambda database: _unmark(database, f"to {_shown(target)}"))
        raise
    return name


def _installation(where: Where) -> str:
    database = _opened(where)
    try:
        rows = database.rows(_MARKED, ("installation",)) if "settings" in database.get_tables() else []
    finally:
        database.close_all()
    return str(rows[0][0]) if rows else ""


def _unmark(database: Database, mark: str) -> bool:
    return bool(database.run("DELETE FROM settings WHERE name = ? AND value = ?", (MARK, mark)))


# -- rows -------------------------------------------------------------------------------------------------------------


def _columns(database: Database, table: str) -> tuple[list[str], list[str]]:
    """The columns of a table, and those of its key, in an order that both databases agree on."""
    names = sorted(column.name for column in database.get_columns(table))
    return names, list(database.get_primary_keys(table))


def _portions(database: Database, table: str, after: tuple[Any, ...] | None) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a table in the order of their keys, those after a key, some at a time. Marks of a move are no rows."""
    names, keys = _columns(database, table)
    places = [names.index(key) for key in keys]
    select = f"SELECT {', '.join(_quoted(n) for n in names)} FROM {table}"
    key, marks = ", ".join(_quoted(k) for k in keys), ", ".join("?" * len(keys))
    order = f" ORDER BY {key} LIMIT {PORTION_ROWS}"
    while True:
        rows = database.rows(f"{select} WHERE ({key}) > ({marks}){order}", after) if after else database.rows(select + order)
        if not rows:
            return
        after = tuple(rows[-1][place] for place in places)
        yield [row for row in rows if table != "settings" or row[names.index("name")] != MARK]


def _carry(old: Database, new: Database, table: str, say: Say) -> int:
    """Bring the rows of a table over that are not there yet. Returns how many there are now."""
    names, keys = _columns(old, table)
    total = _count(old, table)
    key = ", ".join(_quoted(k) for k in keys)
    back = ", ".join(f"{_quoted(k)} DESC" for k in keys)
    not_the_mark = f" WHERE name <> '{MARK}'" if table == "settings" else ""
    last = new.rows(f"SELECT {key} FROM {table}{not_the_mark} ORDER BY {back} LIMIT 1")
    done = _count(new, table)
    say("copy", table, done, total)
    insert = f"INSERT INTO {table} ({', '.join(_quoted(n) for n in names)}) VALUES ({', '.join('?' * len(names))})"
    for rows in _portions(old, table, tuple(last[0]) if last else None):
        new.begin_writing()
        try:
            new.run_many(insert, rows)
            new.commit_writing()
        except ValueError as error:
            new.abandon_writing()
            raise StorageFailed(f"a row of {table} cannot be kept there: {error}") from error
        except BaseException:
            new.abandon_writing()
            raise
        done += len(rows)
        say("copy", table, done, total)
    _written_here(new, lambda: new.count_on(table, old.counted(table)))
    return done


def _written_here(database: Database, work: Callable[[], None]) -> None:
    database.begin_writing()
    try:
        work()
        database.commit_writing()
    except BaseException:
        database.abandon_writing()
        raise


def _count(database: Database, table: str) -> int:
    where = f" WHERE name <> '{MARK}'" if table == "settings" else ""
    return int(database.rows(f"SELECT count(*) FROM {table}{where}")[0][0])


def _compare(source: Where, target: Where, tables: list[str], say: Say) -> None:
    """Read both ends again: the same rows, the same bytes. Raises `CannotMove`."""
    old, new = _opened(source), _opened(target)
    try:
        for table in tables:
            total = _count(old, table)
            say("compare", table, 0, total)
            if _columns(old, table) != _columns(new, table):
                raise CannotMove("changed", table)
            for one, other in zip(_portions(old, table, None), _portions(new, table, None), strict=False):
                if _digest(one) != _digest(other):
                    raise CannotMove("changed", table)
            if _count(new, table) != total:
                raise CannotMove("changed", table)
            say("compare", table, total, total)
    finally:
        old.close_all()
        new.close_all()


def _digest(rows: list[tuple[Any, ...]]) -> bytes:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    return digest.digest()


def _quoted(name: str) -> str:
    return f'"{name}"'


# -- the key file -----------------------------------------------------------------------------------------------------


def _fit_key(there: Path, here: Path) -> None:
    """Another installation's key is not overwritten."""
    found = here / KEY_FILE
    if found.exists() and found.read_bytes() != (there / KEY_FILE).read_bytes():
        raise CannotMove("other-key", str(found))


def _bring_key(there: Path, here: Path) -> None:
    found = here / KEY_FILE
    if found.exists():
        return
    here.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = found.with_name(f"{KEY_FILE}.moving")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write((there / KEY_FILE).read_bytes())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(found)
    copying.sync(here)
