"""A driver's personal link: it binds one phone, once; another phone asks, and a coordinator decides.

The law of this file: opening a link binds nothing, the button on its page does, since message previews open links too. A phone
is known by a mark of its own, which the page set before the button is pressed: when an answer is lost on a weak line, the same
phone comes again and is recognised. A phone that is not the one bound may ask to be; it is let in by a coordinator only, and
then the pass moves as a whole: a new generation, so that what the phone before shows opens no gate from then on.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.granting import token_hash
from checkpoint.store.registry import Link, PhoneRequest
from checkpoint.web import access
from checkpoint.web.access import ANYONE, DRIVER, Caller, Rule, digest
from checkpoint.web.api import too_many
from checkpoint.web.devices import bind_device
from checkpoint.web.driver import AFTER_THE_PASS, Bound, bound_to, zone_of
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import LINKS
from checkpoint.web.page import render
from checkpoint.web.phones import kind_of

OPENING_COOKIE = "checkpoint-opening"
REQUEST_LASTS = timedelta(minutes=30)
_MARK_LASTS_S = 3600
_STATUS = {"fresh": 200, "waiting": 200, "unknown": 404, "refused": 403}


async def look(request: Request) -> Response:
    """A link's page: what it opens, and the button that binds this phone or asks for it. Nothing happens yet."""
    house, token = house_of(request), request.path_params["token"]

    def work() -> Response:
        link = house.store.registry.link_by_token(token_hash(token))
        mine = _mine(request, house, link) if link is not None else None
        return _come_in(house, *mine, token) if mine is not None else _page(request, house, link, token)

    return await run_in_threadpool(work)


async def open_link(request: Request) -> Response:
    """Bind this phone to the link's pass; works once, and again for the same phone."""
    house, token = house_of(request), request.path_params["token"]

    def work() -> Response:
        link = house.store.registry.link_by_token(token_hash(token))
        mine = _mine(request, house, link) if link is not None else None
        opened = mine or _open(house, token, request.cookies.get(OPENING_COOKIE, ""))
        return _come_in(house, *opened, token) if opened is not None else _page(request, house, link, token)

    return await run_in_threadpool(work)


async def ask(request: Request) -> Response:
    """Ask that this phone take the place of the one that is bound. Asked again, it is the same request."""
    house, token = house_of(request), request.path_params["token"]

    def work() -> Response:
        registry = house.store.registry
        link = registry.link_by_token(token_hash(token))
        mine = _mine(request, house, link) if link is not None else None
        if mine is not None:
            return _come_in(house, *mine, token)
        mark = request.cookies.get(OPENING_COOKIE, "")
        if link is None or _state_of(link, None, house.now()) != "used":
            return _page(request, house, link, token)
        if not mark or registry.phone_is_taken(digest(mark), link.id):
            mark = secrets.token_urlsafe(32)
        if _state_of(link, registry.phone_request_of(digest(mark)), house.now()) in ("used", "expired"):
            wait = house.throttle.wait(f"phones {link.id}")
            if wait:
                raise too_many(request, wait)
            house.throttle.failed(f"phones {link.id}")  # each asking counts, whatever becomes of it
            registry.ask_for_phone(
                digest(mark), pass_id=link.pass_id, person=link.person, link=link.id,
                kind=kind_of(request.headers.get("user-agent", "")), expires=house.now() + REQUEST_LASTS,
            )  # fmt: skip
            house.hub.publish("board", {})
        # Shown by the page itself, so that reloading asks for nothing.
        response = RedirectResponse(f"/d/{token}", 303)
        _mark(response, house, token, mark)
        return response

    return await run_in_threadpool(work)


def _page(request: Request, house: House, link: Link | None, token: str) -> Response:
    mark = request.cookies.get(OPENING_COOKIE, "")
    asked = house.store.registry.phone_request_of(digest(mark)) if mark and link is not None else None
    state = _state_of(link, asked, house.now())
    values: dict[str, object] = {}
    if link is not None:
        bound = bound_to(house, link)
        values = {"token": token, "plate": bound.vehicle, "expires": link.expires, "asked": asked, "zone": zone_of(house, bound)}
    response = render(request, "driver/link.html", status=_STATUS.get(state, 410), state=state, **values)  # type: ignore[arg-type]
    if state in ("fresh", "used") and not mark:
        # Each link has its own, for whoever opens two before binding either.
        _mark(response, house, token, secrets.token_urlsafe(32))
    return response


