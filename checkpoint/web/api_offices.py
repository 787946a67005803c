"""What an office's program reads of its own business: what it asked for, what it was granted, what it handed in.

The law of this file: a carrier is shown what was asked or granted in its name, a laboratory what it handed in, a coordinator
everything but results; what is somebody else's does not exist (404). Lists are in the order in which we learnt of each thing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Fact, PassGranted, PassRequested, ResultReported, ResultValue
from checkpoint.core.journey import PassState
from checkpoint.granting import Requested, Unknown
from checkpoint.store import Recorded, SetAside, Store
from checkpoint.web.access import CARRIER, COORDINATOR, LABORATORY, Caller, Rule, caller_of
from checkpoint.web.house import House, house_of
from checkpoint.web.paging import LOOKED_AT, Behind, Instant, Query, cursor_of, paged, query_of, seen
from checkpoint.web.passes_data import Standing, standing_of
from checkpoint.web.problems import Problem

T = TypeVar("T")


class CrewName(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the cab: the pseudonym that the record knows them by, and the name they were given."""

    person: str
    name: str


class PassRequestRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what became of it: `pass_id` once it is granted, `reason` once it is refused."""

    request: str
    state: Literal["waiting", "granted", "refused"]
    carrier: str
    vehicle: str
    crew: tuple[CrewName, ...]
    loop: str
    not_before: datetime
    expires: datetime
    asked_at: datetime
    pass_id: str | None
    reason: str | None


class PassRead(msgspec.Struct, frozen=True, kw_only=True):
    """A pass as it stands now, in its newest generation."""

    pass_id: str
    generation: int
    state: Standing
    carrier: str
    vehicle: str
    crew: tuple[CrewName, ...]
    loop: str
    not_before: datetime
    expires: datetime
    granted_at: datetime
    revoked_at: datetime | None
    revoked_reason: str | None
    request: str


class ResultRead(msgspec.Struct, frozen=True, kw_only=True):
    """A result as it was handed in, and what became of it. What was set aside has a `why`, and what could be read of it."""

    id: str
    state: Literal["held", "aside"]
    accession: str
    test: str
    result: ResultValue | None
    tube: str
    specimen: str
    reported_at: datetime | None
    taken_at: datetime
    why: str
    detail: str


class RequestsQuery(Query, frozen=True):
    """Which requests: by state, vehicle, and asked since."""

    state: Literal["waiting", "granted", "refused"] | None = None
    vehicle: str | None = None
    since: Instant | None = None


class PassesQuery(Query, frozen=True):
    """Which passes: by how they stand, vehicle, and granted since."""

    state: Standing | None = None
    vehicle: str | None = None
    since: Instant | None = None


class ResultsQuery(Query, frozen=True):
    """Which results: those taken in (held) or those set aside, by the laboratory's own number, and handed in since."""

    state: Literal["held", "aside"] = "held"
    accession: str | None = None
    since: Instant | None = None


def own_carrier(caller: Caller) -> str | None:
    """The carrier whose business a caller may see; None for a coordinator, who sees everybody's."""
    return caller.who if caller.role == CARRIER else None


def _gathered(
    found: list[T], shown: Callable[[T], object | None], place: Callable[[T], int], limit: int
) -> tuple[list[object], Behind | None]:
    """The first of what was found that is to be shown, and the place to go on from; None when all of it was seen."""
    items: list[object] = []
    for n, each in enumerate(found):
        if len(items) == limit:
            return items, Behind(place(found[n - 1]))
        item = shown(each)
        if item is not None:
            items.append(item)
    return items, Behind(place(found[-1])) if len(found) == LOOKED_AT else None


def _after(request: Request, query: Query) -> int:
    behind = cursor_of(request, query, Behind)
    return behind.number if behind is not None else 0


def _crew(house: House, people: tuple[str, ...]) -> tuple[CrewName, ...]:
    names = house.store.registry.names(people)
    return tuple(CrewName(person=person, name=names.get(person, "")) for person in people)


