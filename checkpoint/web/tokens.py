"""Tokens for programs, at the desk of whoever answers for them: made, shown once, listed with their last use, revoked.

The law of this file: an office makes tokens for its own programs and sees no others; an administrator makes them for any office.
The text of a token is on one page, once; the server keeps its digest.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.store.registry import ApiToken
from checkpoint.ui import texts
from checkpoint.web import once
from checkpoint.web.access import (
    ADMINISTRATOR,
    BEGINS_WITH,
    CARRIER,
    COORDINATOR,
    LABORATORY,
    Caller,
    Rule,
    caller_of,
    digest,
)
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.visitor import visitor_of
from checkpoint.wish import MAX_NAME_CHARS, one_form

FOR_PROGRAMS = (COORDINATOR, CARRIER, LABORATORY)
LASTING_DAYS = (30, 90, 365)
WITH_OFFICE = (CARRIER, LABORATORY)


def office_of(caller: Caller) -> str:
    """The office whose programs a caller answers for; empty for a role that has one desk."""
    return caller.who if caller.role in WITH_OFFICE else ""


def _own(house: House, caller: Caller) -> list[ApiToken]:
    """The tokens that are the caller's to see."""
    if caller.role == ADMINISTRATOR:
        return house.store.registry.api_tokens()
    return house.store.registry.api_tokens(caller.role, office_of(caller))


def _page(request: Request, *, mistake: str = "", status: int = 200) -> Response:
    house, caller = house_of(request), caller_of(request)
    made = once.secret_of(request)
    token = house.store.registry.api_token(digest(made)) if made else None
    return render(
        request,
        "tokens.html",
        status=status,
        tokens=_own(house, caller),
        made=made if token is not None and token.opens(house.now()) else "",
        mistake=mistake,
        roles=FOR_PROGRAMS if caller.role == ADMINISTRATOR else (),
        lasting=LASTING_DAYS,
    )


async def page(request: Request) -> Response:
    """The tokens, and the form for a new one."""
    return await run_in_threadpool(_page, request)


async def make(request: Request) -> Response:
    """Make a token and show it, this once."""
    form = await request.form()
    given = {key: one_form(str(value))[:200] for key, value in form.items()}

    def work() -> Response:
        house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
        name, days = given.get("name", ""), given.get("days", "")
        role = given.get("role", "") if caller.role == ADMINISTRATOR else caller.role
        office = given.get("office", "") if caller.role == ADMINISTRATOR else office_of(caller)
        if not 1 <= len(name) <= MAX_NAME_CHARS:
            return _page(request, mistake=t("fault.name", most=MAX_NAME_CHARS), status=422)
        if role not in FOR_PROGRAMS or (role in WITH_OFFICE and not 1 <= len(office) <= MAX_NAME_CHARS):
            return _page(request, mistake=t("tokens.office-wanted"), status=422)
        if days not in map(str, LASTING_DAYS):
            return _page(request, mistake=t("tokens.days-wanted"), status=422)
        made = BEGINS_WITH + secrets.token_urlsafe(32)
        house.store.registry.add_api_token(
            digest(made),
            name=name,
            role=role,
            office=office if role in WITH_OFFICE else "",
            writes=given.get("scope") == "write",
            made_by=caller.by,
            expires=house.now() + timedelta(days=int(days)),
        )
        _audit(request, "token-made", name)
        return once.lead_to(house, "/tokens", made)

    return await run_in_threadpool(work)


async def revoke(request: Request) -> Response:
    """Let a token open nothing more."""

    def work() -> Response:
        house, token = house_of(request), request.path_params["token"]
        found = next((own for own in _own(house, caller_of(request)) if own.id == token), None)
        if found is None:
            raise Problem(404, "no-token")
        if house.store.registry.revoke_api_token(token):
            _audit(request, "token-revoked", found.name)
        return RedirectResponse("/tokens", 303)

    return await run_in_threadpool(work)


def _audit(request: Request, what: str, name: str) -> None:
    caller, address = caller_of(request), visitor_of(request).address
    house_of(request).store.registry.audit(
        what, account=caller.account, actor=caller.account or caller.by, address=address, detail=name
    )


WHO = (ADMINISTRATOR, *FOR_PROGRAMS)
ROUTES = (
    Rule("/tokens", ("GET",), page, WHO),
    Rule("/tokens", ("POST",), make, WHO, step_up=True),
    Rule("/tokens/{token}/revoke", ("POST",), revoke, WHO),
)
