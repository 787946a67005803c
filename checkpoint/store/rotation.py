"""Encrypting the registry anew with the newest version of the secret, and saying what still needs an older one.

The law of this file: every encrypted column and every lookup mark stands in `ENCRYPTED` and `MARKED`; a test reads the source
for one that does not. A value is opened with whatever version fits, encrypted with the newest, and changed only if nobody else
changed it meanwhile; what is under the newest already is passed by. So it may be stopped at any moment and goes on where it
was. No server may run: its marks would be of the older version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from checkpoint.store.database import Database
from checkpoint.store.keys import Keys, WrongKey
from checkpoint.store.seals import seal_aside
from checkpoint.store.writer import Writer

AT_ONCE = 200
# How `standing` counts what no version locked.
IN_CLEAR = "clear"


class Column(NamedTuple):
    """An encrypted column, and the columns that tell its row; they stand in the value's place in this order."""

    table: str
    key: tuple[str, ...]
    name: str
    # Bytes of anybody's making: what an earlier program kept may be in clear, and is locked with the rest.
    raw: bool = False

    def place(self, key: tuple[object, ...]) -> str:
        """What is bound into the value of a row."""
        return f"{self.table}.{self.name}:{':'.join(part.hex() if isinstance(part, bytes) else str(part) for part in key)}"


class Mark(NamedTuple):
    """A column of lookup marks, the encrypted column that they are made of, and what kind of mark they are."""

    column: Column
    name: str
    kind: str


ENCRYPTED: tuple[Column, ...] = (
    Column("people", ("id",), "name"),
    Column("people", ("id",), "id_number"),
    Column("people", ("id",), "phone"),
    Column("staff", ("id",), "name"),
    Column("issuers", ("key_id",), "private_key"),
    Column("pass_seeds", ("pass_id", "generation"), "seed"),
    Column("sessions", ("token_hash",), "name"),
    Column("api_tokens", ("id",), "name"),
    Column("kept_answers", ("caller", "key"), "answer"),
    Column("accounts", ("id",), "sign_in"),
    Column("accounts", ("id",), "display"),
    Column("factors", ("id",), "label"),
    Column("factors", ("id",), "secret"),
    Column("challenges", ("token_hash",), "state"),
    Column("audit", ("id",), "detail"),
    Column("webhooks", ("id",), "secret"),
    Column("webhooks", ("id",), "old_secret"),
    Column("facts", ("number",), "received", raw=True),
    Column("aside", ("digest",), "raw", raw=True),
)
MARKED: tuple[Mark, ...] = (
    Mark(Column("people", ("id",), "id_number"), "id_mark", "id_number"),
    Mark(Column("accounts", ("id",), "sign_in"), "sign_in_mark", "sign-in"),
)


class Standing(NamedTuple):
    """How many values of a column each version of the secret opens, by the version's name."""

    column: Column
    counts: dict[str, int]


def standing(database: Database, keys: Keys) -> list[Standing]:
    """What each version is needed for. Raises `WrongKey` for a value that none of them opens."""
    found = []
    for column in ENCRYPTED:
        counts: dict[str, int] = {}
        for key, value in _values(database, column):
            name = _version_of(keys, value, column, key)
            counts[name] = counts.get(name, 0) + 1
        found.append(Standing(column, counts))
    return found


def encrypt_anew(
    database: Database, writer: Writer, keys: Keys, say: Callable[[str, int], None] = lambda table, count: None
) -> int:
    """Put every value and every mark under the newest version. Returns how many were changed; `say` hears of each column."""
    changed = 0
    for column in ENCRYPTED:
        count = 0
        marks = [mark for mark in MARKED if mark.column == column]
        stale = [
            (key, value) for key, value in _values(database, column) if keys.newest.unlocked(value, column.place(key)) is None
        ]
        for i in range(0, len(stale), AT_ONCE):
            part = stale[i : i + AT_ONCE]
            count += writer.do(partial(_anew, database, keys, column, marks, part))
        if count:
            say(f"{column.table}.{column.name}", count)
        changed += count
    return changed


def _anew(database: Database, keys: Keys, column: Column, marks: list[Mark], part: list[tuple[tuple[object, ...], bytes]]) -> int:
    where = " AND ".join(f"{name} = ?" for name in column.key)
    count = 0
    for key, value in part:
        place = column.place(key)
        told = keys.unlock(value, place) if column.raw else keys.decrypt(value, place).encode()
        names = [column.name, *(mark.name for mark in marks)]
        values = [keys.lock(told, place), *(keys.mark(mark.kind, told.decode()) for mark in marks)]
        sets = ", ".join(f"{name} = ?" for name in names)
        count += database.run(f"UPDATE {column.table} SET {sets} WHERE {where} AND {column.name} = ?", [*values, *key, value])
        if column.table == "aside":
            for (number,) in database.rows("SELECT number FROM aside WHERE digest = ?", key):
                seal_aside(database, keys, number)
    return count


def _values(database: Database, column: Column) -> Iterator[tuple[tuple[object, ...], bytes]]:
    there = f"{column.name} IS NOT NULL" + (f" AND length({column.name}) > 0" if column.raw else "")
    rows = database.rows(f"SELECT {', '.join(column.key)}, {column.name} FROM {column.table} WHERE {there}")
    return ((tuple(bytes(part) if isinstance(part, memoryview) else part for part in row[:-1]), bytes(row[-1])) for row in rows)


def _version_of(keys: Keys, value: bytes, column: Column, key: tuple[object, ...]) -> str:
    place = column.place(key)
    for version in keys.versions[::-1]:
        if version.unlocked(value, place) is not None:
            return version.name
    if column.raw:
        return IN_CLEAR
    raise WrongKey(f"what is kept at {place} was not encrypted with this key, or was altered")
