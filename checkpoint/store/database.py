"""What the store asks of a database, whichever of the two it is.

The law of this file: everything above it speaks to `Database` alone, in SQL with `?` for values that both understand.
What the database refuses is `StorageFailed`; a row that breaks a constraint is `peewee.IntegrityError`, the caller's to
explain. Only the writer's thread may write: every other connection refuses to, so that no part of the house can go round
it by mistake.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import peewee

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class StorageFailed(RuntimeError):
    """The disk or the database refused. Nothing that waits for this answer may be taken as held."""


class StorageBusy(StorageFailed):
    """The database is held by others, cannot be reached, or does not come back: a moment later it may be taken in."""


class StorageFull(StorageFailed):
    """There is no room for this."""


class Database(peewee.Database, ABC):
    """A database and its connections. peewee's queries take it as well: `query.execute(database)`."""

    kind: ClassVar[str]  # "sqlite" or "postgresql"

    # -- reading, on any thread; on the writer's own, inside its transaction ---------------------------------------------

    @abstractmethod
    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, read at once. What a statement returns (`RETURNING`) as well."""

    @abstractmethod
    def walk(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows as they are read, for walks over everything. Within `snapshot()`; read it to its end, or drop it."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """What this thread reads inside is of one moment."""

    @abstractmethod
    def flaws(self) -> list[str]:
        """What the database itself finds wrong with how it is laid down, below the rows: a few of them, or none."""

    # -- writing, on the writer's thread ---------------------------------------------------------------------------------

    @abstractmethod
    def writes(self) -> None:
        """Make the calling thread the one that may write."""

    @abstractmethod
    def begin_writing(self) -> None:
        """Begin a transaction, after those of every other writer: numbers are given in the order of commits."""

    @abstractmethod
    def commit_writing(self) -> None:
        """Make it durable. Raises `StorageFailed` unless that is certain."""

    @abstractmethod
    def abandon_writing(self) -> None:
        """Forget the transaction, if there is one. Raises nothing."""

    @abstractmethod
    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement past peewee, for the hot paths. Returns how many rows it changed, when it changes any."""

    @abstractmethod
    def run_many(self, sql: str, values: Iterable[Sequence[object]]) -> None:
        """The same statement for many rows."""

    @abstractmethod
    def run_all(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[int]:
        """Several statements in one go, in their order. Returns how many rows each changed."""

    @abstractmethod
    def later(self, sql: str, values: Sequence[object] = ()) -> None:
        """A statement whose answer nobody needs: run before whatever is run next, or with `settle`."""

    @abstractmethod
    def settle(self) -> None:
        """Whatever was left for later is done; raises what was wrong with it. To be called before a piece of work is done."""

    @abstractmethod
    def begin_part(self, name: str) -> None:
        """From here on, work can be undone alone."""

    @abstractmethod
    def end_part(self, name: str) -> None:
        """The work since the savepoint of that name stands. It was settled before."""

    @abstractmethod
    def undo_part(self, name: str) -> None:
        """Undo the work since a savepoint, and release it."""

    @abstractmethod
    def define(self, statement: str) -> None:
        """Run a statement of the schema, written in SQLite's words."""

    @abstractmethod
    def before_migrating(self, first: int) -> None:
        """Called in the transaction that changes the schema of a database in use, with the number of the first step."""

    @abstractmethod
    def counted(self, table: str) -> int:
        """The last number that a table's column of numbers gave, 0 when it gave none."""

    @abstractmethod
    def count_on(self, table: str, last: int) -> None:
        """Give only numbers after this one from now on, where the table gives any."""

    # -- the whole ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> Any:
        """peewee's door: SQL in the database's own words. Returns a cursor."""

    @abstractmethod
    def close_all(self) -> None:
        """Close every connection. Nobody may be using one."""


def micros(instant: datetime) -> int:
    """An instant as the database keeps it: microseconds since 1970, exact."""
    return (instant - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The instant of so many microseconds since 1970, in UTC."""
    return EPOCH + timedelta(microseconds=value)
