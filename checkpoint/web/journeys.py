"""A vehicle and its journeys: what happened, what was shown, what counts until when, and how a fact is put right.

A correction is a fact with a reason and a name: what it corrects stays in the record and on the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.core import datum
from checkpoint.core.book import Book
from checkpoint.core.facts import Amended, Fact, Happening, Voided, What, digest_id, subjects
from checkpoint.core.geo import LonLat
from checkpoint.core.journey import Journey, View
from checkpoint.core.rules.terminal import DEPARTURE, beside, crossings_beside
from checkpoint.core.verdict import Finding
from checkpoint.store import Concern, Recorded
from checkpoint.ui import texts
from checkpoint.web.access import CARRIER, COORDINATOR, Caller, Rule, caller_of
from checkpoint.web.board import looks_for, loops_now
from checkpoint.web.board_data import LookLike, gathered, truck, urgency, warning_row
from checkpoint.web.house import House, house_of
from checkpoint.web.journey_data import entry, overruled, people, thinned, timeline
from checkpoint.web.narrowing import REASONS_OF_HEALTH, is_own, without_health
from checkpoint.web.overview import around, drawing, geojson
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.reads import crew_of, noted, people_of
from checkpoint.web.sources import sources_of
from checkpoint.web.words import Words

MAX_REASON = 500
MOST_SAID = 20


def look_of(request: Request) -> tuple[LookLike, Journey | None]:
    """The vehicle's look and the journey asked for (the last one by default), if they are the caller's to see."""
    look = looks_for(house_of(request), caller_of(request)).get(request.path_params["plate"])
    if look is None:
        raise Problem(404, "no-vehicle", plate=request.path_params["plate"][:20])
    wanted = request.query_params.get("journey")
    if wanted is None:
        return look, look.view.journey
    found = next((j for j in look.view.journeys if j.id == wanted), None)
    if found is None:
        raise Problem(404, "not-found")
    return look, found


def within(journey: Journey | None, at: datetime) -> bool:
    return journey is None or (journey.opened_at <= at and (journey.closed_at is None or at < journey.closed_at))


def _track(house: House, caller: Caller, view: View, journey: Journey | None) -> list[LonLat]:
    if journey is None and caller.role == CARRIER and view.pass_ is None:
        return []  # no lap of its own, and no pass that counts: wherever the truck is, it is for another
    since = journey.opened_at if journey is not None else None
    until = journey.closed_at if journey is not None else None
    return thinned(house.store.positions(view.vehicle, since, until))


def _suspected(look: LookLike) -> list[Finding]:
    """What is found and not yet confirmed: shown, and nobody is warned of it."""
    return [f for f in look.judgement.findings if not f.confirmed and f.until is None]


def proof_of(view: View, suspected: Iterable[Finding], journey: Journey | None) -> list[LonLat]:
    """The places of the fixes that suspicions, and the warnings of a journey, cite."""
    cited = [c for f in suspected for c in f.evidence]
    cited += [c for w in view.warnings if within(journey, w.raised_at) for c in w.raised.evidence]
    places = ((c.values.get("lon"), c.values.get("lat")) for c in cited if c.what == "fix")
    return [(float(x), float(y)) for x, y in places if isinstance(x, int | float) and isinstance(y, int | float)]


class LastPlace(NamedTuple):
    """A place as latitude, longitude for those who are sent there: as it is kept, and as Chinese maps draw it (empty where
    they draw it the same)."""

    wgs84: str
    gcj02: str


def last_place(lon: float | None, lat: float | None) -> LastPlace | None:
    """The place in both datums, to a metre."""
    if lon is None or lat is None:
        return None
    x, y = datum.wgs_to_gcj(lon, lat)
    return LastPlace(f"{lat:.5f}, {lon:.5f}", f"{y:.5f}, {x:.5f}" if datum.is_shifted(lon, lat) else "")


def _vehicle(request: Request) -> Response:
    house, caller = house_of(request), caller_of(request)
    now = house.now()
    look, journey = look_of(request)
    view = look.view
    loop = view.loop
    zone = loop.zone if loop is not None else FALLBACK_ZONE
    told = house.store.concerning(Concern(view.vehicle))
    if caller.role == CARRIER:
        seen = without_health(r.fact for r in told)
        told = [r for r in told if r.fact.id in seen and is_own(r.fact, view.passes, view.journeys)]
    rows = timeline(told, view.journeys, journey)
    shown = [warning_row(w, look.judgement.findings) for w in sorted(view.warnings, key=urgency) if within(journey, w.raised_at)]
    crew = people(view, now)
    ids = (
        {e.by for e in rows}
        | {w.answered_by for w in shown}
        | {p.person for p in crew}
        | {c.by for e in rows for c in e.corrections}
    )
    words = Words(texts(language_of(request)), now, zone, loops_now(house, now), house.store.registry.names(i for i in ids if i))
    track = _track(house, caller, view, journey)
    loops = (loop,) if loop is not None else ()
    row = truck(view, look.judgement, now)
    suspected = _suspected(look)
    # Of a carrier's truck only what it said on the carrier's own way.
    said = track or caller.role == COORDINATOR
    said_alarms = [b for b in beside(view, look.judgement.findings) if said and within(journey, b.alarm.since)]
    said_crossings = [b for b in crossings_beside(view) if said and within(journey, b.crossing.at)]
    noted(request, "journey", crew_of(view))
    if track:
        noted(request, "track", crew_of(view))
    return render(
        request,
        "vehicle.html",
        zone=zone,
        view=view,
        truck=row,
        journey=journey,
        journeys=tuple(reversed(view.journeys)),
        entries=rows,
        people=crew,
        shown_warnings=gathered(shown),
        suspected=suspected,
        last_place=last_place(row.lon, row.lat),
        said_alarms=said_alarms[:MOST_SAID],
        said_crossings=said_crossings[:MOST_SAID],
        said_departures=DEPARTURE,
        overruled=overruled(journey),
        drawing=drawing(
            loops,
            (row,),
            track=track,
            proof=proof_of(view, suspected, journey) if said else (),
            width=760,
            height=420,
            box=around(track, 0.15) if len(track) > 1 else None,
        ),
        named={s.id for s in loop.stations} if loop is not None else set(),
        show="open",
        may_correct=caller.role == COORDINATOR,
        # A number that a device was bound by is all that it shows to be believed.
        names_devices=caller.role == COORDINATOR,
        sees_health=caller.role != CARRIER,
        sources=sources_of(house, view.vehicle) if caller.role == COORDINATOR else None,
        reasons_of_health=REASONS_OF_HEALTH if caller.role == CARRIER else frozenset(),
        **words.for_templates(),
    )


async def vehicle(request: Request) -> Response:
    """A vehicle with one of its journeys."""
    return await run_in_threadpool(_vehicle, request)


async def plan(request: Request) -> Response:
    """The journey's loop and track as GeoJSON for the live map."""

    def work() -> bytes:
        house = house_of(request)
        look, journey = look_of(request)
        loops = (look.view.loop,) if look.view.loop is not None else ()
        noted(request, "track", crew_of(look.view))
        track = _track(house, caller_of(request), look.view, journey)
        told = track or caller_of(request).role == COORDINATOR
        proof = proof_of(look.view, _suspected(look), journey) if told else []
        return msgspec.json.encode(geojson(loops, language_of(request), track, proof))

    body = await run_in_threadpool(work)
    return Response(body, media_type="application/geo+json", headers={"Cache-Control": "no-store"})


