"""Truck terminals: which ones a coordinator enrolled, what each shows to be believed, and how each stands.

A code comes here already hashed (SHA-256, hex). A terminal that registers again is given another one; the last stays good until
the new one is used, so that an answer lost on the way locks no truck out. One that is shut out has no code and gets none; only
`open_terminal` lets it in again, and the codes of before prove nothing. What stands here of a terminal's make is its own word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.tables import TerminalKnocks, Terminals

# Strangers that are remembered, and for how long: anybody can knock with any number.
MOST_KNOCKS = 200
KNOCKS_KEPT = timedelta(days=30)


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal by the name that the record knows. `open_until`: any device may register under its number until then; one
    that has registered may do so again at any time. `coded`: it has proved itself with a code of ours. `parameters` and `route`
    name what it was last told, their states what it said: `sent`, `taken`, `refused`, `unsupported`, `silent`."""

    device: str
    plate: str
    enrolled_at: datetime
    open_until: datetime | None = None
    coded: bool = False
    edition: str = ""
    maker: str = ""
    model: str = ""
    terminal_id: str = ""
    plate_said: str = ""
    registered_at: datetime | None = None
    registrations: int = 0
    refused_at: datetime | None = None
    refused_why: str = ""
    refused_detail: str = ""
    refusals: int = 0
    connected_at: datetime | None = None
    heard_at: datetime | None = None
    parted_at: datetime | None = None
    parameters: str = ""
    parameters_state: str = ""
    route: str = ""
    route_state: str = ""
    revoked_at: datetime | None = None

    @property
    def connected(self) -> bool:
        """Whether it is here now, as far as was written down."""
        return self.connected_at is not None and self.parted_at is None


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """A number that nobody enrolled, and what came with it."""

    device: str
    why: str
    said: str
    times: int
    first_at: datetime
    last_at: datetime


