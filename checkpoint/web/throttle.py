"""Guessing is slow: after a few failures under one name, each further try waits twice as long as the one before.

`Throttle` keeps its count in memory: what it guards (tokens of 128 bits) nobody guesses. `Guessing` guards passphrases and
codes, and keeps its count in the registry: a restart forgives nothing, and all processes count together.

The law of guessing: nobody is locked out for good, and nobody can lock out another. Failures are counted by account and
address together, by address, and by account alone; the last has many free tries and a short longest wait, and does not count
for a browser that has signed in to that account before. A passkey is never made to wait: it cannot be guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkpoint.store.registry import Registry

FREE_TRIES = 5
LONGEST = timedelta(minutes=15)
KEPT = 10_000


def due(count: int, last: datetime, free: int = FREE_TRIES, longest: timedelta = LONGEST) -> datetime:
    """When the next try may be made after so many failures in a row."""
    if count < free:
        return last
    return last + min(timedelta(seconds=2 ** min(count - free + 1, 12)), longest)


class Throttle:
    """Counts failures by name (a kiosk token, a link) in memory: a restart forgives."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._lock = Lock()

    def wait(self, name: str) -> timedelta:
        """How long this name has to wait before it may try again; zero when it may."""
        with self._lock:
            count, last = self._failures.get(name, (0, self._now()))
        return max(due(count, last) - self._now(), timedelta())

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


@dataclass(frozen=True)
class Count:
    """Failures that are counted together: how many are free, how long the longest wait is, when they are forgotten."""

    name: str
    free: int = FREE_TRIES
    longest: timedelta = LONGEST
    forgotten: timedelta = timedelta(hours=1)


def at_the_door(account: str, address: str, browser: str = "") -> tuple[Count, ...]:
    """What is counted when somebody tries to sign in under a name from an address; `browser` names one that did before."""
    if browser:
        return (Count(f"door {account} browser {browser}"),)
    return (
        Count(f"door {account} {address}"),
        Count(f"address {address}", free=30),
        Count(f"account {account}", free=50, longest=timedelta(minutes=1)),
    )


def at_the_code(account: str, browser: str = "") -> tuple[Count, ...]:
    """What is counted when a one-time code is asked for. Who gets here knows the passphrase: all tries count together, but
    for a browser that came in before."""
    return (Count(f"code {account} {browser}", longest=timedelta(minutes=5)),)


class Guessing:
    """Counts failures in the registry. Blocks: call it in a thread."""

    def __init__(self, registry: Registry, now: Callable[[], datetime]) -> None:
        self._registry, self._now = registry, now

    def wait(self, counts: tuple[Count, ...]) -> timedelta:
        """How long to wait before the next try; zero when it may be made."""
        now = self._now()
        waits = [timedelta()]
        for count in counts:
            found = self._registry.failures(count.name)
            if found is not None and now - found[1] <= count.forgotten:
                waits.append(due(*found, count.free, count.longest) - now)
        return max(waits)

    def failed(self, counts: tuple[Count, ...]) -> None:
        """Note a failure."""
        for count in counts:
            self._registry.note_failure(count.name, count.forgotten)

    def succeeded(self, counts: tuple[Count, ...]) -> None:
        """Forget the failures of whoever got in; those of its address are others' too."""
        for count in counts:
            if not count.name.startswith("address "):
                self._registry.forget_failures(count.name)
