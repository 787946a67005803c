"""What the record says: things done elsewhere than designated, overruled, contested, not fitting, not yet known ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from checkpoint.core.facts import (
    CheckedIn,
    Cited,
    Contested,
    Fact,
    HelpCalled,
    Loaded,
    Overruled,
    Scanned,
    SwabTaken,
    Unloaded,
)
from checkpoint.core.journey import View, WarningState
from checkpoint.core.loop import Service
from checkpoint.core.rules.common import event
from checkpoint.core.rules.gate import evidence_word
from checkpoint.core.verdict import Finding

_NEEDS: tuple[tuple[type, Service], ...] = (
    (SwabTaken, "sampling"),
    (CheckedIn, "rest"),
    (Loaded, "loading"),
    (Unloaded, "unloading"),
)


def _facts(view: View, now: datetime) -> Iterator[Fact]:
    return (f for j in view.journeys for f in j.facts if f.at <= now)


def undesignated_place(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A swab, a stay, a loading or unloading at a place that is not designated for it."""
    if view.loop is None:
        return
    for fact in _facts(view, now):
        for kind, service in _NEEDS:
            if isinstance(fact.what, kind) and fact.station:
                plan = view.loop_at(fact.at)
                station = plan.station(fact.station) if plan is not None else None
                if station is None or service not in station.services:
                    yield event(view, "undesignated-place", fact, station=fact.station, service=service)


def overruled(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Somebody decided against the verdict shown, with name and reason."""
    for fact in _facts(view, now):
        if isinstance(fact.what, Overruled):
            yield event(view, "overruled", fact, word=fact.what.word, reason=fact.what.reason, by=fact.by)


def verdict_differs(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A station showed GO although, by all we know now of that moment, the crew's evidence said otherwise."""
    for fact in _facts(view, now):
        if isinstance(fact.what, Scanned) and fact.what.shown.word == "GO":
            should = evidence_word(view, fact.station, fact.at)
            # What another kiosk's clock, a little ahead, wrote just before counted there, as it does at the gate.
            if should != "GO" and evidence_word(view, fact.station, fact.at, view.policy.clock_tolerance_s) != "GO":
                yield event(view, "verdict-differs", fact, "red", shown="GO", should=should, station=fact.station)


def contested(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A driver disagrees with a colour or a verdict: somebody must look at it and answer."""
    for fact in view.spoken:
        if isinstance(fact.what, Contested) and fact.at <= now:
            yield event(view, "contested", fact, person=fact.what.person, words=fact.what.words, target=fact.what.target)


def help_called(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A driver called for help."""
    for fact in view.spoken:
        if isinstance(fact.what, HelpCalled) and fact.at <= now:
            yield event(view, "help-called", fact, "red", person=fact.what.person, words=fact.what.words)


def unexplained(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A fact that does not fit the rest: a number used twice, a reading without a swab, a positive person in a pool,
    leaving without having come."""
    by_id = {f.id: f for f in _facts(view, now)}
    for odd in (*view.unexplained, *(u for j in view.journeys for u in j.unexplained)):
        if odd.at > now:
            continue
        fact = by_id.get(odd.fact)
        subject = f"fact:{odd.fact}:{odd.why}"
        answered = [
            w.answered_at
            for w in view.warnings
            if w.raised.finding == "unexplained" and w.raised.subject == subject and w.answered_at is not None
        ]
        yield Finding(
            kind="unexplained",
            vehicle=view.vehicle,
            subject=subject,
            colour="yellow",
            since=odd.at,
            until=min(answered, default=None),
            evidence=(Cited(what=type(fact.what).__name__ if fact else "fact", at=odd.at, fact=odd.fact),),
            values={"why": odd.why},
        )


def load_differs(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """What was unloaded is not what was loaded: another count, another seal, or a broken one."""
    for journey in view.journeys:
        loads = [f for f in journey.loads if f.at <= now]
        for fact in journey.unloads:
            before = [f for f in loads if f.at <= fact.at]
            if fact.at > now or not before or not isinstance(fact.what, Unloaded):
                continue
            loaded = sum(f.what.parcels_count for f in before if isinstance(f.what, Loaded))
            others = [f for f in journey.unloads if f.at <= fact.at]
            unloaded = sum(f.what.parcels_count for f in others if isinstance(f.what, Unloaded))
            seals = {f.what.seal for f in before if isinstance(f.what, Loaded)}
            last = fact.id == journey.unloads[-1].id
            if (last and loaded != unloaded) or fact.what.seal not in seals or not fact.what.seal_intact:
                yield event(
                    view,
                    "load-differs",
                    fact,
                    loaded=loaded,
                    unloaded=unloaded,
                    seal=fact.what.seal,
                    seal_intact=fact.what.seal_intact,
                )


def alert_unacknowledged(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A place ahead was told of a positive result and has not said that it knows."""
    waiting: dict[str, list[WarningState]] = {}
    for warning in view.warnings:
        for place in warning.alerted:
            if place not in warning.acknowledged and warning.open:
                waiting.setdefault(place, []).append(warning)
    # Two people of one crew may be positive: a place that is to answer for both is warned of once.
    for place, warnings in waiting.items():
        yield Finding(
            kind="alert-unacknowledged",
            vehicle=view.vehicle,
            subject=f"station:{place}",
            colour="yellow",
            since=min(w.raised_at for w in warnings),
            evidence=tuple(Cited(what="WarningRaised", at=w.raised_at, fact=w.id) for w in warnings),
            values={"station": place},
        )
