"""Specimens, tubes, pools, results and validity windows: what the tests of a person are worth, and until when.

TYPES FIRST, rules below.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import TestType
from checkpoint.core.loop import Policy

State = Literal["pending", "negative", "positive", "review", "invalid"]


class Swab(msgspec.Struct, frozen=True, kw_only=True):
    """One specimen and what became of it. `reported_at` is when its result was read or reported."""

    specimen: str
    person: str
    test: TestType
    taken_at: datetime
    station: str
    state: State
    fact: str
    tube: str = ""
    pooled: bool = False
    received_at: datetime | None = None
    reported_at: datetime | None = None
    result_fact: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one person: swabs in the order taken, the last temperature and health code."""

    person: str
    swabs: tuple[Swab, ...] = ()
    celsius: float | None = None
    celsius_at: datetime | None = None
    code: str = ""
    code_at: datetime | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's evidence means at one moment: each field names the swab that decides it, or None.

    `pcr` and `antigen` are the negatives that count the longest, `pcr_until`/`antigen_until` the first instant at which
    they no longer do.
    """

    positive: Swab | None = None
    review: Swab | None = None
    unread: Swab | None = None
    pending: Swab | None = None
    pcr: Swab | None = None
    pcr_until: datetime | None = None
    antigen: Swab | None = None
    antigen_until: datetime | None = None


def fold_person(book: Book, person: str) -> Evidence:
    """The person's evidence from the facts of the person, their specimens and their tubes."""
    raise NotImplementedError


def standing(evidence: Evidence, now: datetime, policy: Policy) -> Standing:
    """What the evidence means at `now` under a policy."""
    raise NotImplementedError
