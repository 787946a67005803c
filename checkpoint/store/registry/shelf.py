"""What the parts of the registry share: where to read, who writes, what encrypts, what time it is."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from checkpoint.store.database import Database, micros
from checkpoint.store.keys import Keys
from checkpoint.store.writer import Writer

T = TypeVar("T")


class Shelf:
    """Tables that are not the record: they change in place. Every write is durable when its method returns."""

    def __init__(self, database: Database, writer: Writer, keys: Keys, now: Callable[[], datetime]) -> None:
        self._db = database
        self._writer = writer
        self._keys = keys
        self._now = now

    def _write(self, work: Callable[[], T]) -> T:
        return self._writer.do(work)

    def _all(self, query: Any) -> list[dict[str, Any]]:
        return list(query.dicts().execute(self._db))

    def _one(self, query: Any) -> dict[str, Any] | None:
        rows = self._all(query)
        return rows[0] if rows else None

    def _micros(self) -> int:
        return micros(self._now())


def new_id(kind: str) -> str:
    """A pseudonym or id that tells nothing: `p-7f…`, 60 random bits."""
    return f"{kind}-{secrets.token_hex(8)[:15]}"
