"""Which facts leave: whole journeys, and never what a judgement of today still rests on.

The law of this file: it decides and does nothing. A vehicle's facts leave up to an instant at which one of its journeys ends
and the next begins, and at which nothing is open: no warning that stands or must be answered, no pass that counts. What was
told of a person alone (a temperature, a code) leaves when every vehicle the person drove lets it; a result, when every swab in
its tube has left; a correction, with what it corrects. Then each vehicle concerned is looked at with and without: what we say of
it now and have said within the term must be the same to the letter, or it keeps more. Whoever is in doubt keeps.

What happened at the depot before a loading goes with the loading it was for. Loop documents never leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from checkpoint.core import passes, rules
from checkpoint.core.book import Book
from checkpoint.core.facts import (
    Amended,
    CrewJoined,
    DeviceBound,
    DeviceReleased,
    Fact,
    PassGranted,
    PassRefused,
    PassRequested,
    PassRevoked,
    SwabTaken,
    Voided,
    WarningRaised,
    subjects,
)
from checkpoint.core.journey import Journey, PassState, View, WarningState, view_of
from checkpoint.core.loop import Loops
from checkpoint.core.sampling import as_of, standing
from checkpoint.core.verdict import Gate
from checkpoint.store import Concern, Recorded, Store
from checkpoint.telling import tell

# More than this at once is left for the next run, which takes the older half first: a sweep stays small.
MOST = 50_000
# How many ends of journeys are tried, from the newest back, before a vehicle keeps everything for now.
TRIES = 4
STAY = ("LoopPublished", "Restored")
_EVER = datetime.min.replace(tzinfo=UTC)
_OF_A_PASS = (PassRequested, PassGranted, PassRefused, PassRevoked, CrewJoined)


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves: facts by number, and the passes that leave with them. `journeys_count` counts whole journeys, `held` names
    the vehicles that keep something longer than its term: a pass counts, something is open, or it would be judged otherwise.
    """

    numbers: tuple[int, ...] = ()
    passes: tuple[str, ...] = ()
    journeys_count: int = 0
    held: tuple[str, ...] = ()


def choose(store: Store, now: datetime, term: timedelta, open_term: timedelta | None = None, most: int = MOST) -> Leaving:
    """What may leave of all that was learnt longer ago than the term. What is open keeps its journey, at most for `open_term`
    (None: for ever): nobody answers any more what nobody answered for so long."""
    stale = now - open_term if open_term is not None else _EVER
    while True:
        cutoff = now - term
        old = store.learnt_before(cutoff, most + 1)
        whole = len(old) <= most
        if not whole:
            cutoff = old[-1].recorded_at
            old = [r for r in old if r.recorded_at < cutoff]
        chosen = _Choice(store, old, now, cutoff, min(stale, cutoff)).made() if old else Leaving()
        if chosen.numbers or whole:
            return chosen
        most *= 4  # what keeps the oldest may be what was learnt later


