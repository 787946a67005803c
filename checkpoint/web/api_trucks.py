"""What an office's program reads of trucks under way: where they are, their journeys, what we warn of.

The law of this file: a carrier is shown what happens under its own passes, and of the tests of people nothing but what they mean
at a gate: the verdict and until when it holds. Warnings about tests (`ABOUT_TESTS`) are the coordinator's. Whoever is shown
data of people leaves a trace (`reads`). What is somebody else's does not exist (404).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Colour, Loaded, Scanned, Unloaded, Word
from checkpoint.core.journey import Journey, View, WarningState, pass_in_force
from checkpoint.core.loop import Leg
from checkpoint.core.rules import ABOUT_TESTS
from checkpoint.web.access import CARRIER, COORDINATOR, Rule, caller_of
from checkpoint.web.api_offices import own_carrier
from checkpoint.web.board_data import LookLike, State, Truck, trucks
from checkpoint.web.house import House, house_of
from checkpoint.web.paging import Instant, Query, cursor_of, paged, query_of, seen
from checkpoint.web.problems import Problem
from checkpoint.web.reads import crew_of, noted


class VisitRead(msgspec.Struct, frozen=True, kw_only=True):
    """A truck was scanned in at a station, and out."""

    station: str
    entered_at: datetime | None
    left_at: datetime | None


class VerdictRead(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate showed: the word, where and when, and until when it holds by itself (null: it says nothing of that)."""

    word: Word
    station: str
    at: datetime
    until: datetime | None


class JourneyRead(msgspec.Struct, frozen=True, kw_only=True):
    """One lap of the loop by one vehicle and crew. `parcels_loaded` and `parcels_unloaded` are the last counts."""

    journey: str
    state: Literal["open", "closed"]
    vehicle: str
    pass_id: str
    loop: str
    leg: Leg
    opened_at: datetime
    closed_at: datetime | None
    at_station: str | None
    visits: tuple[VisitRead, ...]
    parcels_loaded: int | None
    parcels_unloaded: int | None
    verdict: VerdictRead | None


class WarningRead(msgspec.Struct, frozen=True, kw_only=True):
    """A warning as it was told so far."""

    warning: str
    kind: str
    vehicle: str
    pass_id: str
    colour: Colour
    confirmed: bool
    state: Literal["open", "cleared", "withdrawn"]
    since: datetime
    raised_at: datetime
    ended_at: datetime | None
    answer_by: datetime | None
    answered_at: datetime | None
    answer: str | None


class Vehicles(msgspec.Struct, frozen=True, kw_only=True):
    """Every truck under way as the board shows it, the most urgent first."""

    vehicles: tuple[Truck, ...]
    server_time: datetime


class VehiclesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trucks: by colour, or by what they are doing."""

    colour: Colour | None = None
    state: State | None = None


class JourneysQuery(Query, frozen=True):
    """Which journeys: by state, vehicle, and opened since."""

    state: Literal["open", "closed"] | None = None
    vehicle: str | None = None
    since: Instant | None = None


class WarningsQuery(Query, frozen=True):
    """Which warnings: by state, colour, kind, vehicle, and raised since."""

    state: Literal["open", "cleared", "withdrawn"] | None = None
    colour: Colour | None = None
    kind: str | None = None
    vehicle: str | None = None
    since: Instant | None = None


class _After(NamedTuple):
    """Where a list goes on: after this instant and name."""

    at: Instant
    name: str


def _looks(house: House, own: str | None, vehicle: str | None = None) -> list[LookLike]:
    """What the watch sees of the trucks under way, as far as a carrier's own passes are on them; one truck if it is named."""
    if vehicle is not None:
        one = house.watch.look(vehicle)
        found = [cast("LookLike", one)] if one is not None else []
    else:
        found = list(cast("dict[str, LookLike]", house.watch.looks()).values())
    return [look for look in found if own is None or any(p.grant.carrier == own for p in look.view.passes)]


def _under(view: View, pass_id: str, at: datetime, own: str | None) -> bool:
    """Whether something that happened under a pass (the one that counted at an instant, when none is named) is the
    carrier's to see."""
    state = view.pass_of(pass_id) if pass_id else pass_in_force(view.passes, at)
    return own is None or (state is not None and state.grant.carrier == own)


