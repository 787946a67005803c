"""Fold: facts -> journeys. Computed, never named by a witness.

Loading at the origin opens a journey; the next loading there, or the close of the pass, ends it (a pass renewed before it
closes goes on in the new one; a second loading in the same visit is the same journey, and what the origin saw of a truck
that waits to be loaded belongs to it). What happens under a pass before its first loading is a journey of its own, opened
by the first thing that happened. The leg is outbound until the truck is scanned out of the destination, then inbound;
before a first loading it is inbound, since a truck then comes to be loaded. Evidence belongs to people and crosses
journeys.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    AntigenRead,
    CheckedIn,
    CheckedOut,
    Colour,
    Contested,
    CrewJoined,
    Entered,
    Fact,
    HelpCalled,
    Left,
    Loaded,
    PassGranted,
    PassRevoked,
    ResultReported,
    Scanned,
    StrangerSeen,
    StrangerStayed,
    SwabTaken,
    Unloaded,
    WarningAnswered,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    digest_id,
)
from checkpoint.core.loop import Leg, Loop, Loops, Policy, in_force
from checkpoint.core.outages import Outage
from checkpoint.core.sampling import TEST_CODES, Evidence, PolicyAt, as_of, fold_person, members, sealed_at, standing
from checkpoint.core.track import TrackReading


class PassState(msgspec.Struct, frozen=True, kw_only=True):
    """A pass as it stands: its newest grant, its whole crew, and whether it was revoked.

    `crews` says who was on it since when: people join, and a new generation may name others.
    """

    grant: PassGranted
    granted_at: datetime
    crew: tuple[str, ...]
    crews: tuple[tuple[datetime, tuple[str, ...]], ...] = ()
    revoked_at: datetime | None = None
    revoked_reason: str = ""

    @property
    def closed_at(self) -> datetime:
        """When the pass stopped counting, or will."""
        return self.grant.expires if self.revoked_at is None else min(self.revoked_at, self.grant.expires)

    def crew_at(self, at: datetime) -> tuple[str, ...]:
        """Who was on the pass at an instant; before it was granted, whom it was granted for."""
        begun = [crew for since, crew in self.crews if since <= at]
        return begun[-1] if begun else self.crews[0][1] if self.crews else self.crew


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Scanned in at a station, and out (None: still inside, or never scanned out)."""

    station: str
    entered_at: datetime | None
    left_at: datetime | None
    facts: tuple[str, ...]

    @property
    def at(self) -> datetime:
        """The first moment known of it."""
        found = self.entered_at or self.left_at
        assert found is not None
        return found


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """Check-in to check-out at a rest station; `until` is set when the last person is out."""

    station: str
    persons: tuple[str, ...]
    bay: str
    beds: tuple[str, ...]
    since: datetime
    until: datetime | None
    facts: tuple[str, ...]


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that does not fit the rest, with the catalogue key of why."""

    fact: str
    at: datetime
    why: str


class WarningState(msgspec.Struct, frozen=True, kw_only=True):
    """A warning as told so far: raised, changed, answered, cleared or withdrawn. `id` is that of its first fact.

    Its owner is whoever answered it, until then every coordinator; `answer_by` is the deadline.
    """

    id: str
    raised: WarningRaised
    raised_at: datetime
    colour: Colour
    confirmed: bool
    answer_by: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str = ""
    answer: str = ""
    ended: datetime | None = None
    cleared_at: datetime | None = None
    withdrawn_at: datetime | None = None
    alerted: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Neither cleared nor withdrawn."""
        return self.cleared_at is None and self.withdrawn_at is None

    @property
    def state(self) -> Literal["open", "cleared", "withdrawn"]:
        """The one word for it."""
        return "withdrawn" if self.withdrawn_at else "cleared" if self.cleared_at else "open"


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """One lap of the loop by one vehicle and crew. `id` is made from the vehicle and the fact that opened it.

    `facts` are those of the vehicle and its pass within the lap; `scans`, `loads`, `unloads` are picked from them.
    """

    id: str
    vehicle: str
    pass_id: str
    loop: str
    opened_at: datetime
    closed_at: datetime | None
    leg: Leg
    crew: tuple[str, ...]
    facts: tuple[Fact, ...]
    visits: tuple[Visit, ...]
    stays: tuple[Stay, ...]
    loads: tuple[Fact, ...]
    unloads: tuple[Fact, ...]
    scans: tuple[Fact, ...]
    unexplained: tuple[Unexplained, ...]

    @property
    def at_station(self) -> str:
        """The station the truck was last scanned into and not out of, or empty."""
        last = self.visits[-1] if self.visits else None
        return last.station if last is not None and last.left_at is None else ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rules look at for one vehicle: plan, pass, journeys, the crew's evidence, the track, the warnings.

    `loop` is the plan in force now, `versions` all versions of it, so that a past hour is judged by the plan of its day.
    `passes` holds every pass of the vehicle, newest last, `pass_` the one that counts; `journey` is the last one, open
    or not. `people` holds the evidence of everyone who is on the pass, or was on one of the journeys. `unexplained` is
    what does not fit about its people's specimens. `cab` holds who was seen, stayed behind or joined, on whichever lap or
    before the first; `spoken` the facts by which drivers spoke up. `outages` is when nobody listened here, in order.
    """

    vehicle: str
    loop: Loop | None
    versions: tuple[Loop, ...]
    passes: tuple[PassState, ...]
    pass_: PassState | None
    journeys: tuple[Journey, ...]
    journey: Journey | None
    people: dict[str, Evidence]
    track: TrackReading | None
    warnings: tuple[WarningState, ...]
    unexplained: tuple[Unexplained, ...] = ()
    cab: tuple[Fact, ...] = ()
    spoken: tuple[Fact, ...] = ()
    outages: tuple[Outage, ...] = ()

    @property
    def policy(self) -> Policy:
        """The loop's policy, the domain's defaults while there is no loop."""
        return self.loop.policy if self.loop is not None else Policy()

    def loop_at(self, at: datetime) -> Loop | None:
        """The version of the plan in force at an instant; the one of now where none was."""
        if len(self.versions) == 1:
            return self.loop
        return in_force(self.versions, at) or self.loop

    def policy_at(self, at: datetime, station: str = "") -> Policy:
        """The policy as it held at an instant, at a station."""
        loop = self.loop_at(at)
        return loop.policy_at(station) if loop is not None else Policy()

    def crew_at(self, at: datetime) -> tuple[str, ...]:
        """Who was on the pass that counted at an instant."""
        state = pass_in_force(self.passes, at)
        return state.crew_at(at) if state is not None else ()

    def pass_of(self, number: str) -> PassState | None:
        """The vehicle's pass of that number, or None."""
        return next((p for p in self.passes if p.grant.pass_id == number), None)


