"""The board: every truck against its loop, and every warning with its evidence; live, by server-sent events.

The page, its live parts and the stream show a carrier its own trucks and nothing of the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Any, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from checkpoint.core.facts import Fact, WarningAnswered, WarningRaised, digest_id
from checkpoint.core.loop import Loop
from checkpoint.ui import texts
from checkpoint.web import bounds
from checkpoint.web.access import CARRIER, COORDINATOR, Caller, Rule, caller_of, still_in
from checkpoint.web.board_data import SHOWS, LookLike, Show, Truck, counts, gathered, trucks, warnings
from checkpoint.web.house import House, house_of
from checkpoint.web.hub import sse
from checkpoint.web.ladder import LEFT, RIGHT, WIDTH, ladder
from checkpoint.web.narrowing import drives_for, of_carrier
from checkpoint.web.overview import drawing, geojson
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.reads import crew_of, noted
from checkpoint.web.words import Words

MOST_WARNINGS = 60
MAX_ANSWER = 500
STREAM_AGAIN_S = 30
# How often an open stream asks whether its reader may still read.
ASK_AGAIN_S = 10.0


def looks_for(house: House, caller: Caller, *, driving: bool = False) -> dict[str, LookLike]:
    """What the watch sees, as far as it is the caller's to see: a carrier's own trucks, everything for a coordinator.

    `driving`: of a carrier's trucks only those that drive for it now; where the others are is not its business.
    """
    looks = cast("Mapping[str, LookLike]", house.watch.looks())
    if caller.role == COORDINATOR:
        return dict(looks)
    mine = {plate: look for plate, look in looks.items() if not driving or drives_for(look.view, caller.who)}
    narrow = {plate: of_carrier(look, caller.who) for plate, look in mine.items()}
    return {plate: look for plate, look in narrow.items() if look is not None}


def loops_now(house: House, now: datetime) -> tuple[Loop, ...]:
    """The loops in force, by id."""
    loops = house.store.loops()
    found = (loops.in_force(loop_id, now) for loop_id in sorted(loops.all()))
    return tuple(loop for loop in found if loop is not None)


def summary(rows: tuple[Truck, ...], counted: Mapping[Show, int]) -> list[tuple[str, int]]:
    """The line above everything: how many trucks do what, and what waits for somebody."""
    states = [t.state for t in rows]
    return [
        ("trucks", len(rows)),
        ("driving", states.count("driving") + states.count("standing")),
        ("at-station", states.count("at-station")),
        ("resting", states.count("resting")),
        ("off-loop", states.count("off-loop")),
        ("silent", states.count("silent") + states.count("unknown")),
        ("red", counted["red"]),
        ("unanswered", counted["unanswered"]),
    ]


def _board(request: Request, template: str) -> Response:
    house, caller = house_of(request), caller_of(request)
    now = house.now()
    looks = looks_for(house, caller, driving=True)
    loops = loops_now(house, now)
    show = cast("Show", request.query_params.get("show", "open"))
    if show not in SHOWS:
        show = "open"
    rows = trucks(looks, now)
    listed = warnings(looks.values(), show)
    grouped = gathered(listed)
    counted = counts(looks.values())
    zone = loops[0].zone if loops else FALLBACK_ZONE
    names = house.store.registry.names({w.answered_by for w in listed if w.answered_by})
    words = Words(texts(language_of(request)), now, zone, loops, names)
    noted(request, "board", {person for look in looks.values() for person in crew_of(look.view)})
    return render(
        request,
        template,
        zone=zone,
        trucks=rows,
        ladder_widths=(LEFT, RIGHT, WIDTH),
        ladders=[ladder(loop, rows) for loop in loops],
        warnings=grouped[:MOST_WARNINGS],
        more=max(len(grouped) - MOST_WARNINGS, 0),
        shows=SHOWS,
        show=show,
        counts=counted,
        summary=summary(rows, counted),
        phones=len(house.store.registry.phones_waiting(now)) if caller.role == COORDINATOR else 0,
        drawing=drawing(loops, rows),
        named={station for loop in loops for station in (loop.origin, loop.destination)},
        **words.for_templates(),
    )


async def page(request: Request) -> Response:
    """The board."""
    return await run_in_threadpool(_board, request, "board.html")


async def live(request: Request) -> Response:
    """The parts of the board that change, as HTML to be put in their place."""
    return await run_in_threadpool(_board, request, "board_live.html")


async def plan(request: Request) -> Response:
    """Lines, stations and graticule as GeoJSON for the live map."""
    house = house_of(request)
    loops = await run_in_threadpool(loops_now, house, house.now())
    body = msgspec.json.encode(geojson(loops, language_of(request)))
    return Response(body, media_type="application/geo+json", headers={"Cache-Control": "no-store"})


async def events(request: Request) -> Response:
    """The stream of what changes. Events say where to look, not what is to be seen: the page asks for that itself."""
    house, caller = house_of(request), caller_of(request)

    who = bounds.who(request, caller)
    if not house.limits.may_stream(who):
        raise Problem(429, "too-many-streams", headers={"Retry-After": str(STREAM_AGAIN_S)})

    async def stream() -> AsyncIterator[bytes]:
        with house.limits.streaming(who):
            yield b"retry: 2000\n\n: welcome\n\n"
            asked = monotonic()
            async for event in house.hub.stream():
                if monotonic() - asked >= ASK_AGAIN_S:
                    if not await run_in_threadpool(still_in, house, caller):
                        return
                    asked = monotonic()
                if event is None or caller.role == COORDINATOR:
                    yield sse(event)
                elif _concerns(house, caller, event[1]):
                    yield sse((event[0], {}))

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _concerns(house: House, caller: Caller, data: Mapping[str, Any]) -> bool:
    """Whether an event is about one of a carrier's own trucks; one that names no truck concerns everybody."""
    named = {data["vehicle"]} if "vehicle" in data else set(data.get("vehicles", ()))
    return not named or not named.isdisjoint(looks_for(house, caller))


async def answer(request: Request) -> Response:
    """A coordinator takes a warning and says what is done about it."""
    form = await request.form()
    said = " ".join(str(form.get("answer", "")).split())
    if not 1 <= len(said) <= MAX_ANSWER:
        t = texts(language_of(request))
        raise Problem(422, "malformed", why=t("board.answer.wanted", most=MAX_ANSWER))
    house, caller = house_of(request), caller_of(request)
    warning = request.path_params["warning"]
    recorded = await run_in_threadpool(house.store.fact, warning)
    if recorded is None or not isinstance(recorded.fact.what, WarningRaised):
        raise Problem(404, "not-found")
    now = house.now()
    fact = Fact(
        id=digest_id("answered", warning, now.isoformat(), caller.by),
        at=now,
        witness=caller.witness,
        by=caller.by,
        what=WarningAnswered(warning=warning, vehicle=recorded.fact.what.vehicle, answer=said),
    )
    await run_in_threadpool(house.intake.record, fact)
    show = str(form.get("show", ""))
    back = str(form.get("back", ""))
    if back == "vehicle":
        return RedirectResponse(f"/vehicles/{recorded.fact.what.vehicle}", 303)
    return RedirectResponse(f"/?show={show}" if show in SHOWS else "/", 303)


SEERS = (COORDINATOR, CARRIER)
ROUTES = (
    Rule("/", ("GET",), page, SEERS),
    Rule("/board/live", ("GET",), live, SEERS),
    Rule("/board/plan.json", ("GET",), plan, SEERS),
    Rule("/events", ("GET",), events, SEERS),
    Rule("/warnings/{warning}/answer", ("POST",), answer, (COORDINATOR,)),
)
