"""A copy of a SQLite database that others go on writing to, and what a copy holds.

The law of this file: a copy is of one moment. One read transaction is held from the first page to the last, so that neither
the server's writing changes it nor begins it anew; the server's own writing never waits for it (its log grows meanwhile). The
pages go over in portions with pauses between, so that the disk is not ours alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from checkpoint.store.database import StorageFailed, StorageFull

PORTION_PAGES = 256
SYNC_PORTIONS = 4
# What is counted: tables that every version had.
COUNTED = ("facts", "aside", "positions", "strangers", "people", "kiosks", "links")


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one witness's chain: its last link, that link's hash (hex), how many links are held."""

    witness: str
    seq: int
    hash: str
    links: int


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a database holds: the last step of its schema, whose it is and by which key, its chains' ends, some counts."""

    schema: int
    installation: str
    key_mark: str
    last_number: int
    heads: tuple[ChainHead, ...]
    counts: dict[str, int]


def copy(source: Path, target: Path, pause: Callable[[], None] = lambda: None) -> None:
    """Copy a database to a new file, whole, as of one moment; on the disk when it returns. Raises `StorageFailed`."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        there = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
        here = apsw.Connection(str(target))
        try:
            there.set_busy_timeout(5_000)
            there.execute("PRAGMA query_only=1; BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
            here.execute("PRAGMA synchronous=OFF")  # the whole file is synced at the end
            with here.backup("main", there, "main") as backup:
                portions = 0
                while not backup.done:
                    backup.step(PORTION_PAGES)
                    pause()
                    portions += 1
                    if portions % SYNC_PORTIONS == 0:
                        sync(target)  # a little at a time: all of it at once would hold up the server's own commits
            # One file, without a log beside it.
            here.execute("PRAGMA journal_mode=DELETE").fetchall()
        finally:
            here.close()
            there.close()
        sync(target)
    except apsw.Error as error:
        raise (StorageFull if isinstance(error, apsw.FullError) else StorageFailed)(f"no copy: {error}") from error


def sync(path: Path) -> None:
    """Return once the disk has a file, or what a folder names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def soundness(path: Path) -> str:
    """What is wrong with a file that nobody else has open, as SQLite sees it; empty when nothing is."""
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(3)")]
            found += [f"{row[0]} names what is not there" for row in database.execute("PRAGMA foreign_key_check")]
        finally:
            database.close()
    except apsw.Error as error:
        return str(error)
    return "" if found == ["ok"] else "; ".join(found)


def survey(path: Path) -> Survey:
    """What a file holds that nobody else has open. Raises `StorageFailed`."""
    try:
        database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return survey_of(lambda sql: list(database.execute(sql)))
        finally:
            database.close()
    except apsw.Error as error:
        raise StorageFailed(f"not a database of ours: {error}") from error


def survey_of(rows: Callable[[str], list[tuple[object, ...]]]) -> Survey:
    """The same of a database that answers queries; of one moment when its answers are."""
    settings = {str(name): str(value) for name, value in rows("SELECT name, value FROM settings")}
    heads = rows("SELECT witness, seq, hash, links FROM heads ORDER BY witness")

    def number(sql: str) -> int:
        return int(str(rows(sql)[0][0]))

    return Survey(
        schema=number("SELECT coalesce(max(number), 0) FROM migrations"),
        installation=settings.get("installation", ""),
        key_mark=settings.get("key-check", ""),
        last_number=number("SELECT coalesce(max(number), 0) FROM facts"),
        heads=tuple(
            ChainHead(witness=str(w), seq=int(str(seq)), hash=bytes(own).hex(), links=int(str(links)))  # type: ignore[call-overload]
            for w, seq, own, links in heads
        ),
        counts={table: number(f"SELECT count(*) FROM {table}") for table in COUNTED},
    )
