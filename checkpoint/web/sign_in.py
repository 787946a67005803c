"""Signing in and out: a role, its password, and the name of whoever sits there."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.ui import clock, texts
from checkpoint.web import access
from checkpoint.web.access import ANYONE, WITH_PASSWORD, Rule, caller_of
from checkpoint.web.house import house_of
from checkpoint.web.limits import GUESSES
from checkpoint.web.page import language_of, render
from checkpoint.wish import one_form

# Where each role begins its day.
HOME = {access.COORDINATOR: "/", access.CARRIER: "/passes", access.LABORATORY: "/lab"}


async def page(request: Request) -> Response:
    """The sign-in page."""
    return _page(request, note="sign-in.signed-out" if "out" in request.query_params else "")


def _page(
    request: Request, *, mistake: str = "", note: str = "", role: str = "", name: str = "", office: str = "", status: int = 200
) -> Response:
    t = texts(language_of(request))
    return render(
        request,
        "sign_in.html",
        status=status,
        roles=WITH_PASSWORD,
        role=role,
        name=name,
        office=office,
        mistake=mistake,
        note=t(note) if note else "",
        next=request.query_params.get("next", ""),
    )


async def sign_in(request: Request) -> Response:
    """Take role, name and password; answer with a session, or say what is wrong."""
    house, t = house_of(request), texts(language_of(request))
    form = await request.form()
    role, name, office, password = (one_form(str(form.get(key, ""))) for key in ("role", "name", "office", "password"))
    given = {"role": role, "name": name[:60], "office": office[:60]}
    if not 1 <= len(name) <= 60:
        return _page(request, mistake=t("sign-in.name-wanted"), status=422, **given)
    if role == access.CARRIER and not 1 <= len(office) <= 60:
        return _page(request, mistake=t("sign-in.office-wanted"), status=422, **given)
    throttled = f"sign-in {role[:20]} {request.client.host if request.client else ''}"
    wait = house.throttle.wait(throttled)
    if wait:
        return _page(request, mistake=t("sign-in.throttled", wait=clock.span(wait, t)), status=429, **given)
    token = await run_in_threadpool(partial(access.sign_in, house, role, password, name=name, office=office))
    if token is None:
        house.throttle.failed(throttled)
        return _page(request, mistake=t("sign-in.wrong"), status=401, **given)
    house.throttle.succeeded(throttled)
    response = RedirectResponse(_own_path(str(form.get("next", ""))) or HOME[role], 303)
    access.set_cookie(response, house, role, token)
    return response


def _own_path(text: str) -> str:
    """A path of our own to go on to, or nothing: never another site's address."""
    parts = urlsplit(text)
    plain = not parts.scheme and not parts.netloc and text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if plain and text.isprintable() else ""


async def sign_out(request: Request) -> Response:
    """End the session, on the server too."""
    response = RedirectResponse("/sign-in?out", 303)
    if caller_of(request).way == "cookie":
        await access.end_session(request, response)
    return response


ROUTES = (
    Rule("/sign-in", ("GET",), page, (ANYONE,)),
    Rule("/sign-in", ("POST",), sign_in, (ANYONE,), rate=GUESSES),
    Rule("/sign-out", ("POST",), sign_out, (ANYONE,)),
)
