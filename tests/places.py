"""Where a test's store is: a file, or a database of a PostgreSQL server. The same tests run on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import psycopg

from checkpoint.store import Store
from checkpoint.store.postgres import translated

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Place:
    """An empty database of a kind, and the folder of its key."""

    kind: str
    folder: Path
    where: Path | str

    def open(self, now: Callable[[], datetime]) -> Store:
        """Open the store that is there."""
        return Store.open(self.where, now, key_folder=self.folder)

    def behind(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement behind the store's back; what it returns."""
        if isinstance(self.where, Path):
            db = apsw.Connection(str(self.where))
            try:
                return list(db.execute(sql, values))
            finally:
                db.close()
        with psycopg.connect(self.where, autocommit=True) as connection:
            cursor = connection.execute(translated(sql), values)
            return cursor.fetchall() if cursor.description else []
