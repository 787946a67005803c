"""Guessing is slow: after a few failures under one name, each further try waits twice as long as the one before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

FREE_TRIES = 5
LONGEST = timedelta(minutes=15)
KEPT = 10_000


class Throttle:
    """Counts failures by name (an account and an address, a kiosk token, a link). Kept in memory: a restart forgives."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = Lock()

    def wait(self, name: str) -> timedelta:
        """How long this name has to wait before it may try again; zero when it may."""
        with self._lock:
            count, last = self._failures.get(name, (0, self._now()))
        if count < FREE_TRIES:
            return timedelta()
        due = last + min(timedelta(seconds=2 ** min(count - FREE_TRIES + 1, 12)), LONGEST)
        return max(due - self._now(), timedelta())

    def failed(self, name: str) -> None:
        """Note a failure. Failures older than the longest wait are forgotten."""
        now = self._now()
        with self._lock:
            count, last = self._failures.pop(name, (0, now))
            if now - last > LONGEST:
                count = 0
            if len(self._failures) >= KEPT:
                self._failures.pop(next(iter(self._failures)))
            self._failures[name] = (count + 1, now)

    def succeeded(self, name: str) -> None:
        """Forget a name's failures."""
        with self._lock:
            self._failures.pop(name, None)
