"""One thread writes. Those who wait share a commit.

The law of this file: a future is resolved after the commit that holds its work, never before. Each piece of work has a
savepoint: what fails is rolled back alone and raises to its own caller, its neighbours stand. When the commit itself
fails, everybody in it hears `StorageFailed`, and nothing of it is held.

When a commit takes longer than `PATIENCE_S` (another program holds the file, the disk hangs), whoever comes is refused at
once instead of waiting in a row that grows; when it failed, the writer knocks until it is let in, and goes on by itself.
When there is no room, the reserve is let go and the same work is done again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from checkpoint.store.database import Database, StorageBusy, StorageFailed, StorageFull
from checkpoint.store.room import Headroom
from checkpoint.store.tally import Tally

log = logging.getLogger(__name__)

T = TypeVar("T")
_Waiting = tuple[Callable[[], Any], "Future[Any]"]
MOST_PER_COMMIT = 500
PATIENCE_S = 2.0
KNOCK_EVERY_S = 0.2


class Writer:
    """Runs work on the writing connection, in the order it was handed in."""

    def __init__(self, database: Database, headroom: Headroom, tally: Tally) -> None:
        self._database = database
        self._headroom = headroom
        self._tally = tally
        # Since when a commit is under way, or is waited for in vain.
        self._since: float | None = None
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Hand work in; the future holds its result once it is durable."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StorageFailed("the store is closed")
            if self.stuck:
                raise StorageBusy("what came before is not written yet")
            self._queue.put((work, future))
        return future

    @property
    def stuck(self) -> bool:
        """Whether writing does not go on, and whoever comes now is refused."""
        since = self._since
        return since is not None and monotonic() - since > PATIENCE_S

    @property
    def depth(self) -> int:
        """How much waits to be written."""
        return self._queue.qsize()

    def do(self, work: Callable[[], T]) -> T:
        """Hand work in and wait until it is durable."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the writer cannot wait for itself")
        return self.submit(work).result()

    def stop(self) -> None:
        """Finish what was handed in, then stop."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        self._database.writes()
        while (first := self._queue.get()) is not None:
            group = [first, *self._waiting(MOST_PER_COMMIT - 1)]
            # From here on nobody takes their work back: an answer that nobody waits for must not end this thread.
            group = [(work, future) for work, future in group if future.set_running_or_notify_cancel()]
            self._since = monotonic()
            failed = self._commit(group)
            if isinstance(failed, StorageFull) and self._headroom.let_go():
                failed = self._commit(group)
            if failed is not None:
                self._tally.failed += 1
                for _, future in group:
                    future.set_exception(_said_to_one(failed))
                if self.stuck:
                    self._knock()
            elif not self._headroom.laid:
                self._headroom.lay()
            self._since = None

    def _waiting(self, most: int) -> list[_Waiting]:
        """What else waits now, up to the end if the end was told."""
        found: list[_Waiting] = []
        while len(found) < most:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is None:
                self._queue.put(None)  # nothing is handed in after it
                break
            found.append(waiting)
        return found

    def _knock(self) -> None:
        """Wait until the database takes something in again. Who waits already is told that nothing of theirs is held."""
        log.error("the database does not let us write: what comes is refused until it does")
        while not self._closed:
            for _, future in self._waiting(MOST_PER_COMMIT):
                if future.set_running_or_notify_cancel():
                    future.set_exception(StorageBusy("the database does not let us write"))
            try:
                self._database.begin_writing()
                self._database.abandon_writing()
            except StorageFailed:
                threading.Event().wait(KNOCK_EVERY_S)
                continue
            log.error("the database lets us write again")
            break

    def _commit(self, group: list[_Waiting]) -> StorageFailed | None:
        """Do a group's work in one transaction and answer it; or answer nobody, and return why."""
        database, begun = self._database, monotonic()
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            database.begin_writing()
            for work, future in group:
                database.begin_part("work")
                try:
                    result = work()
                    database.settle()
                except StorageFull:
                    raise  # there may be room in a moment: then it is done again, with all the others
                except Exception as error:  # noqa: BLE001 - handed to the one who asked, who raises it
                    database.undo_part("work")
                    done.append((future, None, error))
                else:
                    database.end_part("work")
                    done.append((future, result, None))
            database.commit_writing()
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for this commit
            database.abandon_writing()
            failed = error if isinstance(error, StorageFailed) else StorageFailed(str(error))
            failed.__cause__ = error.__cause__ if failed is error else error
            return failed
        self._tally.committed(monotonic() - begun)
        for future, result, refused in done:
            if refused is None:
                future.set_result(result)
            else:
                future.set_exception(refused)
        return None


def _said_to_one(failed: StorageFailed) -> StorageFailed:
    """A failure of all as an error for one: an error that many raise at once would grow a traceback of them all."""
    said = type(failed)(f"the commit failed: {failed}")
    said.__cause__ = failed
    return said