# -- passes -----------------------------------------------------------------------------------------------------------


def fold_passes(book: Book, vehicle: str) -> tuple[PassState, ...]:
    """Every pass ever granted to a vehicle, the earliest granted first."""
    grants: dict[str, Fact] = {}
    for fact in book.of(f"vehicle:{vehicle}"):
        if isinstance(fact.what, PassGranted) and fact.what.vehicle == vehicle:
            held = grants.get(fact.what.pass_id)
            if held is None or (_generation(fact), fact.at, fact.id) > (_generation(held), held.at, held.id):
                grants[fact.what.pass_id] = fact
    return tuple(sorted((_pass_state(book, f) for f in grants.values()), key=lambda p: (p.granted_at, p.grant.pass_id)))


def _generation(fact: Fact) -> int:
    return fact.what.generation if isinstance(fact.what, PassGranted) else 0


def _pass_state(book: Book, granted: Fact) -> PassState:
    grant = granted.what
    assert isinstance(grant, PassGranted)
    joined: list[str] = []
    crews: list[tuple[datetime, tuple[str, ...]]] = []
    named, generation = grant.crew, 0
    revoked: Fact | None = None
    for fact in book.of(f"pass:{grant.pass_id}"):
        match fact.what:
            case PassGranted(vehicle=vehicle) if vehicle == grant.vehicle and fact.what.generation > generation:
                named, generation = fact.what.crew, fact.what.generation
            case CrewJoined(person=person):
                joined.append(person)
            case PassRevoked() if revoked is None:
                revoked = fact
            case _:
                pass
        crew = tuple(dict.fromkeys((*named, *joined)))
        if generation and (not crews or crews[-1][1] != crew):
            crews.append((fact.at, crew))
    return PassState(
        grant=grant,
        granted_at=granted.at,
        crew=tuple(dict.fromkeys((*grant.crew, *joined))),
        crews=tuple(crews),
        revoked_at=revoked.at if revoked else None,
        revoked_reason=revoked.what.reason if revoked and isinstance(revoked.what, PassRevoked) else "",
    )


def pass_in_force(passes: Iterable[PassState], at: datetime) -> PassState | None:
    """The pass that counts at an instant; when none does, the newest."""
    known = list(passes)
    counting = [p for p in known if p.grant.not_before <= at < p.closed_at]
    return max(counting or known, key=lambda p: (p.grant.not_before, p.granted_at), default=None)


