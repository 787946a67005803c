"""What of a truck is a carrier's to see: what happens under its own passes, and nothing of another's.

The law of this file: a truck may drive for one carrier today and for another tomorrow. The one is not shown the other's laps,
crews, warnings, places or findings, though the plate is the same. Pure: a look in, a narrower look or nothing out.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from checkpoint.core.facts import Fact, subjects
from checkpoint.core.journey import Journey, PassState, View, pass_in_force
from checkpoint.core.verdict import Judgement
from checkpoint.web.board_data import LookLike


class Narrowed(NamedTuple):
    """A look of which another carrier's part was taken away."""

    view: View
    judgement: Judgement


def of_carrier(look: LookLike, carrier: str) -> LookLike | None:
    """As much of a look as is the carrier's; the look itself when all of it is, None when nothing is."""
    view = look.view
    mine = tuple(state for state in view.passes if state.grant.carrier == carrier)
    if not mine:
        return None
    if len(mine) == len(view.passes):
        return look
    journeys = tuple(j for j in view.journeys if _during(view, j.pass_id, j.opened_at, carrier))
    crew = {person for state in mine for person in state.crew} | {person for j in journeys for person in j.crew}
    now = drives_for(view, carrier)
    narrow = msgspec.structs.replace(
        view,
        passes=mine,
        pass_=view.pass_ if now else None,
        journeys=journeys,
        journey=view.journey if view.journey in journeys else journeys[-1] if journeys else None,
        people={person: evidence for person, evidence in view.people.items() if person in crew},
        track=view.track if now else None,
        warnings=tuple(w for w in view.warnings if _during(view, w.raised.pass_id, w.raised.since, carrier)),
        unexplained=(),
        cab=tuple(f for f in view.cab if is_own(f, mine, journeys)),
        spoken=tuple(f for f in view.spoken if is_own(f, mine, journeys)),
    )
    judged = look.judgement
    return Narrowed(narrow, judged if now else msgspec.structs.replace(judged, findings=(), next_change=None))


def drives_for(view: View, carrier: str) -> bool:
    """Whether the truck drives for the carrier now: by the pass that counts, or by the last one where none does."""
    last = view.pass_ or (view.passes[-1] if view.passes else None)
    return last is not None and last.grant.carrier == carrier


def is_own(fact: Fact, passes: tuple[PassState, ...], journeys: tuple[Journey, ...]) -> bool:
    """Whether a fact about the truck happened under one of these passes: it names one, or falls into one of the laps."""
    named = {name.removeprefix("pass:") for name in subjects(fact) if name.startswith("pass:")}
    if named:
        return not named.isdisjoint(state.grant.pass_id for state in passes)
    return any(j.opened_at <= fact.at and (j.closed_at is None or fact.at < j.closed_at) for j in journeys)


def _during(view: View, pass_id: str, at: datetime, carrier: str) -> bool:
    state = view.pass_of(pass_id) if pass_id else pass_in_force(view.passes, at)
    return state is not None and state.grant.carrier == carrier
