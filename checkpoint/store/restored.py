"""A record that was brought back from a backup has gone back in time, and the world has not.

The law of this file: nothing that was given out after the backup is given out a second time, and nothing that was spent
after it can be spent again.

* The record says itself that it was brought back: `Restored` is a fact, in the server's own chain. Its number leaps, so that
  no number that was lost is given again and whoever reads by a cursor reads on.
* Serials of passes leap likewise.
* What works once or for a while (`SPENT`) works no more: whether it was used after the backup, nobody can know.

What was closed after the backup (a kiosk, an account, a member of staff) is open again: no rule can know it. The command says
so, and somebody must look.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from checkpoint.core.facts import Fact, Restored, digest_id
from checkpoint.store.database import Database, micros
from checkpoint.store.ledger import Ledger

# More facts, and more passes of one area, than anybody takes in between two backups. Numbers have room for it many times.
LEAP = 10_000_000
SERIALS_LEAP = 10_000
SERIALS_FROM = "serials_from"

# What is spent, and how. `:now` is the instant in microseconds.
SPENT: tuple[tuple[str, str], ...] = (
    # A driver's phone stays bound: its pass must open at the next gate.
    ("sessions", "DELETE FROM sessions WHERE role <> 'driver'"),
    ("invitations", "UPDATE invitations SET used_at = :now WHERE used_at IS NULL"),
    ("recovery-codes", "UPDATE recovery_codes SET used_at = :now WHERE used_at IS NULL"),
    ("challenges", "DELETE FROM challenges"),
    ("links", "UPDATE links SET closed_at = :now WHERE used_at IS NULL AND closed_at IS NULL"),
    ("kiosk-tokens", "UPDATE kiosks SET token_hash = NULL WHERE token_hash IS NOT NULL"),
)


class Lost(NamedTuple):
    """Numbers of facts that were lost: those after the first and before the second."""

    after: int
    before: int


class BroughtBack(NamedTuple):
    """What was done: the number of the fact that says so, and how many of each kind of `SPENT` work no more."""

    number: int
    spent: dict[str, int]


def bring_back(database: Database, ledger: Ledger, taken_at: datetime, backup: str, now: datetime) -> BroughtBack:
    """Make a record that was brought back fit to go on; on the writer's thread, in its transaction."""
    last = ledger.last_number()
    spent = {name: _run(database, statement, micros(now)) for name, statement in SPENT}
    database.run("UPDATE serials SET last = last + ?", (SERIALS_LEAP,))
    # An area that got its first serial after the backup has no row: it begins where the others have leapt to.
    database.run(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (SERIALS_FROM, str(SERIALS_LEAP * (len(lost(ledger)) + 1))),
    )
    what = Restored(taken_at=taken_at, last_number=last, backup=backup)
    name = digest_id("restored", str(last), taken_at.isoformat(), now.isoformat())
    number = ledger.leap(Fact(id=name, at=now, witness="server", what=what), LEAP, now)
    return BroughtBack(number, spent)


def lost(ledger: Ledger) -> tuple[Lost, ...]:
    """The numbers that were lost each time that the record was brought back, the first time first."""
    return tuple(
        Lost(recorded.fact.what.last_number, recorded.number)
        for recorded in ledger.of_kind(Restored.__name__)
        if isinstance(recorded.fact.what, Restored) and recorded.fact.witness == "server"
    )


def _run(database: Database, statement: str, now: int) -> int:
    before, named, after = statement.partition(":now")
    return database.run(f"{before}?{after}", (now,)) if named else database.run(statement)
