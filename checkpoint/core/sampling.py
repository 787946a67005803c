"""Specimens, tubes, pools, results and validity windows: what the tests of a person are worth, and until when.

* A window begins when the swab was taken (or its result reported, where the policy says so) and is half open: a test of
  exactly 48:00:00 no longer counts.
* An antigen test counts when it was read 15 to 20 minutes after the swab, both ends included. Read outside, it proves
  nothing; but a positive line seen too late is not forgotten: the person is held for review.
* A pool's negative is each member's own negative, from their own swab. A pool's positive or grey holds every member for
  review until a single-tube PCR of their own, taken after it was known, is negative.
* A positive antigen stands until such a single-tube PCR is negative. A positive single-tube PCR stands until it is voided.
* Of several results for one specimen the worst stands, since a laboratory takes a result back by a correction.
* A result reported before its own swab was taken, or of an unknown test type, never counts as negative.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import (
    AntigenRead,
    Fact,
    HealthCodeSeen,
    ResultReported,
    ResultValue,
    SwabTaken,
    TemperatureMeasured,
    TestType,
    TubeSealed,
)
from checkpoint.core.loop import Policy

State = Literal["pending", "negative", "positive", "review", "invalid"]

# How laboratories name the two tests: our words, LOINC, and the EU's value set (domain.md, codes).
TEST_CODES: dict[str, TestType] = {
    "pcr": "pcr",
    "94500-6": "pcr",
    "LP6464-4": "pcr",
    "antigen": "antigen",
    "94558-4": "antigen",
    "LP217198-3": "antigen",
}
_WORST: tuple[ResultValue, ...] = ("positive", "grey", "negative", "invalid")


class Swab(msgspec.Struct, frozen=True, kw_only=True):
    """One specimen and what became of it. `reported_at` is when its result was read or reported.

    `single` says that the tube held this swab alone. `why` is the catalogue key of what made it invalid or held.
    """

    specimen: str
    person: str
    test: TestType
    taken_at: datetime
    station: str
    state: State
    fact: str
    tube: str = ""
    pooled: bool = False
    single: bool = True
    received_at: datetime | None = None
    reported_at: datetime | None = None
    result_fact: str = ""
    why: str = ""


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
    they no longer do. `pending` is the newest PCR swab whose result is still owed, `unread` an antigen test whose timer
    runs.
    """

    positive: Swab | None = None
    review: Swab | None = None
    unread: Swab | None = None
    pending: Swab | None = None
    pcr: Swab | None = None
    pcr_until: datetime | None = None
    antigen: Swab | None = None
    antigen_until: datetime | None = None


# The policy in force at an instant at a station (its id, or empty).
PolicyAt = Callable[[datetime, str], Policy]


def fold_person(book: Book, person: str, policy_at: PolicyAt = lambda at, station: Policy()) -> Evidence:
    """The person's evidence from the facts of the person, their specimens and their tubes.

    The policy of the day and the station a swab was taken at gives the antigen's reading window; everything else is what
    happened.
    """
    swabs: dict[str, Swab] = {}
    celsius: Fact | None = None
    code: Fact | None = None
    for fact in book.of(f"person:{person}"):
        match fact.what:
            case SwabTaken() as taken if taken.person == person and taken.specimen not in swabs:
                swabs[taken.specimen] = _swab(book, fact, taken, policy_at(fact.at, fact.station))
            case TemperatureMeasured():
                celsius = fact
            case HealthCodeSeen():
                code = fact
            case _:
                pass
    return Evidence(
        person=person,
        swabs=tuple(swabs.values()),
        celsius=celsius.what.celsius if celsius and isinstance(celsius.what, TemperatureMeasured) else None,
        celsius_at=celsius.at if celsius else None,
        code=code.what.colour if code and isinstance(code.what, HealthCodeSeen) else "",
        code_at=code.at if code else None,
    )


