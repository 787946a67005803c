"""SQLite: one file, many readers, one writer.

The law of this file: every connection is opened here and only here, with WAL, `synchronous=FULL` and foreign keys on.
Each thread gets a connection of its own. All of them refuse to write but the writer's (`PRAGMA query_only`).

The transaction is `BEGIN IMMEDIATE`: one that reads first and writes later is refused under load.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase

from checkpoint.store import copying
from checkpoint.store.database import Database, StorageBusy, StorageFailed, StorageFull

# FULL: with NORMAL a power cut loses acknowledged commits. The cache is 16 MiB for each connection.
# What is deleted is overwritten: a name that was erased is not left in a page that nobody uses.
_PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "cache_size": -16_384, "secure_delete": 1}
# How long another process may hold the file before we say so. Our own writing never waits: it is one thread.
BUSY_TIMEOUT_S = 5
COPIES_KEPT = 3


class Sqlite(Database, APSWDatabase):  # type: ignore[misc]
    """A SQLite file with a connection for each thread."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()
        self._opened_lock = threading.Lock()
        super().__init__(str(path), pragmas=_PRAGMAS, timeout=BUSY_TIMEOUT_S)

    def beside(self, name: str) -> Path:
        """The path of a file beside the database's own."""
        return self._path.with_name(f"{self._path.name}.{name}")

    def _connect(self) -> Any:
        connection = super()._connect()
        connection.execute("PRAGMA query_only=1")
        with self._opened_lock:
            self._opened.add(connection)
        return connection

    def _connection(self) -> Any:
        """This thread's own."""
        return self.connection()  # type: ignore[no-untyped-call]

    def close_all(self) -> None:
        """Close every thread's connection. Nobody may be using one."""
        with self._opened_lock:
            for connection in list(self._opened):
                connection.close()
        # The closing thread's own state still names a connection that is gone.
        self.close()

    # -- reading ----------------------------------------------------------------------------------------------------------

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, read at once: a cursor left open would hold its snapshot and the WAL with it."""
        with _ours():
            return list(self._connection().execute(sql, values).fetchall())

    def walk(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows as they are read."""
        with _ours():
            yield from self._connection().execute(sql, values)

    def flaws(self) -> list[str]:
        """Pages and indexes that do not fit together."""
        return [str(said) for (said,) in self.rows("PRAGMA integrity_check(5)") if said != "ok"]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads inside is of the moment of its first reading."""
        connection = self._connection()
        with _ours():
            connection.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(apsw.Error):  # nothing was written: a damaged file may refuse to end it, and it ends all the same
                connection.execute("ROLLBACK")

    # -- writing ----------------------------------------------------------------------------------------------------------

    def writes(self) -> None:
        """Let the calling thread's connection write."""
        self.execute_sql("PRAGMA query_only=0")

    def begin_writing(self) -> None:
        """Wait for the lock of the file, and hold it."""
        self.run("BEGIN IMMEDIATE")

    def commit_writing(self) -> None:
        """Returns once the disk has it."""
        self.run("COMMIT")

    def abandon_writing(self) -> None:
        """Roll back. A full disk may have done so already."""
        with suppress(StorageFailed):
            self.run("ROLLBACK")

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement past peewee. Returns how many rows it changed, when it changes any."""
        with _ours():
            connection = self._connection()
            connection.execute(sql, values)
            return int(connection.changes())

    def run_many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        """The same statement for many rows."""
        with _ours():
            self._connection().executemany(sql, values)

    def run_all(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[int]:
        """One after the other: nothing is far away."""
        return [self.run(sql, values) for sql, values in statements]

    def later(self, sql: str, values: Sequence[object] = ()) -> None:
        """At once."""
        self.run(sql, values)

    def settle(self) -> None:
        """Nothing was left."""

    def begin_part(self, name: str) -> None:
        """From here on, work can be undone alone."""
        self.run(f"SAVEPOINT {name}")

    def end_part(self, name: str) -> None:
        """The work since a savepoint stands."""
        self.run(f"RELEASE {name}")

    def undo_part(self, name: str) -> None:
        """Undo the work since a savepoint, and release it."""
        self.run(f"ROLLBACK TO {name}")
        self.run(f"RELEASE {name}")

    def define(self, statement: str) -> None:
        """The steps of the schema are written in our words."""
        self.run(statement)

    def before_migrating(self, first: int) -> None:
        """Keep a copy of the whole file beside it, as it was before that step. It gets its name once it is whole."""
        copied = self._path.with_name(f"{self._path.name}.before-{first:03}")
        draft = copied.with_name(f"{copied.name}.new")
        try:
            draft.unlink(missing_ok=True)
            copying.copy(self._path, draft)
            draft.replace(copied)
            copying.sync(copied.parent)
            kept = sorted(self._path.parent.glob(f"{self._path.name}.before-[0-9][0-9][0-9]"))
            for old in kept[:-COPIES_KEPT]:
                old.unlink()
        except (OSError, StorageFailed) as error:
            raise StorageFailed(f"no copy could be kept before the database is changed: {error}") from error

    def counted(self, table: str) -> int:
        """What SQLite noted down for a table that never gives a number twice."""
        if not self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'"):
            return 0
        found = self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return int(found[0][0]) if found else 0

    def count_on(self, table: str, last: int) -> None:
        """Note it down."""
        made = self.rows("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,))
        if last and made and "AUTOINCREMENT" in made[0][0]:
            self.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            self.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))

    # -- peewee -----------------------------------------------------------------------------------------------------------

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """peewee's door; what the disk refused is named as it is on the hot paths."""
        try:
            return APSWDatabase.execute_sql(self, sql, params)
        except peewee.DatabaseError as error:
            cause = getattr(error, "orig", None)
            if isinstance(cause, _THE_DISK):
                raise _called(cause) from error
            raise


class _ours:  # noqa: N801 - reads as a word where it stands
    """What SQLite refuses, as we call it; a row that breaks a constraint is the caller's to explain."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.ConstraintError):
            raise peewee.IntegrityError(str(error)) from error
        if isinstance(error, apsw.Error):
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


def open_sqlite(path: Path) -> Sqlite:
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