async def journey(request: Request) -> Response:
    """A journey by its id: on to its vehicle's page."""
    looks = await run_in_threadpool(looks_for, house_of(request), caller_of(request))
    wanted = request.path_params["journey"]
    for plate, look in looks.items():
        if any(j.id == wanted for j in look.view.journeys):
            return RedirectResponse(f"/vehicles/{quote(plate)}?journey={wanted}", 303)
    raise Problem(404, "not-found")


# -- one fact ---------------------------------------------------------------------------------------------------------


def _held(house: House, fact_id: str) -> tuple[Recorded, list[Recorded]]:
    """A fact and its corrections. Raises `Problem`."""
    recorded = house.store.fact(fact_id)
    if recorded is None:
        raise Problem(404, "not-found")
    found = [recorded]
    while True:
        more = house.store.recorded_of(*(f"fact:{r.fact.id}" for r in found))
        fresh = [r for r in more if r.fact.id not in {f.fact.id for f in found}]
        if not fresh:
            return recorded, found
        found += [r for r in fresh if isinstance(r.fact.what, Voided | Amended)]
        if not any(isinstance(r.fact.what, Voided | Amended) for r in fresh):
            return recorded, found


def _zone_of(house: House) -> ZoneInfo:
    loops = loops_now(house, house.now())
    return loops[0].zone if loops else FALLBACK_ZONE