def _swab(book: Book, fact: Fact, taken: SwabTaken, policy: Policy) -> Swab:
    single = not taken.pooled and (not taken.tube or len(members(book, taken.tube)) == 1)
    swab = Swab(
        specimen=taken.specimen,
        person=taken.person,
        test=taken.test,
        taken_at=fact.at,
        station=fact.station,
        state="pending",
        fact=fact.id,
        tube=taken.tube,
        pooled=taken.pooled,
        single=single,
    )
    told = [r for r in (_reading(swab, f, policy) for f in _results(book, taken)) if r is not None]
    return min(told, key=_severity) if told else swab


def _results(book: Book, taken: SwabTaken) -> Iterator[Fact]:
    names = [f"specimen:{taken.specimen}"] + ([f"tube:{taken.tube}"] if taken.tube else [])
    return (f for f in book.of(*names) if isinstance(f.what, AntigenRead | ResultReported))


def _severity(swab: Swab) -> tuple[int, datetime]:
    order: tuple[State, ...] = ("positive", "review", "negative", "invalid", "pending")
    assert swab.reported_at is not None
    return order.index(swab.state), swab.reported_at


def _reading(swab: Swab, fact: Fact, policy: Policy) -> Swab | None:
    """The swab as one result leaves it; None when the result says nothing about it."""
    match fact.what:
        case AntigenRead(specimen=specimen, result=result):
            if specimen != swab.specimen:
                return None
            state, why = _antigen_state(swab, fact.at, result, policy)
            received = None
        case ResultReported(test=test, result=result, received_at=received):
            if fact.what.specimen and fact.what.specimen != swab.specimen:
                return None
            state, why = _reported_state(swab, fact.at, test, result)
        case _:
            return None
    return msgspec.structs.replace(swab, state=state, why=why, received_at=received, reported_at=fact.at, result_fact=fact.id)


def _antigen_state(swab: Swab, read_at: datetime, result: ResultValue, policy: Policy) -> tuple[State, str]:
    age_s = (read_at - swab.taken_at).total_seconds()
    if swab.test != "antigen":
        return ("review" if result == "positive" else "invalid"), "test-differs"
    if not policy.antigen_read_after_s <= age_s <= policy.antigen_read_before_s:
        return ("review" if result == "positive" else "invalid"), "read-outside-window"
    if result == "grey":
        return "invalid", "antigen-unclear"
    return result, ""


def _reported_state(swab: Swab, at: datetime, test: str, result: ResultValue) -> tuple[State, str]:
    if at < swab.taken_at:
        return ("review" if result == "positive" else "invalid"), "result-before-sample"
    kind = TEST_CODES.get(test.strip())
    if kind != swab.test:
        return ("review" if result == "positive" else "invalid"), ("test-unknown" if kind is None else "test-differs")
    if result == "grey" or (result == "positive" and not swab.single):
        return "review", ("pool-" + result if not swab.single else "grey")
    return result, ""


def members(book: Book, tube: str) -> tuple[Fact, ...]:
    """The swabs that went into a tube, in the order taken."""
    return tuple(f for f in book.of(f"tube:{tube}") if isinstance(f.what, SwabTaken) and f.what.tube == tube)


def sealed_at(book: Book, tube: str) -> datetime | None:
    """When a tube was closed, or None."""
    return next((f.at for f in book.of(f"tube:{tube}") if isinstance(f.what, TubeSealed)), None)


def as_of(evidence: Evidence, at: datetime) -> Evidence:
    """The evidence as it could be known at an instant: later swabs left out, later results still owed."""

    def known(swab: Swab) -> Swab:
        if swab.reported_at is None or swab.reported_at <= at:
            return swab
        return msgspec.structs.replace(swab, state="pending", reported_at=None, received_at=None, result_fact="", why="")

    return msgspec.structs.replace(
        evidence,
        swabs=tuple(known(s) for s in evidence.swabs if s.taken_at <= at),
        celsius=evidence.celsius if evidence.celsius_at is not None and evidence.celsius_at <= at else None,
        code=evidence.code if evidence.code_at is not None and evidence.code_at <= at else "",
    )