# -- journeys ---------------------------------------------------------------------------------------------------------

_ON_THE_ROAD = (Scanned, Entered, Left, Loaded, Unloaded, CheckedIn, CheckedOut, SwabTaken)


def fold_journeys(book: Book, vehicle: str, loops: Loops) -> tuple[Journey, ...]:
    """The vehicle's journeys, the earliest first. Scans of a pass that is not this vehicle's are not its journeys."""
    passes = fold_passes(book, vehicle)
    names = [f"vehicle:{vehicle}", *(f"pass:{p.grant.pass_id}" for p in passes)]
    laps: list[list[Fact]] = []
    lap_pass: list[PassState | None] = []
    away = True  # whether the truck has been anywhere since the last loading at the origin
    for fact in book.of(*names):
        if not isinstance(fact.what, _ON_THE_ROAD):
            if laps:
                laps[-1].append(fact)
            continue
        current = pass_in_force(passes, fact.at)
        loop = loops.in_force(current.grant.loop, fact.at) if current else None
        origin = loop.origin if loop else ""
        loading = isinstance(fact.what, Loaded) and bool(origin) and fact.station == origin
        changed = bool(laps) and current is not lap_pass[-1] and _closed(passes, lap_pass[-1], fact.at)
        if not laps or changed or (loading and away and not _waited(laps[-1], origin)):
            laps.append([])
            lap_pass.append(current)
        laps[-1].append(fact)
        if loading:
            away = False
        elif fact.station != origin or isinstance(fact.what, Left):
            away = True
    stays, odd = _stays([fact for lap in laps for fact in lap])
    opened = [next(f for f in lap if isinstance(f.what, _ON_THE_ROAD)).at for lap in laps]
    found: list[Journey] = []
    for i, lap in enumerate(laps):
        ends = [opened[i + 1]] if i + 1 < len(laps) else []
        closing = lap_pass[i]
        if closing is not None and closes_at(passes, closing) > opened[i]:
            ends.append(closes_at(passes, closing))
        # A truck that is loaded anew is still where it was scanned in on the lap before.
        last = found[-1].visits[-1] if found and found[-1].visits else None
        inside = last if last is not None and last.left_at is None and last.station == lap[0].station else None
        journey = _journey(vehicle, lap, closing, loops, min(ends) if ends else None, inside)
        # Who rests while the lap changes, checks out on the next one: a stay belongs to the lap of its check-in.
        ids = {fact.id for fact in lap}
        found.append(
            msgspec.structs.replace(
                journey,
                stays=tuple(stay for stay in stays if stay.facts[0] in ids),
                unexplained=tuple(u for u in odd if u.fact in ids),
            )
        )
    return tuple(found)


def _waited(lap: list[Fact], origin: str) -> bool:
    """Whether the truck has only been at the origin on this lap: it waits there to be loaded."""
    return all(fact.station == origin for fact in lap if isinstance(fact.what, _ON_THE_ROAD))


def closes_at(passes: Iterable[PassState], state: PassState) -> datetime:
    """When a pass closes, or the last of those for the same loop that took over from it before it did."""
    at = state.closed_at
    for other in sorted(passes, key=lambda p: p.grant.not_before):
        if other.grant.loop == state.grant.loop and other.grant.not_before <= at < other.closed_at:
            at = other.closed_at
    return at


def _closed(passes: Iterable[PassState], state: PassState | None, at: datetime) -> bool:
    return state is None or closes_at(passes, state) <= at


def _journey(
    vehicle: str, lap: list[Fact], state: PassState | None, loops: Loops, closed_at: datetime | None, inside: Visit | None
) -> Journey:
    first = next(f for f in lap if isinstance(f.what, _ON_THE_ROAD))
    loop = loops.in_force(state.grant.loop, first.at) if state else None
    loads = tuple(f for f in lap if isinstance(f.what, Loaded))
    opening = next((f for f in loads if loop is not None and f.station == loop.origin), first)
    return Journey(
        id=digest_id("journey", vehicle, opening.id)[:16],
        vehicle=vehicle,
        pass_id=state.grant.pass_id if state else "",
        loop=state.grant.loop if state else "",
        opened_at=first.at,
        closed_at=closed_at,
        leg=_leg(lap, loads, loop),
        crew=state.crew if state else (),
        facts=tuple(lap),
        visits=_visits(lap, inside),
        stays=(),
        loads=loads,
        unloads=tuple(f for f in lap if isinstance(f.what, Unloaded)),
        scans=tuple(f for f in lap if isinstance(f.what, Scanned)),
        unexplained=(),
    )