# -- requests -----------------------------------------------------------------------------------------------------------


async def pass_requests(request: Request) -> Response:
    """The requests for passes, one page of them."""
    query, house, own = query_of(request, RequestsQuery), house_of(request), own_carrier(caller_of(request))
    after = _after(request, query)

    def shown(recorded: Recorded) -> object | None:
        what = recorded.fact.what
        assert isinstance(what, PassRequested)
        if own not in (None, what.carrier) or query.vehicle not in (None, what.vehicle):
            return None
        try:
            asked = house.office.requested(what.request)
        except Unknown:
            return None
        fits = (
            own in (None, asked.wish.carrier)
            and query.state in (None, asked.state)
            and (query.since is None or asked.at >= query.since)
        )
        return _request_read(house, asked) if fits else None

    def work() -> Response:
        found = house.store.facts_of_kind_after(["PassRequested"], after, LOOKED_AT)
        return paged(request, *_gathered(found, shown, lambda r: r.number, query.limit))

    return await run_in_threadpool(work)


async def pass_request(request: Request) -> Response:
    """One request."""

    def work() -> Response:
        house, own, wanted = house_of(request), own_carrier(caller_of(request)), request.path_params["request"]
        try:
            asked = house.office.requested(wanted)
        except Unknown:
            raise Problem(404, "no-request") from None
        if own not in (None, asked.wish.carrier):
            raise Problem(404, "no-request")
        return seen(request, _request_read(house, asked), modified=_learnt(house, f"request:{wanted}"))

    return await run_in_threadpool(work)


def _request_read(house: House, asked: Requested) -> PassRequestRead:
    wish = asked.wish
    return PassRequestRead(
        request=asked.request,
        state=asked.state,  # type: ignore[arg-type]  # one of the three, as `Requested` says
        carrier=wish.carrier,
        vehicle=wish.vehicle,
        crew=_crew(house, wish.crew),
        loop=wish.loop,
        not_before=wish.not_before,
        expires=wish.expires,
        asked_at=asked.at,
        pass_id=asked.pass_id or None,
        reason=asked.reason or None,
    )


# -- passes -------------------------------------------------------------------------------------------------------------


async def passes(request: Request) -> Response:
    """The passes, one page of them, each once: where its newest generation was granted."""
    query, house, own = query_of(request, PassesQuery), house_of(request), own_carrier(caller_of(request))
    after = _after(request, query)

    def shown(recorded: Recorded) -> object | None:
        what = recorded.fact.what
        assert isinstance(what, PassGranted)
        if own not in (None, what.carrier) or query.vehicle not in (None, what.vehicle):
            return None
        try:
            state = house.office.pass_state(what.pass_id)
        except Unknown:
            return None
        fits = (
            state.grant.generation == what.generation
            and own in (None, state.grant.carrier)
            and query.state in (None, standing_of(state, house.now()))
            and (query.since is None or state.granted_at >= query.since)
        )
        return _pass_read(house, state) if fits else None

    def work() -> Response:
        found = house.store.facts_of_kind_after(["PassGranted"], after, LOOKED_AT)
        return paged(request, *_gathered(found, shown, lambda r: r.number, query.limit))

    return await run_in_threadpool(work)


async def one_pass(request: Request) -> Response:
    """One pass."""

    def work() -> Response:
        house, own, wanted = house_of(request), own_carrier(caller_of(request)), request.path_params["pass_id"]
        try:
            state = house.office.pass_state(wanted)
        except Unknown:
            raise Problem(404, "no-pass") from None
        if own not in (None, state.grant.carrier):
            raise Problem(404, "no-pass")
        return seen(request, _pass_read(house, state))

    return await run_in_threadpool(work)


