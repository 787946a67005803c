"""Devices' own ways: what a coordinator declared of a device's datum and clock, and what was noticed of its clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.core.declared import AS_SENT, Declared
from checkpoint.store.database import instant
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.tables import Declared as Rows


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a device: what was declared and when (None: never), and the constant offset its clock was seen to have
    (None: nobody could say yet)."""

    declared: Declared = AS_SENT
    declared_at: datetime | None = None
    seen_clock_s: int | None = None
    seen_clock_at: datetime | None = None


class DeclaredShelf(Shelf):
    """Declarations about devices."""

    def declared(self, devices: Iterable[str]) -> dict[str, Declared]:
        """What was declared of those devices of which anything was."""
        # Asked with every delivery of positions: past peewee, whose building of a query costs more.
        wanted = sorted(set(devices))
        marks = ", ".join("?" * len(wanted))
        where = f"device IN ({marks}) AND declared_at IS NOT NULL"
        rows = self._db.rows(f"SELECT device, datum, clock_s FROM declared WHERE {where}", wanted) if wanted else []
        return {device: Declared(datum=datum, clock_s=clock_s) for device, datum, clock_s in rows}

    def ways_of(self, device: str) -> Ways:
        """What is known of a device."""
        row = Rows.select().where(Rows.device == device)
        found = next(iter(self._all(row)), None)
        return _ways(found) if found is not None else Ways()

    def declare(self, device: str, declared: Declared) -> None:
        """What a coordinator says of a device, from now on."""
        values = {"datum": declared.datum, "clock_s": declared.clock_s, "declared_at": self._micros()}
        self._put(device, values)

    def clock_seen(self, device: str, offset_s: int | None) -> None:
        """The constant offset a device's clock was seen to have."""
        self._put(device, {"seen_clock_s": offset_s, "seen_clock_at": self._micros()})

    def odd_clocks(self) -> dict[str, Ways]:
        """The devices whose clock was seen to be off by another offset than was declared."""
        rows = self._all(Rows.select().where(Rows.seen_clock_s.is_null(False)).order_by(Rows.device))
        found = {row["device"]: _ways(row) for row in rows}
        return {device: ways for device, ways in found.items() if is_odd(ways)}

    def _put(self, device: str, values: dict[str, Any]) -> None:
        insert = Rows.insert(device=device, **values)
        self._write(lambda: insert.on_conflict(conflict_target=[Rows.device], update=values).execute(self._db))


def is_odd(ways: Ways) -> bool:
    """Whether a clock was seen to be off by more than what was declared explains."""
    seen_s = ways.seen_clock_s
    return seen_s is not None and abs(seen_s - ways.declared.clock_s) > 120


def _ways(row: dict[str, Any]) -> Ways:
    declared = Declared(datum=row["datum"], clock_s=row["clock_s"]) if row["declared_at"] is not None else AS_SENT
    return Ways(
        declared=declared,
        declared_at=instant(row["declared_at"]) if row["declared_at"] is not None else None,
        seen_clock_s=row["seen_clock_s"],
        seen_clock_at=instant(row["seen_clock_at"]) if row["seen_clock_at"] is not None else None,
    )