def _leg(lap: list[Fact], loads: tuple[Fact, ...], loop: Loop | None) -> Leg:
    if loop is None or not any(f.station == loop.origin for f in loads):
        return "inbound"
    if any(isinstance(f.what, Left) and f.station == loop.destination for f in lap):
        return "inbound"
    unloaded = next((f for f in lap if isinstance(f.what, Unloaded) and f.station == loop.destination), None)
    elsewhere = unloaded is not None and any(f.at > unloaded.at and f.station not in ("", loop.destination) for f in lap)
    return "inbound" if elsewhere else "outbound"


def _visits(lap: list[Fact], inside: Visit | None) -> tuple[Visit, ...]:
    """Each scan in opens a visit, the scan out of the same station ends it; scanned in twice is one visit. `inside` is the
    visit that was under way when the lap began."""
    found: list[Visit] = [inside] if inside is not None else []
    for fact in lap:
        last = found[-1] if found else None
        here = last is not None and last.station == fact.station and last.left_at is None
        if isinstance(fact.what, Entered):
            if here and last is not None:
                found[-1] = msgspec.structs.replace(last, facts=(*last.facts, fact.id))
            else:
                found.append(Visit(station=fact.station, entered_at=fact.at, left_at=None, facts=(fact.id,)))
        elif isinstance(fact.what, Left):
            if here and last is not None:
                found[-1] = msgspec.structs.replace(last, left_at=fact.at, facts=(*last.facts, fact.id))
            else:
                found.append(Visit(station=fact.station, entered_at=None, left_at=fact.at, facts=(fact.id,)))
    return tuple(found)


def _stays(facts: list[Fact]) -> tuple[tuple[Stay, ...], list[Unexplained]]:
    stays: list[Stay] = []
    inside: list[set[str]] = []
    unexplained: list[Unexplained] = []
    for fact in facts:
        if isinstance(fact.what, CheckedIn):
            stays.append(
                Stay(
                    station=fact.station,
                    persons=fact.what.persons,
                    bay=fact.what.bay,
                    beds=fact.what.beds,
                    since=fact.at,
                    until=None,
                    facts=(fact.id,),
                )
            )
            inside.append(set(fact.what.persons))
        elif isinstance(fact.what, CheckedOut):
            out = set(fact.what.persons)
            hit = False
            for i, stay in enumerate(stays):
                if stay.until is None and stay.station == fact.station and (inside[i] & out or not out):
                    hit = True
                    inside[i] -= out or inside[i]
                    until = None if inside[i] else fact.at
                    stays[i] = msgspec.structs.replace(stay, until=until, facts=(*stay.facts, fact.id))
            if not hit:
                unexplained.append(Unexplained(fact=fact.id, at=fact.at, why="checkout-without-checkin"))
    return tuple(stays), unexplained


# -- warnings, and what does not fit -----------------------------------------------------------------------------------


def fold_warnings(book: Book, vehicle: str) -> tuple[WarningState, ...]:
    """The warnings told about a vehicle, the earliest first."""
    states: dict[str, WarningState] = {}
    told = book.of(f"vehicle:{vehicle}")
    for fact in told:
        if isinstance(fact.what, WarningRaised):
            states[fact.id] = WarningState(
                id=fact.id,
                raised=fact.what,
                raised_at=fact.at,
                colour=fact.what.colour,
                confirmed=fact.what.confirmed,
                answer_by=fact.what.answer_by,
            )
    for fact in told:
        state = states.get(getattr(fact.what, "warning", ""))
        if state is not None:
            states[state.id] = _told(state, fact)
    return tuple(states.values())


def _told(state: WarningState, fact: Fact) -> WarningState:
    replace = msgspec.structs.replace
    match fact.what:
        case WarningChanged(colour=colour, confirmed=confirmed, answer_by=answer_by):
            return replace(state, colour=colour, confirmed=confirmed, answer_by=answer_by or state.answer_by)
        case WarningCleared(ended=ended):
            return replace(state, cleared_at=fact.at, ended=ended)
        case WarningWithdrawn():
            return replace(state, withdrawn_at=fact.at)
        case WarningAnswered(answer=answer):
            return replace(state, answered_at=fact.at, answered_by=fact.by, answer=answer)
        case Alerted(place=place):
            return replace(state, alerted=tuple(dict.fromkeys((*state.alerted, place))))
        case AlertAcknowledged(place=place):
            return replace(state, acknowledged=tuple(dict.fromkeys((*state.acknowledged, place))))
        case _:
            return state


