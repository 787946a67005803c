"""What we would have said of a recorded track: its fixes learnt one after another, judged as the watch judges, told as it tells.

The law of this file: there is no second set of rules. The fixes go through `Track`, the rules of `core/rules` judge it whenever
something was learnt and whenever a judgement said that it changes by itself, and `telling.tell` decides what is said; here is
only the small record that they stand on, in memory.

What a track alone does not know is assumed, and nothing else: a pass that is in force throughout; a loading where the track
begins, and at each departure from the origin; a scan at every station where the truck stood (driving through is no visit). So
only what is about movement is said. Time ends with the last fix: whether the truck was silent afterwards nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

import msgspec

from checkpoint import hindsight
from checkpoint.core import geo, rules
from checkpoint.core.book import Book
from checkpoint.core.declared import odd_time
from checkpoint.core.facts import (
    Cited,
    Colour,
    Entered,
    Fact,
    Left,
    Loaded,
    PassGranted,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    What,
)
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.journey import View, WarningState, view_of
from checkpoint.core.loop import Loop, Loops
from checkpoint.core.track import Track
from checkpoint.core.verdict import Finding, Judgement, Value
from checkpoint.telling import tell

State = Literal["suspected", "confirmed", "cleared", "withdrawn"]
# A fix, and when it was received.
Arrival = tuple[Fix, datetime]

_VEHICLE, _PASS = "track", "track"
_STOOD = timedelta(seconds=60)
_MARGIN = timedelta(days=1)
_ROUNDS = 8
# When it was loaded a track does not know, so whether it left in time after that is not said.
_SAID = rules.MOVEMENT - {"not-departed"}
_FROM_ORIGIN_M = 1000.0
# So long a stretch of a quiet drive is judged together.
_TOGETHER = timedelta(seconds=30)


class Said(msgspec.Struct, kw_only=True):
    """One thing that we would have said, from the first suspicion to its end.

    Two clocks: `since` and `until` are when it was so, by the fixes; the others are when we would have said so, by when the fixes
    were received. `raised_at` is when it was first said, suspected or not; `confirmed_at` when it became a warning; `cleared_at`
    when it was said to be over, or, of what was never more than a suspicion, when it came to nothing; `withdrawn_at` when later
    fixes disproved it. `level` is the worst colour it reached, `red_at` when. `late` says that its proof came long after.

    `state` is how it stands at the end of the track: `suspected` (never warned of; `cleared_at` says whether it is over),
    `confirmed` (a warning, still open), `cleared`, `withdrawn`.
    """

    kind: str
    level: Colour
    state: State
    since: datetime
    raised_at: datetime
    confirmed_at: datetime | None = None
    red_at: datetime | None = None
    until: datetime | None = None
    cleared_at: datetime | None = None
    withdrawn_at: datetime | None = None
    late: bool = False
    subject: str = ""
    evidence: tuple[Cited, ...] = ()
    values: dict[str, Value] = {}


def replay(loop: Loop, arrivals: Sequence[Arrival]) -> list[Said]:
    """What would have been said of these fixes on this loop, the earliest first. The loop is taken to be in force throughout,
    whatever its dates. Positions whose time cannot be true are not among them."""
    arrived = sorted(believed(arrivals), key=lambda arrival: arrival[1])
    if not arrived:
        return []
    desk = _Desk(loop, arrived)
    rounds = [(at, [fix for fix, _ in together]) for at, together in groupby(arrived, key=lambda arrival: arrival[1])]
    for (received_at, fixes), next_at in zip(rounds, (*(at for at, _ in rounds[1:]), None), strict=True):
        while desk.due is not None and desk.due < received_at:
            desk.judge(desk.due)
        for fix in fixes:
            desk.track.add(fix)
        desk.learnt(received_at, next_at)
    return desk.said()


def believed(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Those whose time can be true; the others the door sets aside, and nobody judges them."""
    return [(fix, at) for fix, at in arrivals if not odd_time(fix.fixed_at, at)]


