"""What a station is told: the facts of its loops' trucks and people, and nothing of anybody else.

The law of this file: a kiosk reads the record in the order in which we learnt it, by a cursor that only moves forward. A
fact may come to concern a loop long after it was learnt (a driver swabbed under another loop's pass is granted one of this):
then it is told with the fact that made it concern the loop, under its own number. A kiosk keeps what it is told by number, so
telling twice is harmless. Carriers' requests and devices' numbers are not a station's business and stay here.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from checkpoint.core.facts import (
    Amended,
    CrewJoined,
    DeviceBound,
    DeviceReleased,
    Fact,
    LoopPublished,
    PassGranted,
    PassRefused,
    PassRequested,
    SwabTaken,
    subjects,
)
from checkpoint.store import Recorded, Store

NOT_FOR_STATIONS = PassRequested | PassRefused | DeviceBound | DeviceReleased
_AT_ONCE = 2000


class Feed:
    """Pages of the record for stations. From any thread; what concerns which loop is kept in memory and follows the record."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._read_to = 0
        self._scopes: dict[str, dict[str, int]] = {}

    def page(self, loops: Iterable[str], after: int, limit: int) -> tuple[list[Recorded], int, bool]:
        """What these loops' stations are told after a number: facts, the cursor to ask from next, and whether there is more."""
        learnt = self._store.facts_after(after, limit)
        cursor = learnt[-1].number if learnt else after
        with self._lock:
            self._catch_up()
            scopes = [self._scopes.get(loop, {}) for loop in loops]
            told = [r for r in learnt if _concerns(r.fact, scopes)]
            entered = {name for scope in scopes for name, since in _entered(scope, after, cursor)}
        if after:
            earlier = self._store.recorded_of(*sorted(entered)) if entered else []
            told = [r for r in earlier if r.number <= after and not isinstance(r.fact.what, NOT_FOR_STATIONS)] + told
        return told, cursor, len(learnt) == limit

    def people(self, loops: Iterable[str]) -> set[str]:
        """The pseudonyms of everyone who is, or was, on a pass of these loops."""
        with self._lock:
            self._catch_up()
            return {
                name.removeprefix("person:")
                for loop in loops
                for name in self._scopes.get(loop, {})
                if name.startswith("person:")
            }

    def _catch_up(self) -> None:
        while learnt := self._store.facts_after(self._read_to, _AT_ONCE):
            for recorded in learnt:
                self._learn(recorded)
            self._read_to = learnt[-1].number

    def _learn(self, recorded: Recorded) -> None:
        what = recorded.fact.what
        what = what.what if isinstance(what, Amended) else what
        if isinstance(what, LoopPublished | PassGranted):
            self._scopes.setdefault(what.loop, {}).setdefault(f"loop:{what.loop}", recorded.number)
        for loop, scope in self._scopes.items():
            self._grow(loop, scope, recorded.fact, recorded.number)

    def _grow(self, loop: str, scope: dict[str, int], fact: Fact, number: int) -> None:
        """Let a fact bring into a loop's scope what it names, if it concerns the loop."""
        what = fact.what.what if isinstance(fact.what, Amended) else fact.what
        names: list[str] = []
        if isinstance(what, PassGranted) and what.loop == loop:
            names = [f"vehicle:{what.vehicle}", f"pass:{what.pass_id}", *(f"person:{p}" for p in what.crew)]
        elif not _concerns(fact, [scope]):
            return
        elif isinstance(what, CrewJoined):
            names = [f"person:{what.person}"]
        elif isinstance(what, SwabTaken) and f"person:{what.person}" in scope:
            names = [f"specimen:{what.specimen}"] + ([f"tube:{what.tube}"] if what.tube else [])
        scope.setdefault(f"fact:{fact.id}", number)
        for name in names:
            if name in scope:
                continue
            scope[name] = number
            for earlier in self._store.recorded_of(name):
                if earlier.number < number:
                    self._grow(loop, scope, earlier.fact, number)


def _concerns(fact: Fact, scopes: Iterable[dict[str, int]]) -> bool:
    if isinstance(fact.what, NOT_FOR_STATIONS):
        return False
    names = subjects(fact) | {f"fact:{fact.id}"}
    return any(name in scope for scope in scopes for name in names)


def _entered(scope: dict[str, int], after: int, cursor: int) -> list[tuple[str, int]]:
    """What came into a scope between two numbers. Scopes are kept in the order of entering: only their end is looked at."""
    found = []
    for name in reversed(scope):
        since = scope[name]
        if since <= after:
            break
        if since <= cursor:
            found.append((name, since))
    return found