def unexplained_samples(book: Book, person: str, evidence: Evidence, policy_at: PolicyAt) -> tuple[Unexplained, ...]:
    """What does not fit about a person's specimens: numbers used twice, a reading without a swab, a result too early, a
    pooled swab of somebody who was known to be positive."""
    found: list[Unexplained] = []
    for fact in book.of(f"person:{person}"):
        match fact.what:
            case SwabTaken(specimen=specimen, tube=tube, pooled=pooled):
                policy = policy_at(fact.at, fact.station)
                if pooled and standing(as_of(evidence, fact.at), fact.at, policy).positive is not None:
                    found.append(Unexplained(fact=fact.id, at=fact.at, why="positive-pooled"))
                owners = [f for f in book.of(f"specimen:{specimen}") if isinstance(f.what, SwabTaken)]
                if owners and owners[0].id != fact.id:
                    found.append(Unexplained(fact=fact.id, at=fact.at, why="specimen-twice"))
                if tube:
                    found += _tube_problems(book, fact, tube, person)
                found += [
                    Unexplained(fact=f.id, at=f.at, why="result-before-sample")
                    for f in book.of(f"specimen:{specimen}", *([f"tube:{tube}"] if tube else []))
                    if isinstance(f.what, ResultReported) and f.at < fact.at
                ]
                found += [
                    Unexplained(fact=f.id, at=f.at, why="test-unknown")
                    for f in book.of(f"specimen:{specimen}", *([f"tube:{tube}"] if tube else []))
                    if isinstance(f.what, ResultReported) and f.what.test.strip() not in TEST_CODES
                ]
            case AntigenRead(specimen=specimen) if not any(
                isinstance(f.what, SwabTaken) for f in book.of(f"specimen:{specimen}")
            ):
                found.append(Unexplained(fact=fact.id, at=fact.at, why="read-without-swab"))
            case _:
                pass
    return tuple(found)


def _tube_problems(book: Book, fact: Fact, tube: str, person: str) -> list[Unexplained]:
    found = []
    inside = members(book, tube)
    mine = [f for f in inside if isinstance(f.what, SwabTaken) and f.what.person == person]
    if mine and mine[0].id != fact.id:
        found.append(Unexplained(fact=fact.id, at=fact.at, why="person-twice-in-tube"))
    closed = sealed_at(book, tube)
    pooled = isinstance(fact.what, SwabTaken) and fact.what.pooled
    another_swab = len(inside) > 1 and inside[0].id != fact.id and not pooled
    elsewhere = bool(inside) and inside[0].station != fact.station
    if closed is not None and fact.at > closed:
        found.append(Unexplained(fact=fact.id, at=fact.at, why="tube-already-sealed"))
    elif another_swab or elsewhere:
        found.append(Unexplained(fact=fact.id, at=fact.at, why="tube-twice"))
    return found


# -- the join ----------------------------------------------------------------------------------------------------------


def view_of(book: Book, vehicle: str, loops: Loops, track: TrackReading | None, at: datetime) -> View:
    """Everything about a vehicle joined, the loop in the version in force at `at`."""
    passes = fold_passes(book, vehicle)
    pass_ = pass_in_force(passes, at)
    loop = loops.in_force(pass_.grant.loop, at) if pass_ else None
    journeys = fold_journeys(book, vehicle, loops)
    versions = loops.all().get(pass_.grant.loop, ()) if pass_ else ()
    were = (person for state in passes for _, crew in state.crews for person in crew)
    crew = dict.fromkeys((*(pass_.crew if pass_ else ()), *were))

    def policy_at(then: datetime, station: str) -> Policy:
        plan = in_force(versions, then) or loop
        return plan.policy_at(station) if plan else Policy()

    people = {person: fold_person(book, person, policy_at) for person in crew}
    return View(
        vehicle=vehicle,
        loop=loop,
        versions=versions,
        passes=passes,
        pass_=pass_,
        journeys=journeys,
        journey=journeys[-1] if journeys else None,
        people=people,
        track=track,
        warnings=fold_warnings(book, vehicle),
        unexplained=tuple(u for person in crew for u in unexplained_samples(book, person, people[person], policy_at)),
        cab=tuple(
            f
            for f in book.of(f"vehicle:{vehicle}", *(f"pass:{p.grant.pass_id}" for p in passes))
            if isinstance(f.what, StrangerSeen | StrangerStayed | CrewJoined)
        ),
        spoken=tuple(f for f in book.of(f"vehicle:{vehicle}") if isinstance(f.what, Contested | HelpCalled)),
    )
