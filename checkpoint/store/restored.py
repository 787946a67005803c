"""A record that was brought back from a backup has gone back in time, and the world has not.

The law of this file: nothing that was given out after the backup is given out a second time, and nothing that was spent
after it can be spent again.

* The record says itself that it was brought back: `Restored` is a fact, in the server's own chain. Its number leaps, so that
  no number that was lost is given again and whoever reads by a cursor reads on.
* Serials of passes leap likewise.
* Both leap the further, the older the backup is: who restores the same backup again later knows nothing of the first time, and
  passes by what was given out since then all the same (while that is less than `FACTS_PER_S` and `SERIALS_PER_S` on average).
* What was put by of tracks (`readings.py`) is thrown away: the watch reads them again from the fixes that are here.
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
from checkpoint.store.readings import drop_readings

# More facts, and more passes of one area, than anybody takes in between two backups. Numbers have room for it many times.
LEAP = 10_000_000
SERIALS_LEAP = 10_000
SERIALS_FROM = "serials_from"
# More than one installation takes in, and grants in one area, on average over the time since a backup.
FACTS_PER_S, SERIALS_PER_S = 1_000, 0.1

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
    drop_readings(database)
    spent = {name: _run(database, statement, micros(now)) for name, statement in SPENT}
    age_s = max(0.0, (now - taken_at).total_seconds())
    serials_leap = SERIALS_LEAP + int(age_s * SERIALS_PER_S)
    database.run("UPDATE serials SET last = last + ?", (serials_leap,))
    # An area that got its first serial after the backup has no row: it begins where the others have leapt to.
    kept = database.rows("SELECT value FROM settings WHERE name = ?", (SERIALS_FROM,))
    database.run(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (SERIALS_FROM, str((int(kept[0][0]) if kept else 0) + serials_leap)),
    )
    what = Restored(taken_at=taken_at, last_number=last, backup=backup)
    name = digest_id("restored", str(last), taken_at.isoformat(), now.isoformat())
    number = ledger.leap(Fact(id=name, at=now, witness="server", what=what), LEAP + int(age_s) * FACTS_PER_S, now)
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
