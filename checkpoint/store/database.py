"""Opening the database: one file, many readers, one writer.

The law of this file: every connection is opened here and only here, with WAL, `synchronous=FULL` and foreign keys on.
Each thread gets a connection of its own. All of them refuse to write but the writer's (`PRAGMA query_only`), so that no
part of the house can go round the one writer thread by mistake.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# FULL: with NORMAL a power cut loses acknowledged commits. The cache is 16 MiB for each connection.
_PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "cache_size": -16_384}
# How long another process may hold the file before we say so. Our own writing never waits: it is one thread.
BUSY_TIMEOUT_S = 5


class StorageFailed(RuntimeError):
    """The disk or the database refused. Nothing that waits for this answer may be taken as held."""


class StorageBusy(StorageFailed):
    """Another program holds the database, or the disk does not come back: a moment later it may be taken in."""


class StorageFull(StorageFailed):
    """There is no room for this."""


class Sqlite(APSWDatabase):  # type: ignore[misc]
    """A SQLite file with a connection for each thread; `writes()` makes the calling thread the one that may write."""

    def __init__(self, path: Path) -> None:
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()
        self._opened_lock = threading.Lock()
        super().__init__(str(path), pragmas=_PRAGMAS, timeout=BUSY_TIMEOUT_S)

    def _connect(self) -> Any:
        connection = super()._connect()
        connection.execute("PRAGMA query_only=1")
        with self._opened_lock:
            self._opened.add(connection)
        return connection

    def writes(self) -> None:
        """Let the calling thread's connection write."""
        self.execute_sql("PRAGMA query_only=0")

    def close_all(self) -> None:
        """Close every thread's connection. Nobody may be using one."""
        with self._opened_lock:
            for connection in list(self._opened):
                connection.close()
        # The closing thread's own state still names a connection that is gone.
        self.close()

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """A statement of peewee's; what the disk refused is named as it is on the hot paths."""
        try:
            return super().execute_sql(sql, params)
        except peewee.DatabaseError as error:
            cause = getattr(error, "orig", None)
            if isinstance(cause, _THE_DISK):
                raise _called(cause) from error
            raise

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, read at once: a cursor left open would hold its snapshot and the WAL with it."""
        with _ours():
            return list(self.connection().execute(sql, values).fetchall())

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement past peewee, for the hot paths. Returns how many rows it changed, when it changes any."""
        with _ours():
            connection = self.connection()
            connection.execute(sql, values)
            return int(connection.changes())

    def run_many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        """The same statement for many rows."""
        with _ours():
            self.connection().executemany(sql, values)

    def walk(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows as they are read, for walks over everything. Read it to its end, or drop it."""
        with _ours():
            yield from self.connection().execute(sql, values)


class _ours:  # noqa: N801 - reads as a word where it stands
    """What SQLite refuses, as we call it; a row that breaks a constraint is the caller's to explain."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.Error) and not isinstance(error, apsw.ConstraintError):
            raise _called(error) from error


# What the file or the disk refused, whatever was asked of it.
_THE_DISK = (
    apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.CorruptError,
    apsw.NotADBError,
)  # fmt: skip


def _called(error: apsw.Error) -> StorageFailed:
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StorageBusy(str(error))
    return StorageFull(str(error)) if isinstance(error, apsw.FullError) else StorageFailed(str(error))


def open_database(path: Path) -> Sqlite:
    """The database at a path; its folder is made when missing. Raises `StorageFailed` when it cannot be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not path.exists()
        database = Sqlite(path)
        database.connect()
        if fresh:
            path.chmod(0o600)
    except (OSError, peewee.PeeweeException) as error:
        raise StorageFailed(f"the database cannot be opened: {error}") from error
    return database


def micros(instant: datetime) -> int:
    """An instant as the database keeps it: microseconds since 1970, exact."""
    return (instant - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The instant of so many microseconds since 1970, in UTC."""
    return EPOCH + timedelta(microseconds=value)
