"""Which process of several does what only one may do: telling of warnings, and the server's chores.

The law of this file: on PostgreSQL the elected process holds an advisory lock on a session of its own, and says every second
that it lives. One that dies loses session and lock at once. One that hangs is silent, and the server ends a session that is
silent for `SILENT_S`: with it goes the lock, and another has it within a second. A process takes itself for elected only as
long as its last sign of life was answered less than `SURE_S` ago, so that it stops before another begins.

On SQLite there is one server. Should somebody begin a second one on the same file, the first holds a file beside it locked, and
the second does nothing of this until the first has ended.

That is a courtesy, not a proof: a process may be stopped between asking and doing. What must not be done twice is fenced where
it is written (`Store.tell`).
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg

from checkpoint.store.database import StorageFailed
from checkpoint.store.postgres import Postgres

log = logging.getLogger(__name__)
# "watcher" in bytes: the lock of the elected.
ELECTED_LOCK = 0x77617463686572
BEAT_S = 1.0
SILENT_S = 5
SURE_S = 4.0


class Election:
    """The election on a SQLite file; who has not started is elected, for there is nobody else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = None
        self._waits = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, elected: Callable[[], None]) -> None:
        """Stand for election; `elected` is called, on another thread, when this process is later than at once."""
        if self._thread is not None or self._held is not None or self._lock():
            return
        log.error("another server runs on this database: this one tells of no warnings and does no chores until that one ends")
        self._waits = True
        self._ending.clear()
        self._thread = threading.Thread(target=self._wait, args=(elected,), name="election", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Step down, so that another need not wait."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._held is not None:
            os.close(self._held)
            self._held = None
        self._waits = False

    def elected(self) -> bool:
        """Whether it is this process, now."""
        return not self._waits

    def _wait(self, elected: Callable[[], None]) -> None:
        while not self._ending.wait(BEAT_S):
            if self._lock():
                self._waits = False
                elected()
                return

    def _lock(self) -> bool:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._held = handle
        return True


class SharedElection:
    """An election among the processes of one PostgreSQL database. Who has not started, or was stopped, is not elected."""

    def __init__(self, database: Postgres) -> None:
        self._database = database
        self._until = 0.0
        self._tell: Callable[[], None] = lambda: None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, elected: Callable[[], None]) -> None:
        """Stand for election; returns when it is known whether this process was elected at once. `elected` is called, on
        another thread, whenever it is."""
        if self._thread is None:
            asked = threading.Event()
            self._ending.clear()
            self._tell = elected
            self._thread = threading.Thread(target=self._run, args=(asked,), name="election", daemon=True)
            self._thread.start()
            asked.wait()

    def stop(self) -> None:
        """Step down."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def elected(self) -> bool:
        """Whether it is this process, for all it knows."""
        return monotonic() < self._until

    def _run(self, asked: threading.Event) -> None:
        while not self._ending.is_set():
            try:
                connection = self._database.connect_for(f"election {os.getpid()}")
            except StorageFailed as error:
                log.warning("no election: %s", error)
            else:
                try:
                    self._stand(connection, asked)
                except psycopg.Error as error:
                    log.warning("the election was cut off: %s", type(error).__name__)
                finally:
                    self._until = 0.0
                    connection.close()
            asked.set()
            self._ending.wait(BEAT_S)

    def _stand(self, connection: psycopg.Connection[Any], asked: threading.Event) -> None:
        connection.execute(f"SET idle_session_timeout = '{SILENT_S}s'; SET statement_timeout = '{SILENT_S}s'", prepare=False)
        holds = False
        while not self._ending.is_set():
            begun = monotonic()
            if holds:
                connection.execute("SELECT 1")
            else:
                row = connection.execute("SELECT pg_try_advisory_lock(%s)", (ELECTED_LOCK,)).fetchone()
                holds = row is not None and bool(row[0])
                if holds:
                    log.info("this process was elected: it tells of warnings")
                    self._until = begun + SURE_S
                    self._tell()
            if holds:
                self._until = begun + SURE_S
            asked.set()
            self._ending.wait(BEAT_S)
