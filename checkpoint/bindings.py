"""Which vehicle a phone or terminal reports for, from when to when.

The law of this file: the record decides (`DeviceBound` and `DeviceReleased`, with their corrections). Of all bindings that
cover an instant the one that begins last counts; a release ends what began before it, unless that was said only after it.
Where none covers it the device is a stranger, and what it sends is laid to nobody. The registry's word stands for the time
before the first binding of devices that were bound before bindings had a beginning.

Asked with every position, so what was read is kept for as long as the record has neither a new binding nor a new correction:
that is one probe of an index, whoever wrote to the record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from checkpoint.core.book import Book
from checkpoint.core.facts import Amended, DeviceBound, DeviceReleased, Fact
from checkpoint.store import Store

# What the record calls devices by itself, or a recording: nothing that speaks to us can choose such a name, only prove it.
NAMED, PHONES, TERMINALS, IMPORTED = "tracker-", "phone-link-", "terminal-", "import-"
OWN_NAMES = (NAMED, PHONES, TERMINALS, IMPORTED)
_CHANGED_BY = ("DeviceBound", "DeviceReleased", "Amended", "Voided")


class Binding(NamedTuple):
    """A device reported for a vehicle from an instant on, and until another (None: nothing ended it). `fact` said so."""

    since: datetime
    until: datetime | None
    vehicle: str
    fact: str = ""


class Bound(NamedTuple):
    """One device: its bindings, those that begin last first, and the vehicle for the time before them."""

    bindings: Sequence[Binding]
    before: str | None

    @property
    def ever(self) -> bool:
        """Whether anybody ever bound it: one that nobody did is a number that somebody sent."""
        return bool(self.bindings) or self.before is not None

    def at(self, at: datetime) -> Binding | None:
        """The binding that counts at an instant, or None."""
        return next((b for b in self.bindings if b.since <= at and (b.until is None or at < b.until)), None)

    def vehicle(self, at: datetime) -> str | None:
        """The vehicle that it reported for at an instant, or None."""
        found = self.at(at)
        if found is not None:
            return found.vehicle
        begun = bool(self.bindings) and self.bindings[-1].since <= at
        return None if begun else self.before


class Stretch(NamedTuple):
    """A stretch of time of a vehicle; None: without a beginning, without an end."""

    vehicle: str
    since: datetime | None
    until: datetime | None


def bindings_in(facts: Iterable[Fact]) -> Sequence[Binding]:
    """The bindings that facts about one device make, those that begin last first."""
    bound, released = [], []
    for fact in facts:
        what = fact.what
        if isinstance(what, DeviceBound):
            bound.append((what.since or fact.at, fact.at, fact.id, what))
        elif isinstance(what, DeviceReleased):
            released.append((what.since or fact.at, fact.at))
    found = []
    for since, said, name, what in sorted(bound, key=lambda each: each[:3], reverse=True):
        ends = [at for at, later in released if at >= since and later >= said]
        ends += [what.until] if what.until is not None else []
        found.append(Binding(since, min(ends, default=None), what.vehicle, name))
    return found


_Span = tuple[datetime | None, datetime | None]


def _ever_said(told: Sequence[Fact], device: str, before: str | None) -> dict[str, list[_Span]]:
    """For each vehicle the times for which it was ever said that a device reports for it, whatever became of that. Fixes of other
    times lie there by what has left the record since, and stay."""
    begins = {fact.id: fact.at for fact in told}
    for fact in told:
        if isinstance(fact.what, Amended) and fact.what.at is not None:
            begins[fact.what.target] = min(fact.what.at, begins.get(fact.what.target, fact.what.at))
    found: dict[str, list[_Span]] = defaultdict(list)
    if before is not None:
        found[before].append((None, None))
    for fact in told:
        what = fact.what.what if isinstance(fact.what, Amended) else fact.what
        if isinstance(what, DeviceBound) and what.device == device:
            begun = begins.get(fact.what.target, fact.at) if isinstance(fact.what, Amended) else begins[fact.id]
            found[what.vehicle].append((what.since or begun, what.until))
    return found


def _holds(span: _Span, at: datetime | None) -> bool:
    """Whether a span holds an instant; None is before all others."""
    since, until = span
    if at is None:
        return since is None
    return (since is None or since <= at) and (until is None or at < until)


class Bindings:
    """Devices and their vehicles. From any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # The number of the last fact that could change a binding, and what was read when it was that.
        self._kept: tuple[int, dict[str, Sequence[Binding]]] = (-1, {})

    def of(self, device: str) -> Bound:
        """What is known of a device now."""
        return Bound(self._of(device), self._store.registry.device_vehicle(device))

    def revision(self) -> int:
        """Another number after anything was said by which a binding could be another."""
        return self._store.last_number_of(*_CHANGED_BY)

    def astray(self, device: str) -> list[Stretch]:
        """Where fixes of a device may lie that were laid to a vehicle by what was said once, and is no more."""
        bound = self.of(device)
        found: list[Stretch] = []
        for vehicle, spans in _ever_said(told_of(self._store, f"device:{device}"), device, bound.before).items():
            edges = {at for b in bound.bindings for at in (b.since, b.until)} | {at for span in spans for at in span}
            times: list[datetime | None] = [None, *sorted(at for at in edges if at is not None)]
            for since, until in zip(times, [*times[1:], None], strict=True):
                # Between two edges nothing changes: what holds at the first of them holds for the stretch.
                stands = bound.vehicle(since) if since is not None else bound.before
                if stands != vehicle and any(_holds(span, since) for span in spans):
                    found.append(Stretch(vehicle, since, until))
        return found

    def _of(self, device: str) -> Sequence[Binding]:
        number = self.revision()  # before the reading: what comes meanwhile is then read again
        kept_at, kept = self._kept
        if kept_at != number:
            kept = {}
            self._kept = (number, kept)
        found = kept.get(device)
        if found is None:
            name = f"device:{device}"
            found = bindings_in(book_of(self._store, name).of(name))
            if found:  # numbers that nobody bound are anybody's invention: they fill no memory of ours
                kept[device] = found
        return found


def book_of(store: Store, *names: str) -> Book:
    """The facts about some subjects, with what corrects them, and what corrects that."""
    return Book(told_of(store, *names))


def told_of(store: Store, *names: str) -> list[Fact]:
    """Whatever was told about some subjects, with what corrects it, and what it corrects."""
    found: dict[str, Fact] = {}
    fresh = {f.id: f for f in store.facts_of(*names)}
    while fresh:
        found |= fresh
        near = store.facts_of(*(f"fact:{name}" for name in fresh))
        for fact in fresh.values():
            # What was amended to be about another is about this one by its amendment alone.
            target = store.fact(fact.what.target) if isinstance(fact.what, Amended) else None
            near += [target.fact] if target is not None else []
        fresh = {f.id: f for f in near if f.id not in found}
    return list(found.values())
