"""What one process tells the others, as it happens: a word that there is something new to read, never the thing itself.

The law of this file: a signal may be lost, come late, or stand for several; who hears one reads the record, and who hears none
for a while reads it as well. After a time without ears `LOST` is heard, and everybody looks for themselves. Publishing never
waits.

On SQLite there is one process, and whoever publishes is heard by those who subscribed here. On PostgreSQL a thread of its own
listens on a connection of its own (NOTIFY and LISTEN), makes it anew when it is lost, and sends what is to be sent.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from checkpoint.store.database import StorageFailed
from checkpoint.store.postgres import Postgres

log = logging.getLogger(__name__)
Heard = Callable[[str, str], None]
# The channel on which is said that the record has grown.
RECORD = "record"
# Heard when signals may have been missed.
LOST = "lost"
_CHANNEL = "checkpoint"
# What the database carries at most is 8000 bytes; one that is longer says only that there was something.
_LONGEST = 7_000
_AGAIN_S = 1.0
_CHECK_S = 10.0


class Signals:
    """Signals within this process."""

    shared = False

    def __init__(self) -> None:
        self._hearing: list[Heard] = []

    def publish(self, channel: str, payload: str = "") -> None:
        """Tell everybody who subscribed, in every process. From any thread."""
        self._tell(channel, payload)

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Hear what is published; called on threads of others, so it must be quick. Returns how to hear no more."""
        self._hearing = [*self._hearing, heard]

        def leave() -> None:
            self._hearing = [h for h in self._hearing if h is not heard]

        return leave

    def close(self) -> None:
        """Hear and send nothing more."""
        self._hearing = []

    def _tell(self, channel: str, payload: str) -> None:
        for heard in self._hearing:
            try:
                heard(channel, payload)
            except Exception:
                log.exception("a signal was not understood")


class _Signal(msgspec.Struct, frozen=True):
    origin: str
    channel: str
    payload: str


class SharedSignals(Signals):
    """Signals between the processes of one PostgreSQL database. The thread begins with the first word said or listened for."""

    shared = True

    def __init__(self, database: Postgres) -> None:
        super().__init__()
        self._database = database
        self._origin = secrets.token_hex(6)
        self._lock = threading.Lock()
        # Waiting to be sent: the same word twice is one.
        self._waiting: dict[tuple[str, str], None] = {}
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._closed = False
        self._thread: threading.Thread | None = None

    def publish(self, channel: str, payload: str = "") -> None:
        """Tell everybody who subscribed, in every process."""
        self._tell(channel, payload)
        with self._lock:
            if self._closed:
                return
            self._waiting[channel, payload] = None
            self._begin()
            self._wake()

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Hear what is published in any process."""
        leave = super().subscribe(heard)
        with self._lock:
            if not self._closed:
                self._begin()
        return leave

    def close(self) -> None:
        """End the thread and its connection."""
        super().close()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._wake()
        if self._thread is not None:
            self._thread.join()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
            self._thread.start()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # a pipe that is full wakes as well
            os.write(self._wake_in, b".")

    # -- the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        heard_before = False
        while not self._closed:
            try:
                connection = self._database.connect_for("signals")
            except StorageFailed as error:
                log.warning("no signals from other processes: %s", error)
                self._rest(_AGAIN_S)
                continue
            try:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(_CHANNEL)))
                if heard_before:
                    self._tell(LOST, "")
                heard_before = True
                while not self._closed:
                    self._turn(connection)
            except psycopg.Error as error:
                log.warning("signals from other processes were cut off: %s", type(error).__name__)
                self._rest(_AGAIN_S)
            finally:
                connection.close()

    def _rest(self, seconds: float) -> None:
        if not self._closed:
            select.select([self._wake_out], [], [], seconds)
            self._drain()

    def _turn(self, connection: psycopg.Connection[Any]) -> None:
        ready, _, _ = select.select([connection.fileno(), self._wake_out], [], [], _CHECK_S)
        if self._wake_out in ready:
            self._drain()
        with self._lock:
            words, self._waiting = list(self._waiting), {}
        for channel, payload in words:
            said = msgspec.json.encode(_Signal(self._origin, channel, payload if len(payload) <= _LONGEST else "")).decode()
            connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, said))
        if not ready:
            connection.execute("SELECT 1")  # is anybody there?
        for notice in connection.notifies(timeout=0):
            signal = msgspec.json.decode(notice.payload, type=_Signal)
            if signal.origin != self._origin:
                self._tell(signal.channel, signal.payload)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._wake_out, 4096):
                pass
