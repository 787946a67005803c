"""What the watch has read of tracks, put by so that a start does not read all of it again. Anybody may throw it away.

The law of this file:

* Nothing here is the record. A row that is damaged, was made under another key or belongs to another program is no row.
* All rows and the number in `readings_to` are one account, written by one watch: whatever arrived of a vehicle up to that
  number, or up to the row's own, is in its row. Who finds that somebody else wrote meanwhile (`turn`) throws all away.
* A row names no fix from before the last sweep of positions: it leaves with what it was made from, and is not written again.

Kept on the writer's thread, a few rows in one transaction; read on any.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import Database, instant, micros
from checkpoint.store.keys import Keys, Proof

_LEVEL = 1
_MOST_BYTES = 16 << 20
_AT_ONCE = 400


class KeptReading(msgspec.Struct, frozen=True, kw_only=True):
    """A vehicle's track as it was read up to the position of that number. `made_by` tells the program and the loop; `oldest`
    is the earliest instant it names; `state` is where the reading stands, `before` some places to go back to."""

    vehicle: str
    made_by: str
    number: int
    oldest: datetime
    state: bytes
    before: bytes


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """All that is put by: whose turn it was last, the number that all rows go to at least, the rows that can be read, and the
    vehicles of those that cannot."""

    turn: str
    number: int
    rows: tuple[KeptReading, ...] = ()
    unreadable: tuple[str, ...] = ()


class Readings:
    """The rows, and the one number."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db = database
        self._keys = keys

    def account(self, made_by: Sequence[str]) -> Account:
        """What can be taken up of what was made by these."""
        with self._db.snapshot():
            turn, number = self._db.rows("SELECT turn, number FROM readings_to")[0]
            found = self._db.rows("SELECT vehicle, made_by, number, oldest, state, before, seal FROM readings")
        rows, unreadable = [], []
        for row in found:
            kept = self._opened(row) if row[1] in made_by else None
            if kept is None:
                unreadable.append(row[0])
            else:
                rows.append(kept)
        return Account(turn=turn, number=int(number), rows=tuple(rows), unreadable=tuple(unreadable))

    def _opened(self, row: Sequence[Any]) -> KeptReading | None:
        vehicle, made_by, number, oldest, state, before, seal = row
        state, before = bytes(state), bytes(before)
        if not self._keys.proves(bytes(seal), lambda proof: _seal(proof, vehicle, made_by, number, oldest, state, before)):
            return None
        try:
            state, before = _unzipped(state), _unzipped(before)
        except (zlib.error, ValueError):
            return None
        return KeptReading(vehicle=vehicle, made_by=made_by, number=number, oldest=instant(oldest), state=state, before=before)

    def keep(self, turn: str, number: int, rows: Iterable[KeptReading], gone: Iterable[str]) -> str | None:
        """Put rows by, let others go, and say up to which number all of them go now. Returns the next turn; None when it was
        not this one's turn: then nothing is put by, and nothing is left of what was."""
        [(held, swept)] = self._db.rows("SELECT turn, swept FROM readings_to")
        if held != turn:
            self.drop()
            return None
        rows = list(rows)
        kept = [row for row in rows if micros(row.oldest) >= swept]
        names = sorted({*gone, *(row.vehicle for row in rows)} - {row.vehicle for row in kept})
        for i in range(0, len(names), _AT_ONCE):
            part = names[i : i + _AT_ONCE]
            self._db.run(f"DELETE FROM readings WHERE vehicle IN ({', '.join('?' * len(part))})", part)
        self._db.run_many(
            "INSERT INTO readings (vehicle, made_by, number, oldest, state, before, seal) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (vehicle) DO UPDATE SET made_by = excluded.made_by, number = excluded.number,"
            " oldest = excluded.oldest, state = excluded.state, before = excluded.before, seal = excluded.seal",
            [self._row(row) for row in kept],
        )
        new = secrets.token_hex(8)
        self._db.run("UPDATE readings_to SET turn = ?, number = ?", (new, number))
        return new

    def _row(self, row: KeptReading) -> tuple[object, ...]:
        state, before = zlib.compress(row.state, _LEVEL), zlib.compress(row.before, _LEVEL)
        said = (row.vehicle, row.made_by, row.number, micros(row.oldest), state, before)
        return *said, _seal(self._keys, *said)

    def drop(self) -> None:
        """Throw all of it away."""
        drop_readings(self._db)


def drop_readings(database: Database) -> None:
    """Throw all readings away; on the writer's thread."""
    database.run("DELETE FROM readings")
    database.run("UPDATE readings_to SET turn = '', number = 0")


def outdate_readings(database: Database) -> None:
    """Throw all readings away, and what anybody has read and not put by yet as well; on the writer's thread."""
    database.run("DELETE FROM readings")
    database.run("UPDATE readings_to SET turn = ?, number = 0", (secrets.token_hex(8),))


def sweep_readings(database: Database, before: int) -> None:
    """Let go what names anything from before an instant, and have nothing put by that does; on the writer's thread."""
    database.run("DELETE FROM readings WHERE oldest < ?", (before,))
    database.run("UPDATE readings_to SET swept = ? WHERE swept < ?", (before, before))


def _seal(by: Proof | Keys, vehicle: str, made_by: str, number: int, oldest: int, state: bytes, before: bytes) -> bytes:
    head = f"reading\x1f{vehicle}\x1f{made_by}\x1f{number}\x1f{oldest}\x1f{len(state)}\x1f".encode()
    return by.seal(head + state + before)


def _unzipped(data: bytes) -> bytes:
    opening = zlib.decompressobj()
    found = opening.decompress(data, _MOST_BYTES)
    if not opening.eof:
        raise ValueError("cut off, or larger than any reading")
    return found