def _mark(response: Response, house: House, token: str, mark: str) -> None:
    response.set_cookie(
        OPENING_COOKIE, mark, path=f"/d/{token}", max_age=_MARK_LASTS_S, httponly=True, secure=house.secure, samesite="lax"
    )


def _come_in(house: House, bound: Bound, mark: str, token: str) -> Response:
    """Send a bound phone on to its pass, with the cookie that shows it: the answer that first brought it may have been lost."""
    response = RedirectResponse("/driver", 303)
    lasting = max(bound.state.grant.expires - house.now(), timedelta()) + AFTER_THE_PASS
    access.set_cookie(response, house, DRIVER, mark, lasting)
    response.delete_cookie(OPENING_COOKIE, path=f"/d/{token}", httponly=True, secure=house.secure, samesite="lax")
    return response


def _open(house: House, token: str, mark: str) -> tuple[Bound, str] | None:
    """Bind the phone of that mark; the mark it is known by from now on comes back, a new one where that names another link's."""
    registry, hashed = house.store.registry, token_hash(token)
    link = registry.link_by_token(hashed)
    if not mark or (link is not None and registry.phone_is_taken(digest(mark), link.id)):
        mark = secrets.token_urlsafe(32)
    if registry.use_link(hashed, digest(mark)) is None:
        mine = registry.link_by_phone(digest(mark))
        if link is None or mine is None or mine.id != link.id:
            return None
    assert link is not None
    return _let_in(house, link, mark)


def _let_in(house: House, link: Link, mark: str) -> tuple[Bound, str]:
    """Open the session of a phone that is bound to a link, and let it report for the truck."""
    registry, bound = house.store.registry, bound_to(house, link)
    if registry.session(digest(mark)) is None:
        expires = max(bound.state.grant.expires, house.now()) + AFTER_THE_PASS
        registry.open_session(digest(mark), role=DRIVER, who=link.id, name="", opened=house.now(), expires=expires)
    if not house.intake.bound(bound.device).bindings:
        # What the phone kept under an earlier link of the same pass is the same truck's.
        since = min(bound.state.grant.not_before, house.now())
        bind_device(house, bound.device, bound.vehicle, Caller(role=DRIVER, who=link.id, by=link.person), since)
    return bound, mark


def _mine(request: Request, house: House, link: Link) -> tuple[Bound, str] | None:
    """What the asking phone is bound to and its mark, where it is the one this link bound, or that was let in by asking here."""
    registry = house.store.registry
    for name in (access.cookie_name(house, DRIVER), OPENING_COOKIE):
        mark = request.cookies.get(name, "")
        found = registry.link_by_phone(digest(mark)) if mark else None
        if found is None:
            continue
        if found.id == link.id and registry.session(digest(mark)) is not None:
            return bound_to(house, link), mark
        asked = registry.phone_request_of(digest(mark))
        if asked is not None and asked.link == link.id and asked.state == "approved":
            return _let_in(house, found, mark)
    return None


def _state_of(link: Link | None, asked: PhoneRequest | None, now: datetime) -> str:
    """A link as its page speaks of it: `unknown`, `closed`, `late`, `fresh`; `used`, and then `waiting`, `refused` or `expired`
    for a phone that asked."""
    if link is None:
        return "unknown"
    if link.closed_at is not None:
        return "closed"
    if link.used_at is None:
        return "late" if link.expires <= now else "fresh"
    if asked is None or asked.link != link.id:
        return "used"
    state = asked.state_at(now)
    over = now >= asked.expires
    return {"waiting": "waiting", "refused": "expired" if over else "refused"}.get(state, "expired")


ROUTES = (
    Rule("/d/{token}", ("GET",), look, (ANYONE,), rate=LINKS),
    Rule("/d/{token}", ("POST",), open_link, (ANYONE,), rate=LINKS),
    Rule("/d/{token}/ask", ("POST",), ask, (ANYONE,), rate=LINKS),
)
