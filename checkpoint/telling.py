"""Decide what to tell: findings of now against warnings told before, as facts still to be recorded.

The law of this file: it decides and does nothing; what it returns can be printed. A finding and a warning are the same
when kind and subject agree and their intervals overlap, so that a warning keeps its identity while late facts move its
beginning, split it in two (the first part keeps the name) or merge two into one (the open one keeps it; a second open one
is withdrawn, citing the first). Suspicions are not told. What has ended is still told, once, and cleared in the same breath.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from checkpoint.core.facts import (
    Alerted,
    Cited,
    Fact,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    What,
    digest_id,
)
from checkpoint.core.journey import View, WarningState
from checkpoint.core.verdict import Finding, Judgement

WITNESS = "server"
# The finding whose places ahead are told, one by one.
POSITIVE = "positive-result"

CameLate = Callable[[Finding], bool]
# When a state that is found no more ended; None when, by all that is known now, it never was.
Ended = Callable[[WarningState], datetime | None]


def tell(view: View, judgement: Judgement, now: datetime, came_late: CameLate, ended: Ended) -> list[Fact]:
    """The facts that bring what was told up to what is found, in the order to record them."""
    findings, warnings = _grouped(judgement.findings, view.warnings)
    facts: list[Fact] = []
    for key in sorted(findings.keys() | warnings.keys()):
        facts += _group(view, findings[key], warnings[key], now, came_late, ended)
    return facts


_Key = tuple[str, str]


def _grouped(
    findings: Iterable[Finding], warnings: Iterable[WarningState]
) -> tuple[defaultdict[_Key, list[Finding]], defaultdict[_Key, list[WarningState]]]:
    found: defaultdict[_Key, list[Finding]] = defaultdict(list)
    told: defaultdict[_Key, list[WarningState]] = defaultdict(list)
    for finding in findings:
        found[finding.kind, finding.subject].append(finding)
    for warning in warnings:
        told[warning.raised.finding, warning.raised.subject].append(warning)
    return found, told


def _group(
    view: View, findings: Sequence[Finding], warnings: list[WarningState], now: datetime, came_late: CameLate, ended: Ended
) -> Iterator[Fact]:
    """What to tell of one kind about one subject."""
    free = [w for w in warnings if w.withdrawn_at is None]
    named: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda f: f.since):
        warning = _same(finding, free)
        if warning is not None:
            free.remove(warning)
            named[warning.id] = finding
        if warning is not None and warning.open:
            yield from _brought_up(view, warning, finding, now)
        elif finding.confirmed and (warning is None or finding.until is None):
            # New; or cleared once and, as is known now, not over: that demands an answer again.
            yield from _raised(view, finding, warnings, now, came_late(finding))
    for warning in free:
        if warning.open:
            yield _closed(view, warning, named, now, ended)


def _same(finding: Finding, warnings: Sequence[WarningState]) -> WarningState | None:
    """The warning that this finding is, among those not taken yet: an open one if it can be, the nearest beginning first."""
    return min(
        (w for w in warnings if _overlap(finding, w)),
        key=lambda w: (not w.open, abs(w.raised.since - finding.since), w.id),
        default=None,
    )


def _overlap(finding: Finding, warning: WarningState) -> bool:
    if finding.since == warning.raised.since:
        return True
    return (warning.ended is None or finding.since < warning.ended) and (
        finding.until is None or warning.raised.since < finding.until
    )


def _raised(view: View, finding: Finding, warnings: Sequence[WarningState], now: datetime, late: bool) -> Iterator[Fact]:
    before = sum(w.raised.since == finding.since for w in warnings)
    name = digest_id("warning", view.vehicle, finding.kind, finding.subject, finding.since.isoformat(), str(before))
    raised = WarningRaised(
        finding=finding.kind,
        vehicle=view.vehicle,
        colour=finding.colour,
        since=finding.since,
        subject=finding.subject,
        pass_id=view.pass_.grant.pass_id if view.pass_ is not None else "",
        late=late,
        answer_by=_answer_by(view, finding, now),
        loop=view.loop.id if view.loop is not None else "",
        loop_version=view.loop.version if view.loop is not None else 0,
        evidence=finding.evidence,
    )
    yield _fact(name, now, raised)
    if finding.until is not None:
        yield _cleared(view, name, finding.until, finding.evidence, now)
    else:
        yield from _alerts(view, name, (), finding, now)


def _answer_by(view: View, finding: Finding, now: datetime) -> datetime:
    """Until when somebody must have answered: counted from the telling, since nobody answers what they were not told."""
    policy = view.policy
    return now + timedelta(seconds=policy.answer_red_s if finding.colour == "red" else policy.answer_yellow_s)


def _brought_up(view: View, warning: WarningState, finding: Finding, now: datetime) -> Iterator[Fact]:
    if (finding.colour, finding.confirmed) != (warning.colour, warning.confirmed):
        # A colour may come back: the name of a change is made from how the warning stood before, and when.
        name = digest_id(
            "changed",
            warning.id,
            f"{warning.colour} {warning.confirmed}",
            f"{finding.colour} {finding.confirmed}",
            now.isoformat(),
        )
        changed = WarningChanged(
            warning=warning.id,
            vehicle=view.vehicle,
            colour=finding.colour,
            confirmed=finding.confirmed,
            answer_by=_answer_by(view, finding, now),
            evidence=finding.evidence,
        )
        yield _fact(name, now, changed)
    if finding.until is not None:
        yield _cleared(view, warning.id, finding.until, finding.evidence, now)
    else:
        yield from _alerts(view, warning.id, warning.alerted, finding, now)


def _closed(view: View, warning: WarningState, named: dict[str, Finding], now: datetime, ended: Ended) -> Fact:
    """An open warning that no finding is any more: over, merged into another, or disproved."""
    merged = next((name for name, finding in named.items() if _overlap(finding, warning)), None)
    if merged is not None:
        return _withdrawn(view, warning, now, (Cited(what="WarningRaised", fact=merged),))
    end = ended(warning)
    if end is None:
        return _withdrawn(view, warning, now, ())
    return _cleared(view, warning.id, end, (), now)


def _alerts(view: View, warning: str, told: Sequence[str], finding: Finding, now: datetime) -> Iterator[Fact]:
    """Tell the places ahead of a positive result that have not been told, the nearest first."""
    if finding.kind != POSITIVE:
        return
    ahead = [place for place in str(finding.values.get("ahead") or "").split(",") if place]
    for order, place in enumerate([p for p in ahead if p not in told], start=len(told) + 1):
        # The id begins with the order: facts of one instant are read in the order of their ids.
        name = f"{order:03d}-{digest_id('alert', warning, place)}"
        yield _fact(name, now, Alerted(warning=warning, vehicle=view.vehicle, place=place, order=order))


def _cleared(view: View, warning: str, ended: datetime, evidence: tuple[Cited, ...], now: datetime) -> Fact:
    cleared = WarningCleared(warning=warning, vehicle=view.vehicle, ended=ended, evidence=evidence)
    return _fact(digest_id("cleared", warning), now, cleared)


def _withdrawn(view: View, warning: WarningState, now: datetime, evidence: tuple[Cited, ...]) -> Fact:
    withdrawn = WarningWithdrawn(warning=warning.id, vehicle=view.vehicle, evidence=evidence)
    return _fact(digest_id("withdrawn", warning.id), now, withdrawn)


def _fact(name: str, now: datetime, what: What) -> Fact:
    return Fact(id=name, at=now, witness=WITNESS, what=what)