class _Case:
    """One vehicle: all that concerns it, how it is seen now, and up to when it may let its facts go."""

    def __init__(self, store: Store, vehicle: str, loops: Loops, now: datetime, cutoff: datetime, stale: datetime) -> None:
        self.vehicle, self._loops, self._now, self._cutoff, self._stale = vehicle, loops, now, cutoff, stale
        self.facts = {r.fact.id: r.fact for r in store.concerning(Concern(vehicle))}
        self.before = self._seen(self.facts.values())
        self._picture = self._pictured(self.before)
        self._ends = _ends(self.before, _closed_until(self.before, cutoff, stale))
        self.until = next(self._ends)

    def keeps_more(self) -> bool:
        """Let go up to an earlier end. False when nothing is let go already."""
        if self.until == _EVER:
            return False
        self.until = next(self._ends, _EVER)
        return True

    def keeps_all(self) -> None:
        """Let nothing go."""
        self.until = _EVER

    def same_without(self, gone: set[str]) -> bool:
        """Whether what we say of this vehicle is the same without some facts."""
        after = self._seen(fact for name, fact in self.facts.items() if name not in gone)
        return self._pictured(after) == self._picture

    def journeys_gone(self, gone: set[str]) -> int:
        """How many whole journeys are no more without some facts."""
        after = self._seen(fact for name, fact in self.facts.items() if name not in gone)
        return len({j.id for j in self.before.journeys} - {j.id for j in after.journeys})

    def _seen(self, facts: Iterable[Fact]) -> View:
        return view_of(Book(facts), self.vehicle, self._loops, None, self._now)

    def _pictured(self, view: View) -> tuple[Any, ...]:
        """What we say of a vehicle now, and what was said of it within the term: all that must not change."""
        now, since = self._now, self._cutoff
        judgement = rules.judge(view, now)
        stand = [p for p in view.passes if p.closed_at > since]
        crew = dict.fromkeys(person for p in stand for person in p.crew)
        return (
            stand,
            [_outline(j) for j in view.journeys if j.closed_at is None or j.closed_at > since],
            [f for f in judgement.findings if (f.since > self._stale if f.until is None else f.until > since)],
            [w for w in view.warnings if not _settled(w, self._stale) or w.raised_at > since],
            {person: standing(as_of(view.people[person], now), now, view.policy) for person in crew if person in view.people},
            [fact for fact in view.cab if fact.at > since],
            tuple(_verdicts(view, now)),
            tell(view, judgement, now, came_late=lambda _: False, ended=lambda _: now),
        )


