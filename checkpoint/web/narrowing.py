"""What of a truck is a carrier's to see: what happens under its own passes, and nothing of another's, nor of anybody's health.

The law of this file: a truck may drive for one carrier today and for another tomorrow. The one is not shown the other's laps,
crews, warnings, places or findings, though the plate is the same. And a carrier is whom its drivers work for: of their swabs,
results, temperatures and codes it is shown only what they mean for the truck, the word at a gate. Pages and API alike.
Pure: a look in, a narrower look or nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    Amended,
    AntigenRead,
    DeviceBound,
    DeviceReleased,
    Fact,
    HealthCodeSeen,
    ResultReported,
    SwabTaken,
    TemperatureMeasured,
    TubeSealed,
    WarningAnswered,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    subjects,
)
from checkpoint.core.journey import Journey, PassState, View, pass_in_force
from checkpoint.core.rules import ABOUT_TESTS
from checkpoint.core.verdict import Judgement
from checkpoint.web.board_data import LookLike

# What is told of a person's health, and reasons at a gate that tell of it.
_OF_HEALTH = (
    SwabTaken | TubeSealed | AntigenRead | ResultReported | TemperatureMeasured | HealthCodeSeen | Alerted | AlertAcknowledged
)
_OF_A_WARNING = WarningChanged | WarningCleared | WarningWithdrawn | WarningAnswered
REASONS_OF_HEALTH = frozenset(
    {"tested-positive", "held-for-review", "antigen-unread", "evidence-missing", "temperature-or-code", "pcr-pending"}
)


class Narrowed(NamedTuple):
    """A look of which another carrier's part, and what tells of people's health, was taken away."""

    view: View
    judgement: Judgement


def of_carrier(look: LookLike, carrier: str) -> LookLike | None:
    """As much of a look as is the carrier's; None when nothing is."""
    view = look.view
    mine = tuple(state for state in view.passes if state.grant.carrier == carrier)
    if not mine:
        return None
    journeys = tuple(j for j in view.journeys if _during(view, j.pass_id, j.opened_at, carrier))
    now = drives_for(view, carrier)
    narrow = msgspec.structs.replace(
        view,
        passes=mine,
        pass_=view.pass_ if now else None,
        journeys=journeys,
        journey=view.journey if view.journey in journeys else journeys[-1] if journeys else None,
        people={},
        track=view.track if now else None,
        warnings=tuple(
            w
            for w in view.warnings
            if w.raised.finding not in ABOUT_TESTS and _during(view, w.raised.pass_id, w.raised.since, carrier)
        ),
        unexplained=(),
        cab=tuple(f for f in view.cab if is_own(f, mine, journeys)),
        spoken=tuple(f for f in view.spoken if is_own(f, mine, journeys)),
    )
    judged = look.judgement
    if not now:
        return Narrowed(narrow, msgspec.structs.replace(judged, findings=(), next_change=None))
    findings = tuple(f for f in judged.findings if f.kind not in ABOUT_TESTS)
    return Narrowed(narrow, msgspec.structs.replace(judged, findings=findings))


def drives_for(view: View, carrier: str) -> bool:
    """Whether the truck drives for the carrier now: by the pass that counts, or by the last one where none does."""
    last = view.pass_ or (view.passes[-1] if view.passes else None)
    return last is not None and last.grant.carrier == carrier


def is_own(fact: Fact, passes: tuple[PassState, ...], journeys: tuple[Journey, ...]) -> bool:
    """Whether a fact about the truck happened under one of these passes: it names one, or falls into one of the laps. Which
    device reports for the truck is nobody's own: the number that one was bound by is all that it shows to be believed."""
    what = fact.what.what if isinstance(fact.what, Amended) else fact.what
    if isinstance(what, DeviceBound | DeviceReleased):
        return False
    named = {name.removeprefix("pass:") for name in subjects(fact) if name.startswith("pass:")}
    if named:
        return not named.isdisjoint(state.grant.pass_id for state in passes)
    return any(j.opened_at <= fact.at and (j.closed_at is None or fact.at < j.closed_at) for j in journeys)


def without_health(facts: Iterable[Fact]) -> set[str]:
    """The ids of those facts that tell of nobody's health. Of a warning about tests nothing is told, nor of its answers."""
    told = list(facts)
    about_tests = {f.id for f in told if isinstance(f.what, WarningRaised) and f.what.finding in ABOUT_TESTS}

    def tells(fact: Fact) -> bool:
        what = fact.what.what if isinstance(fact.what, Amended) else fact.what
        return (
            isinstance(what, _OF_HEALTH)
            or fact.id in about_tests
            or (isinstance(what, _OF_A_WARNING) and what.warning in about_tests)
        )

    return {fact.id for fact in told if not tells(fact)}


def _during(view: View, pass_id: str, at: datetime, carrier: str) -> bool:
    state = view.pass_of(pass_id) if pass_id else pass_in_force(view.passes, at)
    return state is not None and state.grant.carrier == carrier
