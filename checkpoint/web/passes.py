"""Passes at the desk: asked for, granted, refused, revoked, handed to the driver. The rules are the pass office's own.

A carrier asks for its own trucks and sees its own passes; granting, refusing and revoking are a coordinator's. The link for the
driver is shown once, when it is made; the server keeps no copy that could be read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.core.book import Book
from checkpoint.core.journey import PassState
from checkpoint.core.passes import check_character
from checkpoint.granting import Granted, Settled, Unknown, token_hash
from checkpoint.store.registry import Link
from checkpoint.ui import texts
from checkpoint.web import once, phones
from checkpoint.web.access import CARRIER, COORDINATOR, Caller, Rule, caller_of
from checkpoint.web.board import loops_now
from checkpoint.web.house import House, house_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.passes_data import passes, requests, standing_of
from checkpoint.web.problems import Problem
from checkpoint.web.words import Words
from checkpoint.wish import MAX_CREW, Faulty, Person, Wish

_KINDS = ("PassRequested", "PassGranted", "PassRefused", "PassRevoked", "CrewJoined", "Voided", "Amended")


def _carrier(caller: Caller) -> str | None:
    """Whose passes the caller may see: its own for a carrier, everybody's (None) for a coordinator."""
    return caller.who if caller.role == CARRIER else None


def _zone(house: House) -> ZoneInfo:
    loops = loops_now(house, house.now())
    return loops[0].zone if loops else FALLBACK_ZONE


def _words(request: Request, zone: ZoneInfo, ids: set[str]) -> Words:
    house = house_of(request)
    now = house.now()
    return Words(texts(language_of(request)), now, zone, loops_now(house, now), house.store.registry.names(ids - {""}))


# -- the list ---------------------------------------------------------------------------------------------------------


def _list(request: Request, mistake: str = "", status: int = 200) -> Response:
    house, caller = house_of(request), caller_of(request)
    book = Book(r.fact for r in house.store.facts_of_kind(*_KINDS))
    asked, held = requests(book, _carrier(caller)), passes(book, house.now(), _carrier(caller))
    zone = _zone(house)
    asking = phones.waiting(house, house.now()) if caller.role == COORDINATOR else []
    ids = {p for r in asked for p in (*r.asked.crew, r.by)} | {p for r in held for p in r.state.crew}
    return render(
        request,
        "passes.html",
        status=status,
        zone=zone,
        asking=asking,
        waiting=[r for r in asked if r.state == "waiting"],
        refused=[r for r in asked if r.state == "refused"],
        passes=held,
        mistake=mistake,
        **_words(request, zone, ids).for_templates(),
    )


async def page(request: Request) -> Response:
    """Requests that wait, and passes."""
    return await run_in_threadpool(_list, request)


# -- asking -----------------------------------------------------------------------------------------------------------


