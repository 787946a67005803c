"""The sweep: let go what is past its term, kind by kind, and say how much it was.

The law of this file: a dry run counts and changes nothing, by the same choices. Facts leave in whole choices, each in one
transaction. What is said are numbers: whom it was about is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from checkpoint.chores import Chore
from checkpoint.retention.leaving import choose
from checkpoint.retention.terms import TERMS, terms
from checkpoint.store import Store

EVERY = timedelta(days=1)
# What is swept with the sessions, and needs no term of its own.
_WITH_SESSIONS = ("sessions", "challenges", "invitations")


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What left, or would: how many of each kind, in the order of the terms. `journeys` counts whole laps, `facts` their facts;
    `held_count` the trucks that keep something longer than its term."""

    counts: dict[str, int]
    held_count: int

    def __str__(self) -> str:
        """The report of the chore: `positions=12 facts=3 ...`."""
        return " ".join(f"{kind}={count}" for kind, count in {**self.counts, "held": self.held_count}.items())


def sweep(store: Store, now: datetime, *, dry: bool = False) -> Swept:
    """Let go all that is past its term; `dry`: only count it."""
    kept = terms(store)
    counts: dict[str, int] = {}
    held = 0
    for term in TERMS:
        before = now - kept[term.kind]
        match term.kind:
            case "journeys":
                chosen = choose(store, now, kept["journeys"], kept["open"])
                counts["journeys"], counts["facts"] = chosen.journeys_count, len(chosen.numbers)
                held = len(chosen.held)
                if not dry and chosen.numbers:
                    counts["facts"] = store.remove_facts(chosen.numbers, chosen.passes)
            case "open":
                continue  # says how long the row before may wait
            case "aside":
                counts["aside"] = store.aside_count(before) if dry else store.remove_aside(before)
            case "sessions":
                counts["sessions"] = sum(store.sweep(kind, before, dry=dry) for kind in _WITH_SESSIONS)
            case "links":
                counts["links"] = sum(store.sweep(kind, before, dry=dry) for kind in ("links", "phone-requests"))
            case kind:
                counts[kind] = store.sweep(kind, before, dry=dry)
    if not dry:
        store.overwrite()
    return Swept(counts=counts, held_count=held)


def retention(store: Store) -> Chore:
    """The sweep as the server's chore, once a day."""
    work: Callable[[datetime], str] = lambda now: str(sweep(store, now))  # noqa: E731 - the shortest way to say it
    return Chore("retention", EVERY, work)
