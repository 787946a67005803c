"""What several rules need: findings in one shape, events that stand until answered, the journey under way."""

from __future__ import annotations

from datetime import datetime, timedelta

from checkpoint.core.facts import Cited, Colour, Fact
from checkpoint.core.journey import Journey, View, WarningState
from checkpoint.core.sampling import Swab
from checkpoint.core.verdict import Finding, Value

SECOND = timedelta(seconds=1)


def seconds(value: float) -> timedelta:
    """A duration of the policy."""
    return timedelta(seconds=value)


def cite(fact: Fact, **values: str | int | float | bool | None) -> Cited:
    """A fact as evidence, named by its kind."""
    return Cited(what=type(fact.what).__name__, at=fact.at, fact=fact.id, values={"station": fact.station, **values})


def cite_swab(swab: Swab) -> tuple[Cited, ...]:
    """A swab and its result as evidence."""
    taken = Cited(
        what="SwabTaken",
        at=swab.taken_at,
        fact=swab.fact,
        values={"specimen": swab.specimen, "test": swab.test, "tube": swab.tube, "station": swab.station},
    )
    if swab.reported_at is None:
        return (taken,)
    return (taken, Cited(what="result", at=swab.reported_at, fact=swab.result_fact, values={"state": swab.state}))


def under_way(view: View, now: datetime) -> Journey | None:
    """The journey that has not ended yet, or None."""
    journey = view.journey
    if journey is None or (journey.closed_at is not None and journey.closed_at <= now) or view.loop is None:
        return None
    return journey


def closed_by(journey: Journey, now: datetime) -> datetime | None:
    """When the journey ended, or None while it has not: a pass that will expire has not closed it yet."""
    return journey.closed_at if journey.closed_at is not None and journey.closed_at <= now else None


def must_be_answered(warning: WarningState) -> bool:
    """Whether somebody still has to answer: it is open, or it was a red excursion from the loop. That one's end is no answer:
    a truck at a gate is always back on its loop. A silence that ended told us where the truck had been."""
    excursion = warning.colour == "red" and warning.raised.finding == "off-loop"
    return warning.withdrawn_at is None and warning.answered_at is None and (warning.open or excursion)


def event(
    view: View,
    kind: str,
    fact: Fact,
    colour: Colour = "yellow",
    *,
    subject: str = "",
    for_driver: bool = False,
    evidence: tuple[Cited, ...] = (),
    **values: Value,
) -> Finding:
    """Something that happened once: it stands from its instant until somebody answered the warning about it."""
    subject = subject or f"fact:{fact.id}"
    answered = [
        w.answered_at
        for w in view.warnings
        if w.raised.finding == kind and w.raised.subject == subject and w.answered_at is not None
    ]
    return Finding(
        kind=kind,
        vehicle=view.vehicle,
        subject=subject,
        colour=colour,
        since=fact.at,
        until=min(answered) if answered else None,
        for_driver=for_driver,
        evidence=(cite(fact), *evidence),
        values=values,
    )
