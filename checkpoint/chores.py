"""What the server does by itself, now and then: retention, backups, sending what waits to be sent.

The law of this file: a chore is a name, a rhythm and a piece of work that answers what it did, in a short text for machines.
They run one after the other on one thread, and only while this process is `elected`. One that fails is loud (the log, its
record), stands in nobody's way, and is tried again: after a minute, then after twice as long each time, at most after an hour
and never later than its own rhythm. When each last ran is kept in the store: a restart neither forgets a chore nor hurries it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock, Thread

import msgspec

from checkpoint.store.registry.chores import ChoreRecord, ChoresShelf

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
# A chore in a rhythm of seconds that has nothing new to say does not cost a commit each time.
WRITTEN_EVERY = timedelta(minutes=1)
TICK_S = 1.0
STUCK_FAILURES, STUCK_ROUNDS = 3, 3


def _said(error: Exception) -> str:
    """What a failure says of the machine; what may quote somebody's data says only what kind of failure it was."""
    speaks = isinstance(error, OSError | RuntimeError)
    return f"{type(error).__name__}: {error}" if speaks else type(error).__name__


@dataclass(frozen=True)
class Chore:
    """One thing to do again and again. `work` is told the time and returns its report; it raises when it failed."""

    name: str
    every: timedelta
    work: Callable[[datetime], str]

    def due(self, record: ChoreRecord, now: datetime) -> bool:
        """Whether its time has come. A clock that was set back makes it due: better once too often than never."""
        if record.failures:
            assert record.failed_at is not None
            wait = FIRST_WAIT * 2 ** min(record.failures - 1, 10)
            return not record.failed_at <= now < record.failed_at + min(wait, LONGEST_WAIT, self.every)
        return record.last_run is None or not record.last_run <= now < record.last_run + self.every


class Chores:
    """The chores of a server, and the thread that does them."""

    def __init__(self, now: Callable[[], datetime], elected: Callable[[], bool], kept: ChoresShelf) -> None:
        self._now, self._elected, self._kept = now, elected, kept
        self._chores: dict[str, Chore] = {}
        self._records: dict[str, ChoreRecord] = {}
        self._written: dict[str, ChoreRecord] = {}
        self._was_elected = False
        self._working = Lock()
        self._ending = Event()
        self._thread: Thread | None = None

    def add(self, chore: Chore) -> None:
        """One more chore. Its name is its place in the store: two of one name are a mistake of ours."""
        if chore.name in self._chores:
            raise ValueError(f"two chores named {chore.name}")
        self._chores[chore.name] = chore

    def start(self) -> None:
        """Begin to look, every second, for what is due."""
        self._thread = Thread(target=self._run, name="chores", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the chore that runs, then stop."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def run_due(self) -> list[str]:
        """Do what is due now, if this process is the elected one. Returns the names of what was done or tried."""
        if not self._elected():
            self._was_elected = False
            return []
        with self._working:
            if not self._was_elected:
                self._remember()
                self._was_elected = True
            ran = []
            for chore in list(self._chores.values()):
                if self._ending.is_set():
                    break
                if chore.due(self._record(chore.name), self._now()):
                    self._do(chore)
                    ran.append(chore.name)
            return ran

    def run_now(self, name: str) -> ChoreRecord:
        """Do one chore at once, due or not; returns its record, which says how it went. Raises `KeyError`."""
        chore = self._chores[name]
        with self._working:
            if not self._was_elected:
                self._remember()
            return self._do(chore)

    def reports(self) -> list[ChoreRecord]:
        """How each chore last went, in the order they were added; from the store, whichever process did them."""
        kept = {record.name: record for record in self._kept.chores()}
        return [kept.get(name, ChoreRecord(name=name)) for name in self._chores]

    def stuck(self, now: datetime) -> list[str]:
        """The chores that fail again and again, or were not done for far longer than their rhythm: whichever process should.

        One that never ran is not: its time may not have come.
        """

        def late(record: ChoreRecord) -> bool:
            patience = STUCK_ROUNDS * self._chores[record.name].every + LONGEST_WAIT
            return record.last_run is not None and now - record.last_run > patience

        return [record.name for record in self.reports() if record.failures >= STUCK_FAILURES or late(record)]

    def _remember(self) -> None:
        """Read how they went: another process may have done them until a moment ago."""
        self._records = {record.name: record for record in self._kept.chores()}
        self._written = dict(self._records)

    def _record(self, name: str) -> ChoreRecord:
        return self._records.get(name, ChoreRecord(name=name))

    def _do(self, chore: Chore) -> ChoreRecord:
        before, now = self._record(chore.name), self._now()
        try:
            report = chore.work(now)
        except Exception as error:
            log.exception("chore %s failed", chore.name)
            after = msgspec.structs.replace(before, last_failure=_said(error), failed_at=now, failures=before.failures + 1)
        else:
            if report != before.last_report or before.failures:
                log.info("chore %s: %s", chore.name, report)
            after = msgspec.structs.replace(before, last_run=now, last_report=report, failures=0)
        self._records[chore.name] = after
        self._keep(after)
        return after

    def _keep(self, record: ChoreRecord) -> None:
        written = self._written.get(record.name)
        if (
            written is not None
            and written.last_run is not None
            and record.last_run is not None
            and (record.last_report, record.failures) == (written.last_report, written.failures)
            and timedelta() <= record.last_run - written.last_run < WRITTEN_EVERY
        ):
            return
        try:
            self._kept.keep_chore(record)
            self._written[record.name] = record
        except Exception:
            log.exception("how chore %s went could not be kept", record.name)

    def _run(self) -> None:
        while not self._ending.wait(TICK_S):
            try:
                self.run_due()
            except Exception:
                log.exception("chores could not be looked at")
