"""A journey's page as values: the timeline with every correction visible, the samples with how long each counts, the track.

Pure. Every fact that names the vehicle or its people is in exactly one journey's timeline: the one under way when it
happened; what came before the first journey is told with the first. Nothing is left out because it was corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import Amended, Fact, Happening, LoopPublished, Overruled, Scanned, Voided
from checkpoint.core.geo import LonLat
from checkpoint.core.journey import Journey, View
from checkpoint.core.loop import Policy
from checkpoint.core.sampling import Standing, Swab, counts_until, standing
from checkpoint.core.track import Fix
from checkpoint.store import Recorded

# A fact learnt this long after it happened came late: the timeline says so.
LATE = timedelta(minutes=10)
MOST_TRACK_POINTS = 1500
# What a timeline's row does not repeat: whom the page is about, and what only machines read.
_NOT_SHOWN = frozenset(
    {"vehicle", "pass_id", "digest", "anchor", "document", "scan", "warning", "target", "what", "evidence", "subject", "shown",
     "loop", "late", "loop_version", "generation", "request"}
)  # fmt: skip


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of a fact: what it said, by whom and when; whether it stands itself."""

    id: str
    kind: Literal["voided", "amended"]
    at: datetime
    by: str
    reason: str
    stands: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the timeline. `values` are what the fact says now; `before` what it said before it was amended."""

    id: str
    kind: str
    at: datetime
    recorded_at: datetime
    late: bool
    witness: str
    by: str
    station: str
    values: dict[str, Any]
    before: dict[str, Any]
    shown: Scanned | None
    state: Literal["standing", "amended", "voided"]
    corrections: tuple[Correction, ...]


class SampleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A swab, and until when it counts: `counts` says whether it counts now, `until` when that ends (None: it never did)."""

    swab: Swab
    until: datetime | None
    counts: bool


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """A crew member's evidence: every swab, newest first, and what it adds up to now."""

    person: str
    samples: tuple[SampleRow, ...]
    standing: Standing
    celsius: float | None
    celsius_at: datetime | None
    code: str


def timeline(recorded: Iterable[Recorded], journeys: Sequence[Journey], shown: Journey | None) -> tuple[Entry, ...]:
    """The timeline of one journey (None: of everything, where there is no journey), the newest first."""
    known = list(recorded)
    book = Book(r.fact for r in known)
    rows = []
    for each in known:
        fact = each.fact
        if isinstance(fact.what, Voided | Amended | LoopPublished):
            continue
        if shown is None or _journey_at(journeys, (book.fact(fact.id) or fact).at) is shown:
            rows.append(entry(each, book))
    return tuple(sorted(rows, key=lambda e: (e.at, e.id), reverse=True))


def _journey_at(journeys: Sequence[Journey], at: datetime) -> Journey | None:
    begun = [j for j in journeys if j.opened_at <= at]
    return begun[-1] if begun else journeys[0] if journeys else None


def entry(recorded: Recorded, book: Book) -> Entry:
    """One fact's row, with its corrections."""
    fact = recorded.fact
    now = book.fact(fact.id)
    stands = now or fact
    corrections = tuple(_corrections(fact, book))
    amended = now is not None and now != fact
    return Entry(
        id=fact.id,
        kind=type(stands.what).__name__,
        at=stands.at,
        recorded_at=recorded.recorded_at,
        late=recorded.recorded_at - fact.at > LATE,
        witness=fact.witness,
        by=fact.by,
        station=fact.station,
        values=values_of(stands.what),
        before={k: v for k, v in values_of(fact.what).items() if values_of(stands.what).get(k) != v} if amended else {},
        shown=stands.what if isinstance(stands.what, Scanned) else None,
        state="voided" if now is None else "amended" if amended else "standing",
        corrections=corrections,
    )


def _corrections(fact: Fact, book: Book) -> Iterable[Correction]:
    for other in book.history(f"fact:{fact.id}"):
        if isinstance(other.what, Voided | Amended) and other.what.target == fact.id:
            yield Correction(
                id=other.id,
                kind="voided" if isinstance(other.what, Voided) else "amended",
                at=other.at,
                by=other.by,
                reason=other.what.reason,
                stands=not any(
                    isinstance(f.what, Voided) and f.what.target == other.id for f in book.history(f"fact:{other.id}")
                ),
            )


def values_of(what: Happening) -> dict[str, Any]:
    """What a fact says, by field, as far as a row shows it: what is empty is left out."""
    found = {}
    for field in msgspec.structs.fields(what):
        value = getattr(what, field.name)
        if field.name not in _NOT_SHOWN and value not in ("", None, ()):
            found[field.name] = value
    return found


def people(view: View, now: datetime) -> tuple[PersonRow, ...]:
    """The crew's evidence, in the order of the pass."""
    order = list(dict.fromkeys((*(view.pass_.crew if view.pass_ else ()), *view.people)))
    rows = []
    for person in order:
        evidence = view.people.get(person)
        if evidence is None:
            continue
        held = standing(evidence, now, view.policy)
        rows.append(
            PersonRow(
                person=person,
                samples=tuple(sample(s, held, view.policy) for s in reversed(evidence.swabs)),
                standing=held,
                celsius=evidence.celsius,
                celsius_at=evidence.celsius_at,
                code=evidence.code,
            )
        )
    return tuple(rows)


def sample(swab: Swab, held: Standing, policy: Policy) -> SampleRow:
    """One swab's row. Only a negative that the standing rests on counts, and none beside a positive or a review."""
    held_up = held.positive is not None or held.review is not None
    counting = {s.fact for s in (held.pcr, held.antigen) if s is not None and not held_up}
    until = counts_until(swab, policy) if swab.state == "negative" else None
    return SampleRow(swab=swab, until=until, counts=swab.fact in counting)


def overruled(journey: Journey | None) -> frozenset[str]:
    """The scans that somebody overruled."""
    return frozenset(f.what.scan for f in (journey.facts if journey else ()) if isinstance(f.what, Overruled))


def thinned(fixes: Sequence[Fix], most: int = MOST_TRACK_POINTS) -> list[LonLat]:
    """A track as places to draw, evenly thinned, its last place always among them. Invalid fixes are left out."""
    places = [(fix.lon, fix.lat) for fix in fixes if fix.stands_for_a_place]
    step = max(-(-len(places) // most), 1)
    drawn = places[::step]
    if places and drawn[-1] != places[-1]:
        drawn.append(places[-1])
    return drawn