# -- vehicles -----------------------------------------------------------------------------------------------------------


async def vehicles(request: Request) -> Response:
    """Every truck under way; a carrier's own."""
    query, house, own = query_of(request, VehiclesQuery), house_of(request), own_carrier(caller_of(request))

    def work() -> Response:
        looks = [look for look in _looks(house, own) if own is None or _under_way(look.view, own)]
        rows = _rows(house, looks, own)
        rows = [t for t in rows if query.colour in (None, t.colour) and query.state in (None, t.state)]
        noted(request, "board", {person for look in looks for person in crew_of(look.view)})
        body = Vehicles(vehicles=tuple(rows), server_time=house.now())
        return seen(request, body, besides=("server_time",))

    return await run_in_threadpool(work)


async def vehicle(request: Request) -> Response:
    """One truck."""

    def work() -> Response:
        house, own, wanted = house_of(request), own_carrier(caller_of(request)), request.path_params["vehicle"]
        looks = [look for look in _looks(house, own, wanted) if own is None or _under_way(look.view, own)]
        rows = _rows(house, looks, own)
        if not rows:
            raise Problem(404, "no-vehicle", plate=wanted[:20])
        noted(request, "board", crew_of(looks[0].view))
        return seen(request, rows[0])

    return await run_in_threadpool(work)


def _under_way(view: View, own: str) -> bool:
    """Whether the pass that counts now is the carrier's: where a truck is under another's pass is not its business."""
    return view.pass_ is not None and view.pass_.grant.carrier == own


def _rows(house: House, looks: Sequence[LookLike], own: str | None) -> list[Truck]:
    rows = list(trucks({look.view.vehicle: look for look in looks}, house.now()))
    return rows if own is None else [_without_health(row) for row in rows]


def _without_health(row: Truck) -> Truck:
    def kept(kinds: Sequence[str]) -> tuple[str, ...]:
        return tuple(kind for kind in kinds if kind not in ABOUT_TESTS)

    return msgspec.structs.replace(row, kinds=kept(row.kinds), suspected=kept(row.suspected))


# -- journeys -----------------------------------------------------------------------------------------------------------


async def journeys(request: Request) -> Response:
    """The journeys of the trucks under way (or of one truck), one page of them, the earliest opened first."""
    query, house, own = query_of(request, JourneysQuery), house_of(request), own_carrier(caller_of(request))
    after = cursor_of(request, query, _After)

    def work() -> Response:
        found = []
        for view, journey in _journeys(house, own, query.vehicle):
            read = _journey_read(journey, house.now())
            if query.state in (None, read.state) and (query.since is None or read.opened_at >= query.since):
                found.append((_After(read.opened_at, read.journey), view, read))
        found.sort(key=lambda each: each[0])
        rest = [each for each in found if after is None or each[0] > after]
        page, more = rest[: query.limit], len(rest) > query.limit
        noted(request, "journey", {person for _, view, _ in page for person in crew_of(view)})
        return paged(request, [read for *_, read in page], page[-1][0] if more else None)

    return await run_in_threadpool(work)


async def journey(request: Request) -> Response:
    """One journey of a truck under way."""

    def work() -> Response:
        house, own, wanted = house_of(request), own_carrier(caller_of(request)), request.path_params["journey"]
        for view, found in _journeys(house, own):
            if found.id == wanted:
                noted(request, "journey", crew_of(view))
                return seen(request, _journey_read(found, house.now()))
        raise Problem(404, "no-journey")

    return await run_in_threadpool(work)


def _journeys(house: House, own: str | None, vehicle: str | None = None) -> Iterator[tuple[View, Journey]]:
    for look in _looks(house, own, vehicle):
        for found in look.view.journeys:
            if _under(look.view, found.pass_id, found.opened_at, own):
                yield look.view, found