def _pass_read(house: House, state: PassState) -> PassRead:
    grant = state.grant
    return PassRead(
        pass_id=grant.pass_id,
        generation=grant.generation,
        state=standing_of(state, house.now()),
        carrier=grant.carrier,
        vehicle=grant.vehicle,
        crew=_crew(house, state.crew),
        loop=grant.loop,
        not_before=grant.not_before,
        expires=grant.expires,
        granted_at=state.granted_at,
        revoked_at=state.revoked_at,
        revoked_reason=state.revoked_reason or None,
        request=grant.request,
    )


# -- results ------------------------------------------------------------------------------------------------------------


class _Handed(msgspec.Struct, frozen=True):
    """As much of a laboratory's own item as it takes to name it again."""

    accession: str = ""
    test: str = ""
    tube: str = ""
    specimen: str = ""


def _handed(raw: bytes | None) -> _Handed:
    try:
        return msgspec.json.decode(raw or b"{}", type=_Handed)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Handed()


async def results(request: Request) -> Response:
    """The results that the laboratory handed in, one page of them."""
    query, house, laboratory = query_of(request, ResultsQuery), house_of(request), caller_of(request).witness
    after = _after(request, query)

    def fits(read: ResultRead) -> ResultRead | None:
        since = query.since is None or read.taken_at >= query.since
        return read if since and query.accession in (None, read.accession) else None

    def work() -> Response:
        if query.state == "aside":
            aside = house.store.aside_of(laboratory, after, LOOKED_AT)
            return paged(request, *_gathered(aside, lambda a: fits(_aside_read(a)), lambda a: a.number, query.limit))
        told = house.store.facts_told_by(laboratory, after, LOOKED_AT)
        return paged(request, *_gathered(told, lambda r: fits(_result_read(house.store, r)), lambda r: r.seq, query.limit))

    return await run_in_threadpool(work)


async def result(request: Request) -> Response:
    """One result of the laboratory's own, by the id it was answered with."""

    def work() -> Response:
        store = house_of(request).store
        recorded = store.fact(request.path_params["result"])
        own = recorded is not None and recorded.fact.witness == caller_of(request).witness
        if recorded is None or not own or not isinstance(recorded.fact.what, ResultReported):
            raise Problem(404, "no-result")
        return seen(request, _result_read(store, recorded), modified=recorded.recorded_at)

    return await run_in_threadpool(work)


def _result_read(store: Store, recorded: Recorded) -> ResultRead:
    fact: Fact = recorded.fact
    what = fact.what
    assert isinstance(what, ResultReported)  # a laboratory tells nothing else
    return ResultRead(
        id=fact.id,
        state="held",
        accession=_handed(store.handed_in(recorded)).accession,
        test=what.test,
        result=what.result,
        tube=what.tube,
        specimen=what.specimen,
        reported_at=fact.at,
        taken_at=recorded.recorded_at,
        why="",
        detail="",
    )


def _aside_read(aside: SetAside) -> ResultRead:
    handed = _handed(aside.raw)
    return ResultRead(
        id=aside.fact_id,
        state="aside",
        accession=handed.accession,
        test=handed.test,
        result=None,
        tube=handed.tube,
        specimen=handed.specimen,
        reported_at=None,
        taken_at=aside.received_at,
        why=aside.why,
        detail=aside.detail,
    )


def _learnt(house: House, subject: str) -> datetime | None:
    """When we last learnt something of a subject."""
    return max((r.recorded_at for r in house.store.recorded_of(subject)), default=None)


_SEERS = (CARRIER, COORDINATOR)
ROUTES = (
    Rule("/api/v1/pass-requests", ("GET",), pass_requests, _SEERS),
    Rule("/api/v1/pass-requests/{request}", ("GET",), pass_request, _SEERS),
    Rule("/api/v1/passes", ("GET",), passes, _SEERS),
    Rule("/api/v1/passes/{pass_id}", ("GET",), one_pass, _SEERS),
    Rule("/api/v1/lab/results", ("GET",), results, (LABORATORY,)),
    Rule("/api/v1/lab/results/{result}", ("GET",), result, (LABORATORY,)),
)
