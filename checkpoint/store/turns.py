"""One at a time, under a name: work that reads, decides and writes in several steps, and must not be done by two at once.

The law of this file: on SQLite a turn is among the threads of the one process. On PostgreSQL it is among all processes: an
advisory lock on a session of its own, which ends with the turn, or with its process. Who waits too long for a turn is told
to come again. A process that hangs in its turn loses it when its session has been silent for `SILENT_S`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import psycopg

from checkpoint.store.database import StorageBusy
from checkpoint.store.postgres import Postgres

PATIENCE_S = 10
SILENT_S = 30


class Turns:
    """Turns among threads."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Wait for one's turn, and have it while the block lasts. Raises `StorageBusy`."""
        lock = self._locks[name]
        if not lock.acquire(timeout=PATIENCE_S):
            raise StorageBusy(f"somebody else is at it: {name}")
        try:
            yield
        finally:
            lock.release()


class SharedTurns(Turns):
    """Turns among the processes of one PostgreSQL database."""

    def __init__(self, database: Postgres) -> None:
        super().__init__()
        self._database = database

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Wait for one's turn among the threads here, then among the processes."""
        key = int.from_bytes(hashlib.sha256(f"checkpoint turn {name}".encode()).digest()[:8], signed=True)
        with super().take(name):
            connection = self._database.connect_for("turn")
            try:
                try:
                    connection.execute(
                        f"SET lock_timeout = '{PATIENCE_S}s'; SET idle_session_timeout = '{SILENT_S}s'", prepare=False
                    )
                    connection.execute("SELECT pg_advisory_lock(%s)", (key,))
                except psycopg.Error as error:
                    raise StorageBusy(f"somebody else is at it: {name}") from error
                yield
            finally:
                connection.close()