class _Suspicion(msgspec.Struct, kw_only=True):
    """A finding that is not confirmed yet, and when it was first found."""

    raised_at: datetime
    finding: Finding


_Key = tuple[str, str]


class _Desk:
    """The record of one replay, and what is said over it."""

    def __init__(self, loop: Loop, arrived: Sequence[Arrival]) -> None:
        times = [at for fix, received in arrived for at in (fix.fixed_at, received)]
        first, last = min(times), max(times)
        loop = msgspec.structs.replace(loop, effective_from=first - 2 * _MARGIN, effective_until=None)
        self.track = Track(loop)
        self.due: datetime | None = None
        self._loop, self._loops = loop, Loops([loop])
        self._received: dict[datetime, datetime] = {}
        for fix, received in arrived:
            self._received.setdefault(fix.fixed_at, received)
        granted = PassGranted(
            pass_id=_PASS, generation=1, vehicle=_VEHICLE, crew=(), loop=loop.id, carrier="",
            not_before=first - _MARGIN, expires=last + _MARGIN,
        )  # fmt: skip
        self._granted = _fact("0-granted", first - _MARGIN, granted)
        self._first = min((fix for fix, _ in arrived), key=lambda fix: fix.fixed_at)
        self._assumed: tuple[Fact, ...] = ()
        self._told: list[Fact] = []
        self._book = Book()
        self._view: View | None = None
        self._shape: tuple[object, ...] = ()
        self._outline: tuple[object, ...] | None = None
        self._judgement: Judgement | None = None
        self._suspicions: dict[_Key, _Suspicion] = {}
        self._said: dict[str, Said] = {}
        self._dropped: list[Said] = []

    # -- judging --------------------------------------------------------------------------------------------------------

    def learnt(self, now: datetime, next_at: datetime | None) -> None:
        """Judge what was learnt, unless it is one more fix of a quiet drive and the next one comes at once: the watch, too,
        judges together what streams in. What changes by itself is judged at its own time."""
        reading = self.track.reading()
        shape = (reading.episodes, reading.visits, reading.place, reading.at_rest_since, reading.alarms, reading.crossings)
        quiet = self._judgement is not None and all(f.until is not None for f in self._judgement.findings)
        soon = next_at is not None and self._judgement is not None and next_at - self._judgement.at <= _TOGETHER
        if not (quiet and soon and shape == self._shape and reading.last is not None and now - reading.last.fixed_at < _TOGETHER):
            self._shape = shape
            self.judge(now)

    def judge(self, now: datetime) -> None:
        """Judge all that is known now, and tell what is new."""
        reading = self.track.reading()
        assumed = tuple(self._assume(reading, now))
        if assumed != self._assumed or self._view is None:
            self._assumed, self._view = assumed, None
            self._book = Book((self._granted, *assumed, *self._told))
        judgement = self._judged(reading, now)
        outline = tuple((f.kind, f.subject, f.colour, f.since, f.until, f.confirmed) for f in judgement.findings)
        if outline != self._outline:
            self._tell(reading, judgement, now)
            self._suspect(judgement, now)
            self._outline = outline
        self._judgement = judgement
        self.due = judgement.next_change

    def _judged(self, reading: TrackReading, now: datetime) -> Judgement:
        """What the rules find about movement, and when that changes by itself."""
        judgement = rules.judge(self._view_now(reading, now), now)
        findings = tuple(f for f in judgement.findings if f.kind in _SAID)
        return msgspec.structs.replace(judgement, findings=findings)

    def _view_now(self, reading: TrackReading, now: datetime) -> View:
        if self._view is None:
            self._view = view_of(self._book, _VEHICLE, self._loops, None, now)
        return msgspec.structs.replace(self._view, track=reading if reading.fixes_count else None)

    def _tell(self, reading: TrackReading, judgement: Judgement, now: datetime) -> None:
        facts = (self._granted, *self._assumed)
        for said in self._said.values():
            if said.state == "confirmed":
                said.values = _values_of(said, judgement.findings) or said.values

        def ended(warning: WarningState) -> datetime | None:
            return hindsight.ended(warning, (*facts, *self._told), _VEHICLE, self._loops, reading, now, next_fix)

        def next_fix(after: datetime) -> datetime | None:
            return min((at for at, came in self._received.items() if at > after and came <= now), default=None)

        for _ in range(_ROUNDS):
            told = tell(self._view_now(reading, now), judgement, now, came_late=self._came_late, ended=ended)
            if not told:
                break
            for fact in told:
                self._take(fact, judgement)
                self._book.add(fact)
            self._told += told
            self._view = None

    def _came_late(self, finding: Finding) -> bool:
        fixes = (cited.at for cited in finding.evidence if not cited.fact and cited.at is not None)
        return hindsight.came_late((at, self._received[at]) for at in fixes if at in self._received)

    def _assume(self, reading: TrackReading, now: datetime) -> Iterator[Fact]:
        """The loadings and scans that the track lets us assume, as far as they have happened."""
        ends = (self._loop.origin, self._loop.destination)
        visits = [v for v in reading.visits if v.since <= now]
        begun = self._first.fixed_at
        if not visits or visits[0].station != self._loop.origin or visits[0].since > begun:
            yield _fact("1-loaded", begun - timedelta(seconds=1), _loaded(), self._loop.origin)
            if self._begins_at_origin():
                yield _fact("1-left", begun, Left(vehicle=_VEHICLE, pass_id=_PASS), self._loop.origin)
        for visit in visits:
            until = visit.until if visit.until is not None and visit.until <= now else None
            # What is silent has not stood there by that.
            seen = min(now, reading.last.fixed_at) if reading.last is not None else now
            if visit.station not in ends and (until or seen) - visit.since < _STOOD:
                continue
            name = f"{visit.station}-{visit.since.isoformat()}"
            yield _fact(f"2-{name}", visit.since, Entered(vehicle=_VEHICLE, pass_id=_PASS), visit.station)
            if until is not None:
                if visit.station == self._loop.origin:
                    yield _fact(f"3-{name}", until - timedelta(seconds=1), _loaded(), visit.station)
                yield _fact(f"4-{name}", until, Left(vehicle=_VEHICLE, pass_id=_PASS), visit.station)

    def _begins_at_origin(self) -> bool:
        """Whether the track begins so near the origin that it must have come from there."""
        origin = self._loop.station(self._loop.origin)
        return origin is not None and geo.outside_m(origin.boundary, (self._first.lon, self._first.lat)) <= _FROM_ORIGIN_M

    # -- what was said ----------------------------------------------------------------------------------------------------

    def _take(self, fact: Fact, judgement: Judgement) -> None:
        """Note what was told."""
        match fact.what:
            case WarningRaised() as raised:
                suspicion = self._suspicions.get((raised.finding, raised.subject))
                if suspicion is not None and suspicion.raised_at < raised.since:
                    suspicion = None  # of something else, before
                else:
                    self._suspicions.pop((raised.finding, raised.subject), None)
                self._said[fact.id] = Said(
                    kind=raised.finding,
                    level=raised.colour,
                    state="confirmed",
                    since=raised.since,
                    raised_at=suspicion.raised_at if suspicion is not None else fact.at,
                    confirmed_at=fact.at,
                    red_at=fact.at if raised.colour == "red" else None,
                    late=raised.late,
                    subject=raised.subject,
                    evidence=raised.evidence,
                    values=_values_of(raised, judgement.findings),
                )
            case WarningChanged(warning=warning, colour="red"):
                self._said[warning].level = "red"
                self._said[warning].red_at = fact.at
            case WarningCleared(warning=warning, ended=ended):
                said = self._said[warning]
                said.state, said.cleared_at, said.until = "cleared", fact.at, ended
                said.evidence = fact.what.evidence or said.evidence
                said.values = _values_of(said, judgement.findings) or said.values
            case WarningWithdrawn(warning=warning):
                self._said[warning].state, self._said[warning].withdrawn_at = "withdrawn", fact.at
            case _:
                pass

    def _suspect(self, judgement: Judgement, now: datetime) -> None:
        """Note what is suspected, and which suspicions came to nothing."""
        found = {(f.kind, f.subject): f for f in judgement.findings if not f.confirmed}
        for key, suspicion in list(self._suspicions.items()):
            # What began after the suspicion was first said is another one.
            if key not in found or suspicion.raised_at < found[key].since:
                del self._suspicions[key]
                self._dropped.append(_suspected(suspicion, now))
        for key, finding in found.items():
            held = self._suspicions.get(key)
            self._suspicions[key] = _Suspicion(raised_at=held.raised_at if held is not None else now, finding=finding)

    def said(self) -> list[Said]:
        """All that was said, as it stands at the end."""
        findings = self._judgement.findings if self._judgement is not None else ()
        for said in self._said.values():
            if said.state == "confirmed":
                # What is still open is told with its latest evidence.
                said.values = _values_of(said, findings) or said.values
        under_way = [_suspected(suspicion, None) for suspicion in self._suspicions.values()]
        return sorted([*self._said.values(), *self._dropped, *under_way], key=lambda s: (s.raised_at, s.since, s.kind))