def with_bad_news(evidence: Evidence, at: datetime) -> Evidence:
    """The evidence as of an instant, and every positive or held result that was told, whatever instant its witness gave it:
    a clock that is a day ahead hides no positive for a day."""
    known = {swab.specimen: swab for swab in as_of(evidence, at).swabs}
    known |= {swab.specimen: swab for swab in evidence.swabs if swab.state in ("positive", "review")}
    swabs = tuple(sorted(known.values(), key=lambda swab: (swab.taken_at, swab.fact)))
    return msgspec.structs.replace(as_of(evidence, at), swabs=swabs)


def bearing(evidence: Evidence, at: datetime, policy: Policy) -> Evidence:
    """The evidence without the old swabs that can bear on no instant from `at` on: whoever drives for a month has many.

    Kept is what may still count, and from the first bad result on all that may have released the person.
    """
    if "reported" in (policy.pcr_anchor, policy.antigen_anchor):
        return evidence
    swabs = evidence.swabs
    oldest = at - timedelta(seconds=max(policy.pcr_valid_s, policy.antigen_valid_s, policy.antigen_read_before_s))
    first = bisect_left(swabs, oldest, key=lambda swab: swab.taken_at)
    first = next((i for i, swab in enumerate(swabs[:first]) if swab.state in ("positive", "review")), first)
    return msgspec.structs.replace(evidence, swabs=swabs[first:]) if first else evidence


def counts_until(swab: Swab, policy: Policy) -> datetime | None:
    """The first instant at which a swab's result, or its being under way, no longer counts; None when it never does."""
    valid_s, anchor = (
        (policy.pcr_valid_s, policy.pcr_anchor) if swab.test == "pcr" else (policy.antigen_valid_s, policy.antigen_anchor)
    )
    begins = swab.taken_at if anchor == "sampled" or swab.reported_at is None else swab.reported_at
    return begins + timedelta(seconds=valid_s)


def standing(evidence: Evidence, now: datetime, policy: Policy) -> Standing:
    """What the evidence means at `now` under a policy. A swab from the future, beyond the clocks' tolerance, never counts
    in anybody's favour."""
    latest = now + timedelta(seconds=policy.clock_tolerance_s)
    swabs = [s for s in evidence.swabs if s.taken_at <= latest]
    pcr, pcr_until = _longest((s for s in swabs if s.test == "pcr"), now, policy)
    antigen, antigen_until = _longest((s for s in swabs if s.test == "antigen"), now, policy)
    return Standing(
        positive=next((s for s in reversed(evidence.swabs) if s.state == "positive" and not _released(s, swabs)), None),
        review=next((s for s in reversed(evidence.swabs) if s.state == "review" and not _released(s, swabs)), None),
        unread=next((s for s in reversed(swabs) if is_unread(s, now, policy)), None),
        pending=next((s for s in reversed(swabs) if _is_pending_pcr(s, now, policy)), None),
        pcr=pcr,
        pcr_until=pcr_until,
        antigen=antigen,
        antigen_until=antigen_until,
    )


def is_unread(swab: Swab, now: datetime, policy: Policy) -> bool:
    """An antigen test whose reading can still be made: the timer runs, or the window is open."""
    return (
        swab.test == "antigen"
        and swab.state == "pending"
        and now <= swab.taken_at + timedelta(seconds=policy.antigen_read_before_s)
    )


def _is_pending_pcr(swab: Swab, now: datetime, policy: Policy) -> bool:
    until = counts_until(swab, policy)
    return swab.test == "pcr" and swab.state == "pending" and until is not None and now < until


def _longest(swabs: Iterable[Swab], now: datetime, policy: Policy) -> tuple[Swab | None, datetime | None]:
    best: Swab | None = None
    best_until: datetime | None = None
    for swab in swabs:
        until = counts_until(swab, policy)
        if swab.state == "negative" and until is not None and now < until and (best_until is None or until > best_until):
            best, best_until = swab, until
    return best, best_until


def _released(swab: Swab, swabs: Iterable[Swab]) -> bool:
    """Whether a later single-tube PCR negative releases the person: what had to be released was known when it was taken."""
    if swab.state == "positive" and swab.test == "pcr":
        return False
    return any(
        later.test == "pcr"
        and later.state == "negative"
        and later.single
        and swab.reported_at is not None
        and later.taken_at >= swab.reported_at
        for later in swabs
    )
