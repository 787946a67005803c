"""Who looked at a person's data: one row for a reader, a person and a kind of reading in an hour.

The law of this file: a reading is never kept waiting for its trace. What is new in this hour goes to the writer, who has it
on the disk within the moment, and has finished with it before the store is closed; what was noted in this hour already costs
a look into a set. A trace that could not be written is loud, and is tried again with the next reading.

Readers are pseudonyms, as people are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime
from threading import Lock

import msgspec

from checkpoint.store.database import Database, instant, micros
from checkpoint.store.writer import Writer

log = logging.getLogger(__name__)
_HOUR = 3_600_000_000
_Key = tuple[str, str, str, str, str]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody read something about a person, first in that hour `at`. `reader` is a pseudonym within a `role`; `way` is how
    they came (`cookie`: a browser, `bearer`: a program, `shell`: a command on the server); `what` is the end of the
    catalogue's key `reads.what.<what>`."""

    person: str
    at: datetime
    reader: str
    role: str
    way: str
    what: str


class Traces:
    """Notes readings, from any thread, and tells who read."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._db = database
        self._writer = writer
        self._lock = Lock()
        self._hour = -1
        self._noted: set[_Key] = set()

    def note(self, *, reader: str, role: str, way: str, what: str, people: Iterable[str], at: datetime) -> Future[None] | None:
        """Somebody reads about these people now. Returns at once.

        The future, given where there is something new to write, is done when it is durable.
        """
        at_us = micros(at)
        hour = at_us // _HOUR
        with self._lock:
            if hour != self._hour:
                self._hour, self._noted = hour, set()
            fresh = {(person, reader, role, way, what) for person in people if person} - self._noted
            self._noted |= fresh
        if not fresh:
            return None
        rows = [(person, hour * _HOUR, reader, role, way, what, at_us) for person, *_ in sorted(fresh)]
        written = self._writer.submit(lambda: self._write(rows))
        written.add_done_callback(lambda done: self._written(done, fresh))
        return written

    def _write(self, rows: list[tuple[str, int, str, str, str, str, int]]) -> None:
        self._db.run_many(
            "INSERT INTO traces (person, hour, reader, role, way, what, at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            rows,
        )

    def _written(self, done: Future[None], keys: set[_Key]) -> None:
        error = done.exception()
        if error is not None:
            log.error("%d traces of readings could not be written: %s", len(keys), error)
            with self._lock:
                self._noted -= keys

    def of(self, person: str, limit: int = 10_000) -> list[Trace]:
        """Who read about a person, the newest first."""
        rows = self._db.rows(
            "SELECT person, at, reader, role, way, what FROM traces WHERE person = ?"
            " ORDER BY at DESC, reader, role, way, what LIMIT ?",
            (person, limit),
        )
        return [Trace(person=p, at=instant(at), reader=r, role=o, way=w, what=k) for p, at, r, o, w, k in rows]
