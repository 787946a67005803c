"""How much one caller may ask, and how much all of them together.

The law of this file:

* Every row of the route table has a `Rate`. Each caller has a bucket of its own for each rate: who is known by who they are,
  who is not by their address. So nobody's flood empties another's bucket. Programs on this very machine have none.
* At most `AT_ONCE` ordinary requests are worked on at a time, fewer than there are threads; the others wait their turn, and
  beyond `WAITING` or `PATIENCE_S` are told to come back. What is `vital` (a kiosk's scans, a driver's call for help) never waits
  behind them. A body is read before its request takes a place: a slow line holds up nobody but itself.
* Time is the machine's steady count: nobody can set it. Buckets are in memory: a restart forgives, and each process of
  several has its own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from math import ceil
from time import monotonic

from checkpoint.logs import address_of

# Threads that endpoints may use are 40: eight are left for what is vital.
AT_ONCE, WAITING, PATIENCE_S = 32, 256, 5.0
STREAMS_EACH, STREAMS = 8, 1000
KEPT = 50_000


@dataclass(frozen=True)
class Rate:
    """So many requests at once, and then so many a second."""

    name: str
    burst: int
    a_second: float


ORDINARY = Rate("ordinary", 240, 20)
# A page asks for two dozen files at once, and a whole office may share one address.
FILES = Rate("files", 1200, 100)
# Trackers know no password: a fleet behind one address shares its bucket.
FIXES = Rate("fixes", 2000, 200)
# Of devices that nobody bound: each message may be kept, and anybody can send one.
UNBOUND = Rate("unbound devices", 120, 2)
STATIONS = Rate("stations", 1200, 200)
# Whatever can be guessed: passwords, links, tokens. `Throttle` slows guessing at one name, this at many.
GUESSES = Rate("guesses", 30, 0.5)
# A one-time link is too long to be guessed, and a mobile network puts a province of drivers behind one address.
LINKS = Rate("links", 240, 10)
HELP = Rate("help", 20, 0.5)
# Of those who are turned away at the gate.
STRANGERS = Rate("strangers", 240, 10)


class TooMany(Exception):
    """A bucket is empty; in `wait_s` it is not."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"in {wait_s:.1f} s")
        self.wait_s = wait_s


class Full(Exception):
    """Too many requests are being worked on."""


class Limits:
    """The buckets of one server. `factor` makes all rates so many times as high; 0 takes them away."""

    def __init__(self, factor: float = 1.0, count: Callable[[], float] = monotonic, at_once: int = AT_ONCE) -> None:
        self.factor, self._count = factor, count
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._places, self._waiting = asyncio.Semaphore(at_once), 0
        self._streams: dict[str, int] = {}

    def spend(self, rate: Rate, who: str) -> None:
        """Take one request out of a caller's bucket. Raises `TooMany`."""
        if not self.factor:
            return
        now, burst, a_second = self._count(), rate.burst * self.factor, rate.a_second * self.factor
        left, since = self._buckets.pop((rate.name, who), (burst, now))
        left = min(burst, left + (now - since) * a_second)
        enough = left >= 1
        if len(self._buckets) >= KEPT:
            self._buckets.popitem(last=False)  # the one that was longest not asked for: fullest, most likely
        self._buckets[rate.name, who] = (left - enough, now)
        if not enough:
            raise TooMany((1 - left) / a_second)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place among the ordinary requests that are worked on. Raises `Full`."""
        if self._places.locked():
            if self._waiting >= WAITING:
                raise Full
            self._waiting += 1
            try:
                await asyncio.wait_for(self._places.acquire(), PATIENCE_S)
            except TimeoutError:
                raise Full from None
            finally:
                self._waiting -= 1
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(self._streams.values())

    def may_stream(self, who: str) -> bool:
        """Whether a caller may open one more stream."""
        return self._streams.get(who, 0) < STREAMS_EACH and self.streams < STREAMS

    @contextmanager
    def streaming(self, who: str) -> Iterator[None]:
        """Count a stream for as long as it is open."""
        self._streams[who] = self._streams.get(who, 0) + 1
        try:
            yield
        finally:
            self._streams[who] -= 1
            if not self._streams[who]:
                del self._streams[who]


def bucket_of(address: str) -> str:
    """Whose bucket an address shares: its own, or in IPv6 that of its network, of which one line has all."""
    parsed = address_of(address)
    if parsed is None:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)


def is_local(address: str) -> bool:
    """Whether an address is this machine's own."""
    parsed = address_of(address)
    return parsed is not None and parsed.is_loopback


def retry_after(wait_s: float) -> str:
    """As the header has it: whole seconds, at least one."""
    return str(max(1, ceil(wait_s)))