def _fact(request: Request, mistake: str = "", status: int = 200) -> Response:
    house = house_of(request)
    recorded, all_ = _held(house, request.path_params["fact"])
    now, zone = house.now(), _zone_of(house)
    row = entry(recorded, Book(r.fact for r in all_))
    ids = {row.by, *(c.by for c in row.corrections)}
    words = Words(texts(language_of(request)), now, zone, loops_now(house, now), house.store.registry.names(i for i in ids if i))
    standing = Book(r.fact for r in all_).fact(recorded.fact.id) or recorded.fact
    noted(request, "record", people_of(house.store, [f"fact:{r.fact.id}" for r in all_]))
    return render(
        request,
        "fact.html",
        status=status,
        zone=zone,
        recorded=recorded,
        e=row,
        fields=fields_of(standing.what),
        at_local=standing.at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
        vehicle=next((s.removeprefix("vehicle:") for s in sorted(subjects(recorded.fact)) if s.startswith("vehicle:")), ""),
        raw=recorded.raw.decode(errors="replace"),
        correctable=not isinstance(recorded.fact.what, Voided | Amended) or row.state != "voided",
        amendable=not isinstance(recorded.fact.what, Voided | Amended),
        mistake=mistake,
        **words.for_templates(),
    )


async def fact(request: Request) -> Response:
    """One fact: all that it says, as it was received and as it stands, and the way to put it right."""
    return await run_in_threadpool(_fact, request)


def fields_of(what: Happening) -> list[tuple[str, str, str]]:
    """The fields of a fact that a person may amend: name, kind of input, and what they say now."""
    found = []
    for field in msgspec.structs.fields(what):
        value = getattr(what, field.name)
        if isinstance(value, bool):
            found.append((field.name, "checkbox", "1" if value else ""))
        elif isinstance(value, int | float):
            found.append((field.name, "number", f"{value:g}"))
        elif isinstance(value, str) and len(value) <= 200:
            found.append((field.name, "text", value))
    return found


def amended(what: Happening, form: FormData) -> Happening:
    """The fact's content as the form has it. Raises `msgspec.ValidationError`."""
    told: dict[str, Any] = msgspec.to_builtins(what)
    for name, kind, before in fields_of(what):
        given = str(form.get(f"f-{name}", "")).strip()
        if kind == "checkbox":
            told[name] = given == "1"
        elif given != before:
            try:
                told[name] = float(given) if kind == "number" and "." in given else int(given) if kind == "number" else given
            except ValueError:
                raise msgspec.ValidationError(f"a number wanted, not {given[:20]!r} - at `$.{name}`") from None
    found: Happening = msgspec.convert(told, type=What)
    return found


async def void(request: Request) -> Response:
    """Declare a fact wrong: what follows is as if it had never happened."""
    form = await request.form()
    return await run_in_threadpool(_correct, request, form, "void")


async def amend(request: Request) -> Response:
    """Put a fact right."""
    form = await request.form()
    return await run_in_threadpool(_correct, request, form, "amend")


def _correct(request: Request, form: FormData, how: str) -> Response:
    house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
    recorded, all_ = _held(house, request.path_params["fact"])
    reason = " ".join(str(form.get("reason", "")).split())
    if not 1 <= len(reason) <= MAX_REASON:
        return _fact(request, t("fact.reason-wanted", most=MAX_REASON), 422)
    target = recorded.fact
    standing = Book(r.fact for r in all_).fact(target.id) or target
    try:
        correction: Voided | Amended = (
            Voided(target=target.id, reason=reason) if how == "void" else _amendment(house, standing, form, reason)
        )
    except (msgspec.ValidationError, ValueError) as error:
        return _fact(request, t("fact.not-so", why=str(error)), 422)
    _told(house, caller, correction)
    return RedirectResponse(f"/facts/{quote(target.id, safe='')}", 303)


def _amendment(house: House, standing: Fact, form: FormData, reason: str) -> Amended:
    if isinstance(standing.what, Voided | Amended):
        raise ValueError("a correction is voided, not amended")
    written = str(form.get("at", ""))
    at = datetime.fromisoformat(written).replace(tzinfo=_zone_of(house)).astimezone(UTC) if written else standing.at
    same_second = at == standing.at.replace(microsecond=0)
    what = amended(standing.what, form)
    return Amended(target=standing.id, reason=reason, what=what, at=None if same_second else at)  # type: ignore[arg-type]


def _told(house: House, caller: Caller, what: Voided | Amended) -> None:
    now = house.now()
    name = digest_id(type(what).__name__, what.target, now.isoformat(), caller.by)
    house.intake.record(Fact(id=name, at=now, witness=caller.witness, by=caller.by, what=what))


SEERS = (COORDINATOR, CARRIER)
ROUTES = (
    Rule("/vehicles/{plate}", ("GET",), vehicle, SEERS),
    Rule("/vehicles/{plate}/plan.json", ("GET",), plan, SEERS),
    Rule("/journeys/{journey}", ("GET",), journey, SEERS),
    Rule("/facts/{fact}", ("GET",), fact, (COORDINATOR,)),
    Rule("/facts/{fact}/void", ("POST",), void, (COORDINATOR,), step_up=True),
    Rule("/facts/{fact}/amend", ("POST",), amend, (COORDINATOR,), step_up=True),
)
