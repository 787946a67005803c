"""What a driver's truck is to its loop now, as the phone shows it. Computed from a look; knows no request and no clock.

The law of this file: a driver sees their own evidence and, of the rest of the crew, only whether it is in order. The verdict
is the one the next gate would give now, asked of the same rules; a colour is never shown without what it was made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkpoint.core.facts import Cited, Contested, HelpCalled, Word
from checkpoint.core.journey import Stay, View
from checkpoint.core.loop import Loop, Policy, Station
from checkpoint.core.passes import Reading
from checkpoint.core.rules import ahead, decide
from checkpoint.core.rules.ahead import place_on_line
from checkpoint.core.sampling import Evidence, Swab, as_of, standing
from checkpoint.core.verdict import Found, Gate, Judgement
from checkpoint.web.words import Words

SPOKEN_SHOWN = timedelta(days=2)
MOST_COMING = 3
# What stations, desks and the record have to settle among themselves; what a driver said comes back under its own heading.
BETWEEN_DESKS = frozenset({"alert-unacknowledged", "verdict-differs", "unexplained", "contested", "help-called"})


@dataclass(frozen=True, kw_only=True)
class ReasonLine:
    """One reason of the verdict, in words; `who` names the crew member it speaks of, where there are several."""

    word: Word
    text: str
    who: str
    until: datetime | None
    cited: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Count:
    """One kind of test of the driver: what it is worth (`counts`, `pending`, ...), and until when or from when."""

    test: str
    state: str
    until: datetime | None = None
    sampled_at: datetime | None = None
    station: str = ""


@dataclass(frozen=True, kw_only=True)
class Mate:
    """Somebody else of the crew: `ok` or `not-ok`, no more."""

    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class FindingLine:
    """What the loop says of the truck or of somebody in it, in words; `target` is what a driver contests."""

    colour: str
    text: str
    why: str
    who: str
    since: datetime
    cited: tuple[str, ...]
    target: str


@dataclass(frozen=True, kw_only=True)
class Coming:
    """A station ahead, and from when to when it should be reached, in words."""

    station: str
    arrival: str


@dataclass(frozen=True, kw_only=True)
class StayLine:
    """Where the truck and its people rest."""

    station: str
    bay: str
    beds: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """What the driver told us lately."""

    at: datetime
    kind: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything the driver's page shows beside the code. `word` is None while there is no loop to judge by."""

    word: Word | None = None
    gate: str = ""
    until: datetime | None = None
    next_step: str = ""
    reasons: tuple[ReasonLine, ...] = ()
    loop: str = ""
    loop_version: int = 0
    break_due: datetime | None = None
    break_minutes: int = 0
    counts: tuple[Count, ...] = ()
    mates: tuple[Mate, ...] = ()
    stay: StayLine | None = None
    coming: tuple[Coming, ...] = ()
    suspected: tuple[str, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    spoken: tuple[Spoken, ...] = ()


def card_of(view: View, judgement: Judgement, reading: Reading | None, person: str, words: Words, now: datetime) -> Card:
    """The card of a truck for one of its crew. `reading` is its own pass with the step of now."""
    loop = view.loop
    verdict = gate = None
    if loop is not None:
        gate = next_gate(view, loop, now)
        verdict = decide(view, Gate(station=gate.id, reading=reading), now)
    policy = loop.policy_at(gate.id) if loop is not None and gate is not None else Policy()
    crew = view.pass_.crew if view.pass_ else ()
    stay = next((s for s in reversed(view.journey.stays) if s.until is None), None) if view.journey else None
    return Card(
        word=verdict.word if verdict else None,
        gate=words.station_name("", gate.id) if gate else "",
        until=verdict.until if verdict else None,
        next_step=words.say(f"next.{verdict.next_step}", verdict.next_values) if verdict else "",
        reasons=tuple(_reason(found, person, words) for found in verdict.reasons) if verdict else (),
        loop=str(getattr(loop.name, words.t.lang)) if loop else "",
        loop_version=loop.version if loop else 0,
        break_due=break_due(view, policy, now),
        break_minutes=policy.break_s // 60,
        counts=_counts(view.people.get(person, Evidence(person=person)), policy, words, now),
        mates=tuple(
            Mate(name=words.who(mate), state=_mate(view.people.get(mate), policy, now)) for mate in crew if mate != person
        ),
        stay=_stay(stay, words) if stay is not None else None,
        coming=_coming(view, words, now),
        suspected=tuple(words.t(f"finding.{f.kind}") for f in judgement.findings if f.until is None and not f.confirmed),
        findings=tuple(
            FindingLine(
                colour=f.colour,
                text=words.say(f"finding.{f.kind}", f.values),
                why=words.why_of(f.kind, f.values),
                who=_who(f.values, words),
                since=f.since,
                cited=_evidence(f.evidence, f.values, person, words),
                target=f"{f.kind}:{f.subject}:{f.since.isoformat()}",
            )
            for f in judgement.findings
            if f.until is None and f.confirmed and f.kind not in BETWEEN_DESKS
        ),
        spoken=_spoken(view, person, now),
    )


def next_gate(view: View, loop: Loop, now: datetime) -> Station:
    """The station whose gate the truck is at, or comes to next: the first ahead that this leg must visit, else
    the end of the leg."""
    if view.journey is None or (view.journey.closed_at is not None and view.journey.closed_at <= now):
        here = view.track.station if view.track is not None else ""
        found = loop.station(here) or loop.station(loop.origin)
        assert found is not None  # `loop.parse` refuses a loop whose points are no stations
        return found
    place = place_on_line(view)
    leg = place[0] if place is not None else view.journey.leg
    stations = [found.station for found in ahead(view, now)]
    inside = (view.track.station if view.track is not None else "") or view.journey.at_station
    for station in stations:
        if station.id == inside or leg in station.required_on:
            return station
    end = loop.station(loop.destination if leg == "outbound" else loop.origin)
    assert end is not None
    return end


def _coming(view: View, words: Words, now: datetime) -> tuple[Coming, ...]:
    """The next stations on the way; none while no journey is under way."""
    if view.journey is None or (view.journey.closed_at is not None and view.journey.closed_at <= now):
        return ()
    found = [a for a in ahead(view, now) if a.distance_m > 0][:MOST_COMING]
    return tuple(Coming(station=words.station_name("", a.station.id), arrival=words.arrival(a)) for a in found)


def break_due(view: View, policy: Policy, now: datetime) -> datetime | None:
    """When the break that the law demands begins at the latest; None while the truck stands or nobody knows."""
    track = view.track
    if track is None or track.last is None or track.driving_since is None or track.at_rest_since is not None:
        return None
    return track.last.fixed_at + timedelta(seconds=max(0.0, policy.break_after_driving_s - track.driven_s))


def _stay(stay: Stay, words: Words) -> StayLine:
    beds = ("、" if words.t.lang == "zh" else ", ").join(stay.beds)
    return StayLine(station=words.station_name("", stay.station), bay=stay.bay, beds=beds, since=stay.since)


def _counts(evidence: Evidence, policy: Policy, words: Words, now: datetime) -> tuple[Count, ...]:
    stands = standing(as_of(evidence, now), now, policy)

    def line(test: str, state: str, swab: Swab | None, until: datetime | None = None) -> Count:
        return Count(
            test=test,
            state=state,
            until=until,
            sampled_at=swab.taken_at if swab else None,
            station=words.station_name("", swab.station) if swab else "",
        )

    found: list[Count] = []
    for test, good, until in (("pcr", stands.pcr, stands.pcr_until), ("antigen", stands.antigen, stands.antigen_until)):
        bad = next((s for s in (stands.positive, stands.review) if s is not None and s.test == test), None)
        if bad is not None:
            found.append(line(test, "positive" if bad.state == "positive" else "review", bad))
        if good is not None:
            found.append(line(test, "counts", good, until))
        waiting = stands.pending if test == "pcr" else stands.unread
        if waiting is not None and test == "pcr":
            found.append(line(test, "pending", waiting, waiting.taken_at + timedelta(seconds=policy.result_owed_s)))
        elif waiting is not None:
            found.append(line(test, "unread", waiting, waiting.taken_at + timedelta(seconds=policy.antigen_read_after_s)))
        needed = test == "pcr" or stands.pcr is None
        if bad is None and good is None and waiting is None and needed:
            found.append(line(test, "missing", None))
    return tuple(found)


def _mate(evidence: Evidence | None, policy: Policy, now: datetime) -> str:
    if evidence is None:
        return "not-ok"
    stands = standing(as_of(evidence, now), now, policy)
    # The release rule: a PCR that counts, or a negative antigen with a PCR on its way.
    good = stands.pcr is not None or (policy.go_on_antigen and stands.antigen is not None and stands.pending is not None)
    return "ok" if good and stands.positive is None and stands.review is None and stands.unread is None else "not-ok"


def _spoken(view: View, person: str, now: datetime) -> tuple[Spoken, ...]:
    found = []
    for fact in view.spoken:
        if now - fact.at > SPOKEN_SHOWN or getattr(fact.what, "person", "") != person:
            continue
        if isinstance(fact.what, HelpCalled):
            found.append(Spoken(at=fact.at, kind="help", words=fact.what.words))
        elif isinstance(fact.what, Contested):
            found.append(Spoken(at=fact.at, kind="contested", words=fact.what.words))
    return tuple(found)


def _reason(found: Found, person: str, words: Words) -> ReasonLine:
    return ReasonLine(
        word=found.row.verdict,
        text=words.say(f"reason.{found.row.reason}", found.values),
        who=_who(found.values, words),
        until=found.until,
        cited=_evidence(found.evidence, found.values, person, words),
    )


def _who(values: Mapping[str, object], words: Words) -> str:
    """Whom of the crew it is about; empty when that goes without saying."""
    person = str(values.get("person") or "")
    return words.who(person) if person and len(words.names) > 1 else ""


def _evidence(cited: tuple[Cited, ...], values: Mapping[str, object], person: str, words: Words) -> tuple[str, ...]:
    """The evidence in lines; a mate's specimens and results are the mate's own."""
    if values.get("person", person) != person:
        return ()
    return tuple(_cited(c, words) for c in cited[:3])


def _cited(cited: Cited, words: Words) -> str:
    """One piece of evidence in a line: what it is, when, and what it says."""
    said = [f"{label} {value}" for label, value in words.values_of(cited)[:3]]
    when = [words.value("at", cited.at)] if cited.at else []
    return " ".join([words.t(f"cited.{cited.what}"), *when, *said])
