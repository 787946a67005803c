"""How the server's chores last went (`checkpoint/chores.py`)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf
from checkpoint.store.tables import Chores


class ChoreRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a chore went: when it last ran well and what it said, when it last failed and why, how often since it ran well."""

    name: str
    last_run: datetime | None = None
    last_report: str = ""
    failed_at: datetime | None = None
    last_failure: str = ""
    failures: int = 0


class ChoresShelf(Shelf):
    """Chores."""

    def chores(self) -> list[ChoreRecord]:
        """Every chore that ever ran, by name."""
        return [
            ChoreRecord(
                name=row["name"],
                last_run=instant(row["last_run"]) if row["last_run"] is not None else None,
                last_report=row["last_report"],
                failed_at=instant(row["failed_at"]) if row["failed_at"] is not None else None,
                last_failure=row["last_failure"],
                failures=row["failures"],
            )
            for row in self._all(Chores.select().order_by(Chores.name))
        ]

    def keep_chore(self, record: ChoreRecord) -> None:
        """Put how a chore went in the place of how it went before."""
        values = {
            "last_run": micros(record.last_run) if record.last_run is not None else None,
            "last_report": record.last_report,
            "failed_at": micros(record.failed_at) if record.failed_at is not None else None,
            "last_failure": record.last_failure,
            "failures": record.failures,
        }
        insert = Chores.insert(name=record.name, **values)
        self._write(lambda: insert.on_conflict(conflict_target=[Chores.name], update=values).execute(self._db))
