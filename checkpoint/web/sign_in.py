"""Signing in and out: a role, its password, and the name of whoever sits there."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.ui import clock, texts
from checkpoint.web import access
from checkpoint.web.access import ANYONE, WITH_PASSWORD, Rule, caller_of
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render

# Where each role begins its day.
HOME = {access.COORDINATOR: "/", access.CARRIER: "/passes", access.LABORATORY: "/lab"}


async def page(request: Request) -> Response:
    """The sign-in page."""
    return _page(request, note="sign-in.signed-out" if "out" in request.query_params else "")


def _page(request: Request, *, mistake: str = "", note: str = "", role: str = "", name: str = "", status: int = 200) -> Response:
    t = texts(language_of(request))
    return render(
        request,
        "sign_in.html",
        status=status,
        roles=WITH_PASSWORD,
        role=role,
        name=name,
        mistake=mistake,
        note=t(note) if note else "",
        next=request.query_params.get("next", ""),
    )


async def sign_in(request: Request) -> Response:
    """Take role, name and password; answer with a session, or say what is wrong."""
    house, t = house_of(request), texts(language_of(request))
    form = await request.form()
    role, name, password = (str(form.get(key, "")) for key in ("role", "name", "password"))
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60:
        return _page(request, mistake=t("sign-in.name-wanted"), role=role, status=422)
    throttled = f"sign-in {role} {request.client.host if request.client else ''}"
    wait = house.throttle.wait(throttled)
    if wait:
        return _page(request, mistake=t("sign-in.throttled", wait=clock.span(wait, t)), role=role, name=name, status=429)
    if role not in WITH_PASSWORD or not await run_in_threadpool(access.password_fits, house.store, role, password[:200]):
        house.throttle.failed(throttled)
        return _page(request, mistake=t("sign-in.wrong"), role=role, name=name, status=401)
    house.throttle.succeeded(throttled)
    token = await run_in_threadpool(lambda: access.open_session(house, role=role, who=role, name=name))
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
    Rule("/sign-in", ("POST",), sign_in, (ANYONE,)),
    Rule("/sign-out", ("POST",), sign_out, (ANYONE,)),
)
