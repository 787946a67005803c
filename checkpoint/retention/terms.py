"""How long each kind of data is kept, and why. Terms are data: an administrator may change them, within what the rules need.

The law of this file: one row a kind, in the order in which they are swept. The reason is a sentence of the catalogue
(`retention.why.<kind>`), shown wherever the term is.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from checkpoint.store import Store

SETTING = "retention"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: how many days it is kept unless somebody says otherwise, and the fewest and the most that may be said."""

    kind: str
    days: int
    least: int
    most: int = 3650


TERMS: tuple[Term, ...] = (
    # The watch reads five days of a track; a warning cites the fixes that prove it, and stands without them.
    Term(kind="positions", days=30, least=7),
    Term(kind="strangers", days=14, least=1),
    # From when a journey is over. A pass is good for a month at most, and disputes about a lap come after it.
    Term(kind="journeys", days=180, least=45),
    # A journey of which a warning is still open, or must still be answered.
    Term(kind="open", days=730, least=180),
    # From when no fact names them any more.
    Term(kind="people", days=30, least=1),
    Term(kind="links", days=30, least=1),
    Term(kind="aside", days=90, least=7),
    # Longer than what was read, so that whoever asks afterwards who looked still gets an answer.
    Term(kind="traces", days=365, least=30),
    Term(kind="audit", days=730, least=90),
    Term(kind="sessions", days=1, least=0),
)
BY_KIND = {term.kind: term for term in TERMS}


class OutOfBounds(ValueError):
    """A term shorter or longer than it may be; `term` says which."""

    def __init__(self, term: Term) -> None:
        self.term = term
        super().__init__(f"{term.kind}: {term.least} to {term.most} days wanted")


def terms(store: Store) -> dict[str, timedelta]:
    """The terms in force."""
    said = msgspec.json.decode(store.registry.setting(SETTING, "{}"), type=dict[str, int])
    return {term.kind: timedelta(days=said.get(term.kind, term.days)) for term in TERMS}


def set_terms(store: Store, days: dict[str, int]) -> None:
    """Put terms in force; those that are not named stay. Raises `OutOfBounds`, `KeyError`."""
    said = msgspec.json.decode(store.registry.setting(SETTING, "{}"), type=dict[str, int])
    for kind, count in days.items():
        term = BY_KIND[kind]
        if not term.least <= count <= term.most:
            raise OutOfBounds(term)
        said[kind] = count
    store.registry.set_setting(SETTING, msgspec.json.encode(said).decode())
