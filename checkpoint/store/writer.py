"""One thread writes. Those who wait share a commit.

The law of this file: a future is resolved after the commit that holds its work, never before. Each piece of work has a
savepoint: what fails is rolled back alone and raises to its own caller, its neighbours stand. When the commit itself
fails, everybody in it hears `StorageFailed`, and nothing of it is held.

The transaction is `BEGIN IMMEDIATE`: one that reads first and writes later is refused under load.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from checkpoint.store.database import Sqlite, StorageFailed

T = TypeVar("T")
_Waiting = tuple[Callable[[], Any], "Future[Any]"]
MOST_PER_COMMIT = 500


class Writer:
    """Runs work on the writing connection, in the order it was handed in."""

    def __init__(self, database: Sqlite) -> None:
        self._database = database
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
            self._queue.put((work, future))
        return future

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
            group, last = [first], False
            while len(group) < MOST_PER_COMMIT:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    last = True
                    break
                group.append(waiting)
            self._commit(group)
            if last:
                break

    def _commit(self, group: list[_Waiting]) -> None:
        run = self._database.run
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            run("BEGIN IMMEDIATE")
            for work, future in group:
                run("SAVEPOINT work")
                try:
                    done.append((future, work(), None))
                except Exception as error:  # noqa: BLE001 - handed to the one who asked, who raises it
                    run("ROLLBACK TO work")
                    done.append((future, None, error))
                run("RELEASE work")
            run("COMMIT")
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits for this commit
            with contextlib.suppress(StorageFailed):
                run("ROLLBACK")
            for _, future in group:
                failed = StorageFailed(f"the commit failed: {error}")
                failed.__cause__ = error
                future.set_exception(failed)
            return
        for future, result, refused in done:
            if refused is None:
                future.set_result(result)
            else:
                future.set_exception(refused)