class _Choice:
    """The facts that are old enough, whose they are, and who lets them go."""

    def __init__(self, store: Store, old: Sequence[Recorded], now: datetime, cutoff: datetime, stale: datetime) -> None:
        self._store, self._cutoff, self._now, self._stale = store, cutoff, now, stale
        self._old = {r.fact.id: r for r in old if r.fact.at < cutoff}
        self._book = Book(r.fact for r in old)
        self._loops = store.loops()
        self._cases: dict[str, _Case] = {}
        self._vehicle_of: dict[str, str] = {}
        self._drove: dict[str, set[str]] = {}
        self._corrections: defaultdict[str, list[str]] = defaultdict(list)
        for r in store.facts_of_kind("Voided", "Amended"):
            assert isinstance(r.fact.what, Voided | Amended)
            self._corrections[r.fact.what.target].append(r.fact.id)
        self._reckoned = dict(self._old)
        self._bound = self._last_bindings()
        self._warnings = {w.id: w for case in self._all_cases() for w in case.before.warnings}

    def made(self) -> Leaving:
        """Decide, look at every vehicle with and without, and keep more until nothing that is said changes."""
        while True:
            gone = {name for name in self._old if self._leaves(name)}
            odd = [case for case in self._cases.values() if not gone.isdisjoint(case.facts) and not case.same_without(gone)]
            if not odd:
                break
            for case in odd:
                if not case.keeps_more():
                    # It keeps its own already: what changes it are facts that others let go.
                    for name in gone.intersection(case.facts):
                        for owner in self._owners(self._old[name].fact):
                            self._case(owner).keeps_all()
                        self._old.pop(name, None)
        passes_gone = {fact.what.pass_id for name in gone if isinstance((fact := self._old[name].fact).what, PassGranted)} - {
            p.grant.pass_id for case in self._cases.values() for p in case.before.passes if not self._over(case, p)
        }
        return Leaving(
            numbers=tuple(sorted(self._old[name].number for name in gone)),
            passes=tuple(sorted(passes_gone)),
            journeys_count=sum(case.journeys_gone(gone) for case in self._cases.values()),
            held=tuple(sorted({v for name in self._reckoned.keys() - gone for v in self._owners(self._reckoned[name].fact)})),
        )

    # -- who is concerned -------------------------------------------------------------------------------------------------

    def _all_cases(self) -> Iterator[_Case]:
        """Every vehicle that an old fact concerns, and every other that its people drove."""
        vehicles: set[str] = set()
        people: set[str] = set()
        for r in self._old.values():
            vehicles |= self._owners(r.fact)
            people |= {name.removeprefix("person:") for name in subjects(r.fact) if name.startswith("person:")}
        for person in people:
            vehicles |= self._driven(person)
        for vehicle in sorted(vehicles):
            yield self._case(vehicle)

    def _case(self, vehicle: str) -> _Case:
        if vehicle not in self._cases:
            self._cases[vehicle] = _Case(self._store, vehicle, self._loops, self._now, self._cutoff, self._stale)
        return self._cases[vehicle]

    def _owners(self, fact: Fact) -> set[str]:
        """The vehicles whose facts these are: named, or by their pass."""
        found = set()
        for name in subjects(fact):
            kind, _, rest = name.partition(":")
            if kind == "vehicle":
                found.add(rest)
            elif kind == "pass":
                found |= {self._pass_vehicle(rest)} - {""}
            elif kind == "request" and isinstance(fact.what, PassRefused):
                found |= {f.what.vehicle for f in self._store.facts_of(name) if isinstance(f.what, PassRequested)}
        return found

    def _pass_vehicle(self, pass_id: str) -> str:
        if pass_id not in self._vehicle_of:
            facts = self._store.facts_of(f"pass:{pass_id}")
            self._vehicle_of[pass_id] = next((f.what.vehicle for f in facts if isinstance(f.what, PassGranted)), "")
        return self._vehicle_of[pass_id]

    def _driven(self, person: str) -> set[str]:
        """The vehicles on whose passes somebody was."""
        if person not in self._drove:
            facts = self._store.facts_of(f"person:{person}")
            found = {f.what.vehicle for f in facts if isinstance(f.what, PassGranted | PassRequested)}
            found |= {self._pass_vehicle(f.what.pass_id) for f in facts if isinstance(f.what, CrewJoined)}
            self._drove[person] = found - {""}
        return self._drove[person]

    def _last_bindings(self) -> set[str]:
        """The facts that say which vehicle a device reports for now."""
        last: dict[str, tuple[datetime, str]] = {}
        kept: set[str] = set()
        for r in self._store.facts_of_kind("DeviceBound", "DeviceReleased"):
            assert isinstance(r.fact.what, DeviceBound | DeviceReleased)
            since, device = r.fact.what.since or r.fact.at, r.fact.what.device
            if isinstance(r.fact.what, DeviceBound) and r.fact.what.until is not None:
                # One that ends hides for its time what counts again after it.
                if r.fact.what.until > self._now:
                    kept.add(r.fact.id)
            elif device not in last or last[device] < (since, r.fact.id):
                last[device] = (since, r.fact.id)
        return kept | {name for _, name in last.values()}

    # -- who lets go ------------------------------------------------------------------------------------------------------

    def _leaves(self, name: str) -> bool:
        r = self._old.get(name)
        if r is None:
            return False
        fact, what = r.fact, r.fact.what
        if isinstance(what, Voided | Amended):
            # With what it corrects; alone when that is not here any more.
            target = self._corrected(fact)
            return self._leaves(target.id) if target is not None else not self._owners(fact)
        if type(what).__name__ in STAY or name in self._bound or not self._corrections_are_old(name):
            return False
        warning = self._warnings.get(name if isinstance(what, WarningRaised) else getattr(what, "warning", ""))
        if warning is not None and not self._leaves_with(warning):
            return False
        at = max(fact.at, now.at if (now := self._book.fact(name)) is not None else fact.at)
        owners = self._owners(fact)
        if owners:
            cases = [self._case(vehicle) for vehicle in owners]
            return all(at < case.until for case in cases) and (
                not isinstance(what, _OF_A_PASS) or all(self._pass_over(case, what) for case in cases)
            )
        names = {each for each in subjects(fact) if each.startswith(("specimen:", "tube:"))}
        if names and not isinstance(what, SwabTaken):
            swabs = [f for f in self._store.facts_of(*sorted(names)) if isinstance(f.what, SwabTaken)]
            if swabs:
                return all(self._leaves(swab.id) for swab in swabs)
        people = {each.removeprefix("person:") for each in subjects(fact) if each.startswith("person:")}
        return all(at < self._case(vehicle).until for person in people for vehicle in self._driven(person))

    def _corrections_are_old(self, name: str) -> bool:
        """Whether everything that corrects a fact, and what corrects that, is old enough too."""
        seen, left = {name}, list(self._corrections.get(name, ()))
        while left:
            each = left.pop()
            if each not in self._old:
                return False
            if each not in seen:
                seen.add(each)
                left += self._corrections.get(each, ())
        return True

    def _corrected(self, fact: Fact) -> Fact | None:
        """What a correction, and those that it corrects in turn, is about in the end; None when that is not here."""
        seen: set[str] = set()
        found: Fact | None = fact
        while found is not None and isinstance(found.what, Voided | Amended):
            if found.id in seen:
                return None
            seen.add(found.id)
            target = self._store.fact(found.what.target)
            found = target.fact if target is not None else None
        return found

    def _leaves_with(self, warning: WarningState) -> bool:
        """Whether a warning and all that was said about it is over and old."""
        told = self._store.facts_of(f"warning:{warning.id}")
        return _settled(warning, self._stale) and all(fact.id in self._old for fact in told)

    def _pass_over(self, case: _Case, what: object) -> bool:
        """Whether the pass that a fact speaks of is over, with every journey made on it."""
        if isinstance(what, PassRequested | PassRefused):
            granted = [p for p in case.before.passes if p.grant.request == what.request]
            return all(self._over(case, p) for p in granted) and (
                not isinstance(what, PassRequested) or what.expires < case.until
            )
        state = case.before.pass_of(getattr(what, "pass_id", ""))
        return state is None or self._over(case, state)

    def _over(self, case: _Case, state: PassState) -> bool:
        return state.closed_at < case.until