def _form(request: Request, given: dict[str, str], mistakes: dict[str, str], status: int = 200) -> Response:
    house, caller = house_of(request), caller_of(request)
    loops, zone = loops_now(house, house.now()), _zone(house)
    begins = house.now().astimezone(zone).replace(minute=0)
    standard = {
        "carrier": caller.who if caller.role == CARRIER else "",
        "not_before": begins.strftime("%Y-%m-%dT%H:%M"),
        "expires": (begins + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M"),
    }
    return render(
        request,
        "pass_new.html",
        status=status,
        zone=zone,
        loops=loops,
        given=standard | given,
        mistakes=mistakes,
        own=caller.role == CARRIER,
        most_crew=MAX_CREW,
    )


async def new(request: Request) -> Response:
    """The form on which a pass is asked for."""
    return await run_in_threadpool(_form, request, {}, {})


async def ask(request: Request) -> Response:
    """Ask for a pass; what is wrong is said beside each field."""
    form = await request.form()
    return await run_in_threadpool(_ask, request, form)


def _ask(request: Request, form: FormData) -> Response:
    house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
    given = {key: str(value)[:200] for key, value in form.items()}
    zone, mistakes = _zone(house), {}
    instants = {}
    for name in ("not_before", "expires"):
        try:
            instants[name] = datetime.fromisoformat(given.get(name, "")).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            mistakes[name] = t("passes.instant-wanted")
            instants[name] = house.now()
    crew = [
        Person(
            name=given.get(f"crew-{i}-name", ""),
            id_number=given.get(f"crew-{i}-id_number", ""),
            phone=given.get(f"crew-{i}-phone", ""),
        )
        for i in range(MAX_CREW)
    ]
    # Lines left empty at the end are nobody; the driver's line is always meant.
    while len(crew) > 1 and not any((crew[-1].name, crew[-1].id_number, crew[-1].phone)):
        crew.pop()
    wish = Wish(
        carrier=caller.who if caller.role == CARRIER else given.get("carrier", ""),
        vehicle=given.get("vehicle", ""),
        crew=tuple(crew),
        loop=given.get("loop", ""),
        **instants,
    )
    try:
        if mistakes:
            return _form(request, given, mistakes, 422)
        house.office.request(wish, caller.by)
    except Faulty as error:
        for fault in error.faults:
            mistakes[field_of(fault.path)] = t(fault.key, **fault.values)
        return _form(request, given, mistakes, 422)
    return RedirectResponse("/passes", 303)


def field_of(path: str) -> str:
    """The form's field that a fault's path speaks of: `$.crew[0].phone` is `crew-0-phone`."""
    return path.removeprefix("$.").replace("[", "-").replace("].", "-").replace("]", "")


# -- deciding ---------------------------------------------------------------------------------------------------------


def _decide(request: Request, what: str, reason: str) -> Response:
    house, by, t = house_of(request), caller_of(request).by, texts(language_of(request))
    wanted = request.path_params.get("request", "") or request.path_params.get("pass_id", "")
    try:
        match what:
            case "grant":
                return _lead_to(house, house.office.grant(wanted, by))
            case "reissue":
                return _lead_to(house, house.office.reissue(wanted, by))
            case "refuse":
                house.office.refuse(wanted, reason, by)
            case _:
                house.office.revoke(wanted, reason, by)
    except Unknown:
        raise Problem(404, "no-request" if "request" in request.path_params else "no-pass") from None
    except Settled as error:
        raise Problem(409, "settled", state=t(f"state.{error.state}")) from None
    except Faulty as error:
        return _list(request, " ".join(t(fault.key, **fault.values) for fault in error.faults), 422)
    return RedirectResponse("/passes", 303)


def _lead_to(house: House, granted: Granted) -> Response:
    """On to the pass, which shows the link: reloading that page shows the same one, and makes none."""
    return once.lead_to(house, f"/passes/{granted.pass_id}", granted.link_token)


async def grant(request: Request) -> Response:
    """Grant a request, and show the link for the driver. Granted again, it shows a new link while no phone has opened one."""
    return await run_in_threadpool(_decide, request, "grant", "")


async def reissue(request: Request) -> Response:
    """Give a pass a new generation and a new link, for another phone."""
    return await run_in_threadpool(_decide, request, "reissue", "")


async def refuse(request: Request) -> Response:
    """Refuse a request, with the reason."""
    form = await request.form()
    return await run_in_threadpool(_decide, request, "refuse", str(form.get("reason", "")))


async def revoke(request: Request) -> Response:
    """Revoke a pass, with the reason."""
    form = await request.form()
    return await run_in_threadpool(_decide, request, "revoke", str(form.get("reason", "")))


# -- one pass ---------------------------------------------------------------------------------------------------------


def _state(request: Request) -> PassState:
    """The pass asked for, if it is the caller's to see."""
    try:
        state = house_of(request).office.pass_state(request.path_params["pass_id"])
    except Unknown:
        raise Problem(404, "no-pass") from None
    own = _carrier(caller_of(request))
    if own is not None and state.grant.carrier != own:
        raise Problem(404, "no-pass")
    return state


def _fresh_link(request: Request, links: list[Link]) -> str:
    """The address that this page was led to with, as long as nobody has opened it; else the empty text."""
    house, token = house_of(request), once.secret_of(request)
    link = house.store.registry.link_by_token(token_hash(token)) if token else None
    fresh = link is not None and link in links and link.used_at is None and link.closed_at is None
    return f"{house.public_url}/d/{token}" if fresh else ""


def _one(request: Request) -> Response:
    house, caller, state = house_of(request), caller_of(request), _state(request)
    zone = _zone(house)
    links = house.store.registry.links(state.grant.pass_id)
    return render(
        request,
        "pass.html",
        zone=zone,
        state=state,
        standing=standing_of(state, house.now()),
        link=_fresh_link(request, links) if caller.role == COORDINATOR else "",
        asking=phones.waiting(house, house.now(), state.grant.pass_id) if caller.role == COORDINATOR else [],
        opened_at=next((x.used_at for x in reversed(links) if x.closed_at is None and x.used_at is not None), None),
        **_words(request, zone, set(state.crew)).for_templates(),
    )


async def one(request: Request) -> Response:
    """One pass: how it stands, its link and its sheet."""
    return await run_in_threadpool(_one, request)


def _sheet(request: Request) -> Response:
    house, state = house_of(request), _state(request)
    zone = _zone(house)
    loop = house.store.loops().in_force(state.grant.loop, house.now())
    return render(
        request,
        "sheet.html",
        zone=loop.zone if loop is not None else zone,
        state=state,
        loop_=loop,
        text=house.office.sheet_text(state.grant.pass_id),
        check=check_character,
        **_words(request, zone, set(state.crew)).for_templates(),
    )


async def sheet(request: Request) -> Response:
    """The pass on paper, to be printed: a pass of its own kind, which staff compare with plate and names."""
    return await run_in_threadpool(_sheet, request)


SEERS, DESK = (COORDINATOR, CARRIER), (COORDINATOR,)
ROUTES = (
    Rule("/passes", ("GET",), page, SEERS),
    Rule("/passes/new", ("GET",), new, SEERS),
    Rule("/passes/new", ("POST",), ask, SEERS),
    Rule("/passes/requests/{request}/grant", ("POST",), grant, DESK),
    Rule("/passes/requests/{request}/refuse", ("POST",), refuse, DESK),
    Rule("/passes/{pass_id}", ("GET",), one, SEERS),
    Rule("/passes/{pass_id}/sheet", ("GET",), sheet, SEERS),
    Rule("/passes/{pass_id}/reissue", ("POST",), reissue, DESK, step_up=True),
    Rule("/passes/{pass_id}/revoke", ("POST",), revoke, DESK, step_up=True),
)
