"""Which facts are events for other people's programs, whom each concerns, and what is said of it.

The law of this file: an event is one fact of the ledger, told in few words: what happened, to which pass or vehicle, and by which
ids to ask for more. It holds no name, no test's result and no reason at a gate: an event leaves the house, and whoever may know
more asks the API. A carrier is told of its own passes, a laboratory of its own results, a coordinator of everything; warnings
about people's tests are the coordinator's alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from checkpoint.core import rules
from checkpoint.core.facts import (
    Fact,
    Happening,
    PassGranted,
    PassRefused,
    PassRequested,
    PassRevoked,
    ResultReported,
    Scanned,
    WarningChanged,
    WarningCleared,
    WarningRaised,
    WarningWithdrawn,
    digest_id,
)
from checkpoint.store import Store
from checkpoint.store.registry import Webhook

EVENTS: dict[type[Happening], str] = {
    PassGranted: "pass.granted",
    PassRefused: "pass.refused",
    PassRevoked: "pass.revoked",
    WarningRaised: "warning.raised",
    WarningChanged: "warning.changed",
    WarningCleared: "warning.cleared",
    WarningWithdrawn: "warning.withdrawn",
    ResultReported: "result.taken",
    Scanned: "gate.verdict",
}
ABOUT_PASSES = ("pass.granted", "pass.refused", "pass.revoked")
ABOUT_WARNINGS = ("warning.raised", "warning.changed", "warning.cleared", "warning.withdrawn")
# What each role may be told of.
FOR_ROLE: dict[str, tuple[str, ...]] = {
    "coordinator": tuple(EVENTS.values()),
    "carrier": (*ABOUT_PASSES, *ABOUT_WARNINGS, "gate.verdict"),
    "laboratory": ("result.taken",),
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is sent (Standard Webhooks: type, timestamp, data)."""

    type: str
    timestamp: datetime
    data: dict[str, Any]


def event_of(fact: Fact) -> str:
    """The event that a fact is, or empty."""
    return EVENTS.get(type(fact.what), "")


def message_id(webhook: str, fact: Fact) -> str:
    """The name of an event on its way to one webhook: the same however often it is sent."""
    return f"msg_{digest_id('webhook', webhook, fact.id)}"


def body_of(store: Store, fact: Fact) -> bytes:
    """What is sent: the same bytes however often."""
    return msgspec.json.encode(Event(type=event_of(fact), timestamp=fact.at, data=_data(store, fact)))


def _data(store: Store, fact: Fact) -> dict[str, Any]:
    what = fact.what
    match what:
        case PassGranted():
            return {
                "pass_id": what.pass_id, "generation": what.generation, "request": what.request, "carrier": what.carrier,
                "vehicle": what.vehicle, "loop": what.loop, "not_before": what.not_before, "expires": what.expires,
            }  # fmt: skip
        case PassRefused():
            return {"request": what.request, "reason": what.reason}
        case PassRevoked():
            return {"pass_id": what.pass_id, "reason": what.reason}
        case WarningRaised():
            return _warning(fact.id, what) | {"colour": what.colour, "confirmed": what.confirmed}
        case WarningChanged():
            return _warning(what.warning, _raised(store, what.warning)) | {"colour": what.colour, "confirmed": what.confirmed}
        case WarningCleared():
            return _warning(what.warning, _raised(store, what.warning)) | {"ended": what.ended}
        case WarningWithdrawn():
            return _warning(what.warning, _raised(store, what.warning))
        case ResultReported():
            return {
                "result": fact.id, "laboratory": what.laboratory, "test": what.test, "tube": what.tube,
                "specimen": what.specimen,
            }  # fmt: skip
        case Scanned():
            return {
                "scan": fact.id, "pass_id": what.pass_id, "vehicle": what.vehicle, "station": fact.station,
                "word": what.shown.word, "until": what.shown.until,
            }  # fmt: skip
        case _:
            raise ValueError(f"{type(what).__name__} is no event")


def _raised(store: Store, warning: str) -> WarningRaised | None:
    recorded = store.fact(warning)
    return recorded.fact.what if recorded is not None and isinstance(recorded.fact.what, WarningRaised) else None


def _warning(warning: str, raised: WarningRaised | None) -> dict[str, Any]:
    if raised is None:  # its term is over: only its name is left
        return {"warning": warning}
    return {
        "warning": warning, "kind": raised.finding, "vehicle": raised.vehicle, "pass_id": raised.pass_id, "since": raised.since,
    }  # fmt: skip


# -- whom it concerns ---------------------------------------------------------------------------------------------------


def concerns(store: Store, fact: Fact, webhook: Webhook) -> bool:
    """Whether a webhook wants an event and may be told of it."""
    event = event_of(fact)
    if event not in webhook.events or event not in FOR_ROLE.get(webhook.role, ()):
        return False
    if webhook.role == "coordinator":
        return True
    if webhook.role == "laboratory":
        return fact.witness == f"lab:{webhook.office}"
    return not _about_tests(store, fact) and _carrier(store, fact) == webhook.office


def _about_tests(store: Store, fact: Fact) -> bool:
    warning = getattr(fact.what, "warning", "")
    raised = fact.what if isinstance(fact.what, WarningRaised) else _raised(store, warning) if warning else None
    return raised is not None and raised.finding in rules.ABOUT_TESTS


def _carrier(store: Store, fact: Fact) -> str | None:
    """The carrier whose pass an event happened under; None when there was none."""
    what = fact.what
    if isinstance(what, PassGranted):
        return what.carrier
    if isinstance(what, PassRefused):
        asked = (f.what for f in store.facts_of(f"request:{what.request}"))
        return next((a.carrier for a in asked if isinstance(a, PassRequested)), None)
    pass_id = getattr(what, "pass_id", "")
    if isinstance(what, WarningChanged | WarningCleared | WarningWithdrawn):
        raised = _raised(store, what.warning)
        pass_id = raised.pass_id if raised is not None else ""
    granted = (f.what for f in store.facts_of(f"pass:{pass_id}")) if pass_id else iter(())
    return next((g.carrier for g in granted if isinstance(g, PassGranted)), None)
