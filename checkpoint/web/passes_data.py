"""What the page of passes shows: requests that wait, passes and how they stand. Pure: facts in, rows out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import Fact, PassGranted, PassRefused, PassRequested
from checkpoint.core.journey import PassState, fold_passes

Standing = Literal["counting", "coming", "over", "revoked"]
# What is listed of what is settled: the newest.
MOST_SETTLED = 200


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A request: what was asked, by whom, and what became of it."""

    asked: PassRequested
    at: datetime
    by: str
    state: Literal["waiting", "granted", "refused"]
    pass_id: str = ""
    reason: str = ""


class PassRow(msgspec.Struct, frozen=True, kw_only=True):
    """A pass as it stands now."""

    state: PassState
    standing: Standing

    @property
    def grant(self) -> PassGranted:
        """Its newest grant."""
        return self.state.grant


def requests(book: Book, carrier: str | None = None) -> tuple[RequestRow, ...]:
    """The requests of a carrier (None: of all): those that wait first, the oldest on top; then the settled, newest first."""
    rows = [_row(book, fact, fact.what) for fact in book.all() if isinstance(fact.what, PassRequested)]
    rows = [row for row in rows if carrier is None or row.asked.carrier == carrier]
    waiting = sorted((r for r in rows if r.state == "waiting"), key=lambda r: r.at)
    settled = sorted((r for r in rows if r.state != "waiting"), key=lambda r: r.at, reverse=True)
    return (*waiting, *settled[:MOST_SETTLED])


def _row(book: Book, fact: Fact, asked: PassRequested) -> RequestRow:
    row = RequestRow(asked=asked, at=fact.at, by=fact.by, state="waiting")
    for later in book.of(f"request:{asked.request}"):
        match later.what:
            case PassGranted(pass_id=pass_id):
                row = msgspec.structs.replace(row, state="granted", pass_id=pass_id)
            case PassRefused(reason=reason):
                row = msgspec.structs.replace(row, state="refused", reason=reason)
            case _:
                pass
    return row


def passes(book: Book, now: datetime, carrier: str | None = None) -> tuple[PassRow, ...]:
    """The passes of a carrier (None: of all): those that count, those to come, then the others, newest first."""
    vehicles = {f.what.vehicle for f in book.all() if isinstance(f.what, PassGranted)}
    states = [state for vehicle in sorted(vehicles) for state in fold_passes(book, vehicle)]
    rows = [PassRow(state=s, standing=standing_of(s, now)) for s in states if carrier is None or s.grant.carrier == carrier]
    order: dict[Standing, int] = {"counting": 0, "coming": 1, "revoked": 2, "over": 2}
    rows.sort(key=lambda r: r.state.granted_at, reverse=True)
    rows.sort(key=lambda r: order[r.standing])
    return tuple(rows[: MOST_SETTLED + sum(1 for r in rows if r.standing in ("counting", "coming"))])


def standing_of(state: PassState, now: datetime) -> Standing:
    """How a pass stands."""
    if state.revoked_at is not None:
        return "revoked"
    if now >= state.grant.expires:
        return "over"
    return "coming" if now < state.grant.not_before else "counting"
