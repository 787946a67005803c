"""Signing in and out: a role, its password, and the name of whoever sits there."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.ui import clock, texts
from checkpoint.web import access
from checkpoint.web.access import ANYONE, WITH_PASSWORD, Rule, caller_of
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of, render

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
    role, name, office, password = (" ".join(str(form.get(key, "")).split()) for key in ("role", "name", "office", "password"))
    given = {"role": role, "name": name[:60], "office": office[:60]}
    if not 1 <= len(name) <= 60:
        return _page(request, mistake=t("sign-in.name-wanted"), status=422, **given)
    if role == access.CARRIER and not 1 <= len(office) <= 60:
        return _page(request, mistake=t("sign-in.office-wanted"), status=422, **given)
    throttled = f"sign-in {role[:20]} {request.client.host if request.client else ''}"
    wait = house.throttle.wait(throttled)
    if wait:
        return _page(request, mistake=t("sign-in.throttled", wait=clock.span(wait, t)), status=429, **given)
    token = await run_in_threadpool(_opened, house, role, name, office, password[:200])
    if token is None:
        house.throttle.failed(throttled)
        return _page(request, mistake=t("sign-in.wrong"), status=401, **given)
    house.throttle.succeeded(throttled)
    response = RedirectResponse(_own_path(str(form.get("next", ""))) or HOME[role], 303)
    access.set_cookie(response, house, role, token)
    return response


def _opened(house: House, role: str, name: str, office: str, password: str) -> str | None:
    """A session's token, or None when the password does not fit. A carrier is whom it says it is by the name in its requests."""
    known = role in WITH_PASSWORD
    # An unknown role takes as long to refuse as a wrong password.
    account = access.account_of(house.store, role, office) if known else access.COORDINATOR
    if not access.password_fits(house.store, account, password) or not known:
        return None
    who = access.desk_member(house.store, name) if role == access.COORDINATOR else office or role
    return access.open_session(house, role=role, who=who, name=name)


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