class TerminalsShelf(Shelf):
    """Terminals, and those who knocked."""

    def enrol_terminal(self, device: str, plate: str, open_until: datetime) -> bool:
        """Let a terminal register under its number until an instant. For one that is here the plate is another from now on; the
        code it has stays good. False, and nothing is changed, when it is shut out."""
        values: dict[str, Any] = {"plate": plate, "open_until": micros(open_until)}
        insert = Terminals.insert(device=device, enrolled_at=self._micros(), **values)

        def work() -> bool:
            if self._all(
                Terminals.select(Terminals.device).where(Terminals.device == device, Terminals.revoked_at.is_null(False))
            ):
                return False
            insert.on_conflict(conflict_target=[Terminals.device], update=values).execute(self._db)
            TerminalKnocks.delete().where(TerminalKnocks.device == device).execute(self._db)
            return True

        return self._write(work)

    def open_terminal(self, device: str, open_until: datetime) -> None:
        """Let any device register under an enrolled number until an instant, one that is shut out too."""
        self._change(device, {"open_until": micros(open_until), "revoked_at": None})

    def terminal(self, device: str) -> Terminal | None:
        """The terminal of that name, or None."""
        row = self._one(Terminals.select().where(Terminals.device == device))
        return _terminal(row) if row else None

    def terminals(self) -> dict[str, Terminal]:
        """All terminals, by name."""
        return {row["device"]: _terminal(row) for row in self._all(Terminals.select().order_by(Terminals.device))}

    def terminals_revoked(self) -> set[str]:
        """Those that are shut out."""
        return {row["device"] for row in self._all(Terminals.select(Terminals.device).where(Terminals.revoked_at.is_null(False)))}

    def terminal_registered(
        self, device: str, code_hash: str, *, edition: str, maker: str, model: str, terminal_id: str, plate_said: str
    ) -> None:
        """It registered, and was given a code."""
        values: dict[str, Any] = {
            "next_hash": code_hash, "edition": edition, "maker": maker, "model": model, "terminal_id": terminal_id,
            "plate_said": plate_said, "registered_at": self._micros(), "registrations": Terminals.registrations + 1,
        }  # fmt: skip
        self._change_of_one_let_in(device, values)

    def terminal_proved(self, device: str, code_hash: str) -> bool:
        """Whether it showed the code it has, or the one it was given last: which from then on is the only one."""
        row = self._one(Terminals.select().where(Terminals.device == device))
        if row is None:
            return False
        if row["next_hash"] is not None and compare_digest(row["next_hash"], code_hash):
            return self._change_of_one_let_in(device, {"code_hash": code_hash, "next_hash": None, "open_until": None})
        return row["code_hash"] is not None and compare_digest(row["code_hash"], code_hash)

    def terminal_awaits(self, device: str, code_hash: str) -> bool:
        """Whether this is the code it was given last, and it has not shown it yet."""
        row = self._one(Terminals.select(Terminals.next_hash).where(Terminals.device == device))
        return row is not None and row["next_hash"] is not None and compare_digest(row["next_hash"], code_hash)

    def terminal_refused(self, device: str, why: str, detail: str, times: int) -> None:
        """Something under its number was not let in."""
        values = {"refused_at": self._micros(), "refused_why": why, "refused_detail": detail}
        self._change(device, values | {"refusals": Terminals.refusals + times})

    def terminal_connected(self, device: str) -> None:
        """It is here, and has proved itself."""
        self._change(device, {"connected_at": self._micros(), "heard_at": self._micros(), "parted_at": None})

    def terminals_heard(self, heard: Mapping[str, datetime], parted: Mapping[str, datetime]) -> None:
        """When each was last heard, and which are gone: many in one."""

        def work() -> None:
            for column, moments in (("heard_at", heard), ("parted_at", parted)):
                told = [(micros(at), device) for device, at in moments.items()]
                self._db.run_many(f"UPDATE terminals SET {column} = ? WHERE device = ?", told)

        self._write(work)

    def terminals_forgotten(self) -> None:
        """None of them is here: their gateway has just begun."""
        here = Terminals.connected_at.is_null(False) & Terminals.parted_at.is_null()
        if self._all(Terminals.select(Terminals.device).where(here).limit(1)):
            self._write(lambda: Terminals.update(parted_at=self._micros()).where(here).execute(self._db))

    def terminal_told(self, device: str, what: str, content: str, state: str) -> None:
        """What it was told (`parameters` or `route`), and what it said to that."""
        assert what in ("parameters", "route")
        self._change(device, {what: content, f"{what}_state": state})

    def revoke_terminal(self, device: str) -> None:
        """Believe it no more."""
        self._change(device, {"revoked_at": self._micros(), "code_hash": None, "next_hash": None, "open_until": None})

    # -- strangers ----------------------------------------------------------------------------------------------------

    def terminal_knocked(self, device: str, why: str, said: str, times: int) -> None:
        """A number that nobody enrolled. The newest are remembered, a bounded number of them."""
        now = self._micros()
        insert = TerminalKnocks.insert(device=device, why=why, said=said, times=times, first_at=now, last_at=now)
        update: dict[str, Any] = {"why": why, "times": TerminalKnocks.times + times, "last_at": now}
        if said:  # what it says it is stands until it says something else
            update["said"] = said

        def work() -> None:
            insert.on_conflict(conflict_target=[TerminalKnocks.device], update=update).execute(self._db)
            self._db.run("DELETE FROM terminal_knocks WHERE last_at < ?", (now - micros_of(KNOCKS_KEPT),))
            self._db.run(
                "DELETE FROM terminal_knocks WHERE device NOT IN"
                " (SELECT device FROM terminal_knocks ORDER BY last_at DESC, device LIMIT ?)",
                (MOST_KNOCKS,),
            )

        self._write(work)

    def terminal_knocks(self) -> list[Knock]:
        """Who knocked, the newest first."""
        rows = self._all(TerminalKnocks.select().order_by(TerminalKnocks.last_at.desc(), TerminalKnocks.device))
        return [Knock(**row | {"first_at": instant(row["first_at"]), "last_at": instant(row["last_at"])}) for row in rows]

    def _change(self, device: str, values: dict[str, Any]) -> None:
        self._write(lambda: Terminals.update(**values).where(Terminals.device == device).execute(self._db))

    def _change_of_one_let_in(self, device: str, values: dict[str, Any]) -> bool:
        """The same, unless it was shut out since it was looked at: what comes late gives it no code. Whether it was done."""
        which = (Terminals.device == device) & Terminals.revoked_at.is_null()
        return bool(self._write(lambda: Terminals.update(**values).where(which).execute(self._db)))


_TIMES = ("open_until", "registered_at", "refused_at", "connected_at", "heard_at", "parted_at", "revoked_at", "enrolled_at")


def micros_of(length: timedelta) -> int:
    """A length of time in microseconds."""
    return length // timedelta(microseconds=1)


def _terminal(row: dict[str, Any]) -> Terminal:
    row["coded"] = row.pop("code_hash") is not None
    del row["next_hash"]
    return Terminal(**row | {name: instant(row[name]) if row[name] is not None else None for name in _TIMES})