def _journey_read(journey: Journey, now: datetime) -> JourneyRead:
    closed = journey.closed_at is not None and journey.closed_at <= now
    loads = [f.what.parcels_count for f in journey.loads if isinstance(f.what, Loaded)]
    unloads = [f.what.parcels_count for f in journey.unloads if isinstance(f.what, Unloaded)]
    scans = [
        VerdictRead(word=f.what.shown.word, station=f.station, at=f.at, until=f.what.shown.until)
        for f in journey.scans
        if isinstance(f.what, Scanned)
    ]
    return JourneyRead(
        journey=journey.id,
        state="closed" if closed else "open",
        vehicle=journey.vehicle,
        pass_id=journey.pass_id,
        loop=journey.loop,
        leg=journey.leg,
        opened_at=journey.opened_at,
        closed_at=journey.closed_at if closed else None,
        at_station=journey.at_station or None,
        visits=tuple(VisitRead(station=v.station, entered_at=v.entered_at, left_at=v.left_at) for v in journey.visits),
        parcels_loaded=loads[-1] if loads else None,
        parcels_unloaded=unloads[-1] if unloads else None,
        verdict=scans[-1] if scans else None,
    )


# -- warnings -----------------------------------------------------------------------------------------------------------


async def warnings(request: Request) -> Response:
    """The warnings about trucks under way (or about one truck), one page of them, the earliest raised first."""
    query, house, own = query_of(request, WarningsQuery), house_of(request), own_carrier(caller_of(request))
    after = cursor_of(request, query, _After)

    def work() -> Response:
        found = []
        for view, warning in _warnings(house, own, query.vehicle):
            read = _warning_read(warning)
            fits = (
                query.state in (None, read.state)
                and query.colour in (None, read.colour)
                and query.kind in (None, read.kind)
                and (query.since is None or read.raised_at >= query.since)
            )
            if fits:
                found.append((_After(read.raised_at, read.warning), view, read))
        found.sort(key=lambda each: each[0])
        rest = [each for each in found if after is None or each[0] > after]
        page, more = rest[: query.limit], len(rest) > query.limit
        noted(request, "board", {person for _, view, _ in page for person in crew_of(view)})
        return paged(request, [read for *_, read in page], page[-1][0] if more else None)

    return await run_in_threadpool(work)


async def warning(request: Request) -> Response:
    """One warning about a truck under way."""

    def work() -> Response:
        house, own, wanted = house_of(request), own_carrier(caller_of(request)), request.path_params["warning"]
        for view, found in _warnings(house, own):
            if found.id == wanted:
                noted(request, "board", crew_of(view))
                return seen(request, _warning_read(found))
        raise Problem(404, "no-warning")

    return await run_in_threadpool(work)


def _warnings(house: House, own: str | None, vehicle: str | None = None) -> Iterator[tuple[View, WarningState]]:
    for look in _looks(house, own, vehicle):
        for found in look.view.warnings:
            raised = found.raised
            if own is None or (raised.finding not in ABOUT_TESTS and _under(look.view, raised.pass_id, raised.since, own)):
                yield look.view, found


def _warning_read(warning: WarningState) -> WarningRead:
    raised = warning.raised
    return WarningRead(
        warning=warning.id,
        kind=raised.finding,
        vehicle=raised.vehicle,
        pass_id=raised.pass_id,
        colour=warning.colour,
        confirmed=warning.confirmed,
        state=warning.state,
        since=raised.since,
        raised_at=warning.raised_at,
        ended_at=warning.ended or warning.withdrawn_at,
        answer_by=warning.answer_by,
        answered_at=warning.answered_at,
        answer=warning.answer or None,
    )


_SEERS = (CARRIER, COORDINATOR)
ROUTES = (
    Rule("/api/v1/vehicles", ("GET",), vehicles, _SEERS),
    Rule("/api/v1/vehicles/{vehicle}", ("GET",), vehicle, _SEERS),
    Rule("/api/v1/journeys", ("GET",), journeys, _SEERS),
    Rule("/api/v1/journeys/{journey}", ("GET",), journey, _SEERS),
    Rule("/api/v1/warnings", ("GET",), warnings, _SEERS),
    Rule("/api/v1/warnings/{warning}", ("GET",), warning, _SEERS),
)
