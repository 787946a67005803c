"""What the tests say: positives and who is ahead, people held for review, antigen tests not read in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from checkpoint.core.journey import View
from checkpoint.core.rules.ahead import ahead
from checkpoint.core.rules.common import SECOND, cite_swab, seconds
from checkpoint.core.sampling import Swab, standing, with_bad_news
from checkpoint.core.verdict import Finding, Value


def _crew(view: View) -> tuple[str, ...]:
    """Whose evidence binds this truck: the crew on the pass that counts."""
    return view.pass_.crew if view.pass_ is not None else ()


def _person(view: View, swab: Swab, kind: str, since: datetime, **values: Value) -> Finding:
    return Finding(
        kind=kind,
        vehicle=view.vehicle,
        subject=f"person:{swab.person}",
        colour="red" if kind == "positive-result" else "yellow",
        since=since,
        evidence=cite_swab(swab),
        values={"person": swab.person, "test": swab.test, "specimen": swab.specimen, "tube": swab.tube, **values},
    )


def positive_result(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A crew member tested positive: the places the truck will reach next are named, in that order."""
    for person in _crew(view):
        swab = standing(with_bad_news(view.people[person], now), now, view.policy).positive
        if swab is not None and swab.reported_at is not None:
            places = ",".join(a.station.id for a in ahead(view, now))
            yield _person(view, swab, "positive-result", min(swab.reported_at, now), ahead=places)


def held_for_review(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """A crew member's pool came back positive or grey, or their own result is unclear: swab singly (待复核)."""
    for person in _crew(view):
        held = standing(with_bad_news(view.people[person], now), now, view.policy)
        swab = held.review
        if swab is not None and swab.reported_at is not None and held.positive is None:
            yield _person(view, swab, "held-for-review", min(swab.reported_at, now), why=swab.why)


def antigen_unread(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """Twenty minutes after the swab nobody has read the antigen test: it can no longer be read."""
    for person in _crew(view):
        swabs = [s for s in view.people[person].swabs if s.test == "antigen"]
        for i, swab in enumerate(swabs):
            policy = view.policy_at(swab.taken_at, swab.station)
            shut = swab.taken_at + seconds(policy.antigen_read_before_s)
            yield shut + timedelta(microseconds=1)
            if now <= shut or (swab.reported_at is not None and swab.reported_at <= shut):
                continue
            again = swabs[i + 1].taken_at if i + 1 < len(swabs) else None
            ends = [t for t in (swab.reported_at, again, swab.taken_at + seconds(policy.antigen_valid_s)) if t is not None]
            until = min(ends)
            yield Finding(
                kind="antigen-unread",
                vehicle=view.vehicle,
                subject=f"specimen:{swab.specimen}",
                colour="yellow",
                since=shut,
                until=until if until <= now else None,
                evidence=cite_swab(swab)[:1],
                values={"person": person, "specimen": swab.specimen, "station": swab.station},
            )
            yield swab.taken_at + seconds(policy.antigen_valid_s) + SECOND


def antigen_window_missed(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """An antigen test was read too early or too late: the reading proves nothing, and the test must be taken again."""
    for person in _crew(view):
        swabs = [s for s in view.people[person].swabs if s.test == "antigen"]
        for i, swab in enumerate(swabs):
            if swab.why != "read-outside-window" or swab.reported_at is None or swab.reported_at > now:
                continue
            later = [s.taken_at for s in swabs[i + 1 :] if s.taken_at >= swab.reported_at]
            yield Finding(
                kind="antigen-window-missed",
                vehicle=view.vehicle,
                subject=f"specimen:{swab.specimen}",
                colour="yellow",
                since=swab.reported_at,
                until=min(later, default=None),
                evidence=cite_swab(swab),
                values={
                    "person": person,
                    "specimen": swab.specimen,
                    "station": swab.station,
                    "minutes": round((swab.reported_at - swab.taken_at).total_seconds() / 60, 1),
                },
            )