def _values_of(said: Said | WarningRaised, findings: Iterable[Finding]) -> dict[str, Value]:
    kind = said.kind if isinstance(said, Said) else said.finding
    fitting = (f.values for f in findings if (f.kind, f.subject, f.since) == (kind, said.subject, said.since))
    return next(fitting, {})


def _suspected(suspicion: _Suspicion, over_at: datetime | None) -> Said:
    finding = suspicion.finding
    return Said(
        kind=finding.kind,
        level=finding.colour,
        state="suspected",
        since=finding.since,
        raised_at=suspicion.raised_at,
        cleared_at=over_at,
        subject=finding.subject,
        evidence=finding.evidence,
        values=finding.values,
    )


def _loaded() -> Loaded:
    return Loaded(vehicle=_VEHICLE, pass_id=_PASS, parcels_count=0, seal="")


def _fact(name: str, at: datetime, what: What, station: str = "") -> Fact:
    return Fact(id=name, at=at, witness="desk:replay", what=what, station=station)


# -- two replays side by side ---------------------------------------------------------------------------------------------


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What another policy, or another plan, would have said otherwise of one track: warnings only, paired by kind and time."""

    same_count: int
    changed: tuple[tuple[Said, Said], ...]
    only_first: tuple[Said, ...]
    only_second: tuple[Said, ...]


def differences(first: Iterable[Said], second: Iterable[Said]) -> Differences:
    """The warnings of two replays of the same track side by side. Suspicions that came to nothing are not compared."""
    left = [said for said in second if said.confirmed_at is not None]
    same, changed, only = 0, [], []
    for said in (one for one in first if one.confirmed_at is not None):
        other = next((one for one in left if one.kind == said.kind and one.subject == said.subject and _meet(one, said)), None)
        if other is None:
            only.append(said)
            continue
        left.remove(other)
        if _outcome(said) == _outcome(other):
            same += 1
        else:
            changed.append((said, other))
    return Differences(same_count=same, changed=tuple(changed), only_first=tuple(only), only_second=tuple(left))


def _outcome(said: Said) -> tuple[object, ...]:
    return said.level, said.state, said.since, said.until, said.confirmed_at


def _meet(a: Said, b: Said) -> bool:
    return (a.until is None or b.since <= a.until) and (b.until is None or a.since <= b.until)