def _settled(warning: WarningState, stale: datetime) -> bool:
    """Whether a warning is over and answered where it must be, or so old that nobody will."""
    return warning.raised_at <= stale or (not warning.open and not rules.must_be_answered(warning))


def _closed_until(view: View, cutoff: datetime, stale: datetime) -> datetime:
    """The instant up to which nothing of a vehicle is open: an open warning keeps its journey, and all after it."""
    until = cutoff
    for warning in view.warnings:
        if not _settled(warning, stale):
            since = min(warning.raised.since, warning.raised_at)
            begun = [j.opened_at for j in view.journeys if j.opened_at <= since]
            until = min(until, begun[-1] if begun else since)
    return until


def _ends(view: View, until: datetime) -> Iterator[datetime]:
    """The instants up to which a vehicle may let go, the latest first: the ends of its journeys. The last lets nothing go."""
    journeys = view.journeys
    over = 0
    while over < len(journeys) and (closed := journeys[over].closed_at) is not None and closed < until:
        over += 1
    for i in range(over, max(over - TRIES, -1), -1):
        if i == len(journeys):
            yield until
        else:
            if i:
                yield min(_arrival(journeys[i - 1], journeys[i]), until)
            yield min(journeys[i].opened_at, until)
    while True:
        yield _EVER


def _arrival(before: Journey, after: Journey) -> datetime:
    """When a truck came to the place where its next journey begins."""
    at, station = after.opened_at, after.facts[0].station
    for fact in reversed(before.facts):
        if fact.station != station:
            break
        at = fact.at
    return at


def _outline(journey: Journey) -> tuple[Any, ...]:
    """What a journey is, but for the moment at which it began: that moves when what came before has left."""
    return (
        journey.id, journey.pass_id, journey.leg, journey.closed_at, journey.crew, journey.visits, journey.stays,
        [f.id for f in (*journey.loads, *journey.unloads)], journey.unexplained,
    )  # fmt: skip


def _verdicts(view: View, now: datetime) -> Iterator[object]:
    """What each station of the loop would show for the pass that counts."""
    state = view.pass_
    if state is None or view.loop is None or state.closed_at <= now:
        return
    grant = state.grant
    sealed = passes.Pass(
        number=grant.pass_id,
        plate=grant.vehicle,
        loop_digest=passes.loop_digest(grant.loop),
        not_before=grant.not_before,
        expires=grant.expires,
        generation=grant.generation,
        anchor=bytes.fromhex(grant.anchor),
    )
    step = passes.step_at(sealed, now, grant.step_s)
    reading = passes.Reading(pass_=sealed, text=passes.PREFIX, step=step, step_genuine=True)
    for station in view.loop.stations:
        yield rules.decide(view, Gate(station=station.id, reading=reading, loop=view.loop), now)
