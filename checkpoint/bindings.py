"""Which vehicle a phone or terminal reports for, and since when.

The law of this file: the record decides (`DeviceBound`, with its corrections); the registry's word stands for the time before
the first binding. Asked with every position, so what was read is kept for as long as the record has neither a new binding
nor a new correction: that is one probe of an index, whoever wrote to the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from checkpoint.core.book import Book
from checkpoint.core.facts import DeviceBound, Fact
from checkpoint.store import Store

_CHANGED_BY = ("DeviceBound", "Amended", "Voided")


class Bound(NamedTuple):
    """One device: the vehicles it was bound to and from when on, the latest first, and the one for the time before."""

    since: Sequence[tuple[datetime, str]]
    before: str | None

    def vehicle(self, at: datetime) -> str | None:
        """The vehicle that it reported for at an instant, or None."""
        return next((vehicle for since, vehicle in self.since if since <= at), self.before)


class Bindings:
    """Devices and their vehicles. From any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # The number of the last fact that could change a binding, and what was read when it was that.
        self._kept: tuple[int, dict[str, Sequence[tuple[datetime, str]]]] = (-1, {})

    def of(self, device: str) -> Bound:
        """What is known of a device now."""
        return Bound(self._since(device), self._store.registry.device_vehicle(device))

    def _since(self, device: str) -> Sequence[tuple[datetime, str]]:
        number = self._store.last_number_of(*_CHANGED_BY)  # before the reading: what comes meanwhile is then read again
        kept_at, kept = self._kept
        if kept_at != number:
            kept = {}
            self._kept = (number, kept)
        found = kept.get(device)
        if found is None:
            book = book_of(self._store, f"device:{device}")
            bound = [(f.at, f.what.vehicle) for f in book.of(f"device:{device}") if isinstance(f.what, DeviceBound)]
            found = bound[::-1]
            if bound:  # numbers that nobody bound are anybody's invention: they fill no memory of ours
                kept[device] = found
        return found


def book_of(store: Store, *names: str) -> Book:
    """The facts about some subjects, with what corrects them, and what corrects that."""
    found: list[Fact] = store.facts_of(*names)
    fresh = found
    while fresh:
        held = {f.id for f in found}
        fresh = [f for f in store.facts_of(*(f"fact:{f.id}" for f in fresh)) if f.id not in held]
        found = [*found, *fresh]
    return Book(found)
