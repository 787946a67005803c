"""What went wrong, told to the one who asked: in their language, with what to do, as RFC 9457 JSON or as a page.

The law of this file: an error is raised as `Problem(status, key)`; its words are the catalogue's `problem.<key>.title` and
`.detail`. What the store could not keep is answered as just that, with when to come again. Whatever else is raised is ours: it
is logged with the id of the request, and the asker sees that id and nothing more.
A problem's `type` is an address of ours (`/problems/<key>`) under which a person reads what it is and what to do; `instance`
names the one request.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkpoint.store import StorageBusy, StorageFailed, StorageFull
from checkpoint.ui import Texts, texts
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render

_log = logging.getLogger(__name__)
_KEYS = {404: "not-found", 405: "method"}


class Problem(Exception):
    """An answer that is not the one hoped for. `more` goes into the JSON beside title and detail (a list of `errors`...)."""

    def __init__(
        self,
        status: int,
        key: str,
        *,
        more: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **values: object,
    ) -> None:
        super().__init__(f"{status} {key}")
        self.status, self.key, self.values = status, key, values
        self.more, self.headers = more or {}, headers or {}

    def title(self, t: Texts) -> str:
        """What it is, in a few words."""
        return t(f"problem.{self.key}.title")

    def detail(self, t: Texts) -> str:
        """What to do about it."""
        return t(f"problem.{self.key}.detail", **self.values)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks (then a page answers), or a program (then JSON)."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


async def answer(request: Request, problem: Problem) -> Response:
    """A problem as the asker can read it."""
    t = texts(language_of(request))
    if wants_page(request):
        response = render(request, "problem.html", status=problem.status, title=problem.title(t), detail=problem.detail(t))
        response.headers.update(problem.headers)
        return response
    body = {
        "type": type_of(house_of(request).public_url, problem.key),
        "title": problem.title(t),
        "status": problem.status,
        "detail": problem.detail(t),
        "instance": _instance(request),
        **problem.more,
    }
    return Response(
        msgspec.json.encode(body),
        problem.status,
        media_type="application/problem+json",
        headers={"Content-Language": t.lang, **problem.headers},
    )


def type_of(public_url: str, key: str) -> str:
    """The address that names a kind of problem, and explains it."""
    return f"{public_url}/problems/{key}"


def _instance(request: Request) -> str:
    """The name of this one request: the id that its answer and our log carry."""
    return f"urn:request:{request.state.request_id}"


async def on_problem(request: Request, error: Exception) -> Response:
    """Starlette's way in for `Problem`."""
    assert isinstance(error, Problem)
    return await answer(request, error)


async def on_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such page, method not allowed."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request)
    key = _KEYS.get(error.status_code, "malformed")
    values: dict[str, Any] = {"method": {"allow": headers.get("Allow", "GET")}, "malformed": {"why": error.detail}}.get(key, {})
    return await answer(request, Problem(error.status_code, key, headers=headers, **values))


def _allowed(request: Request) -> str:
    """Every method of an address: each has a row of its own, and the router knows of the first it came to."""
    scope = {**request.scope, "method": ""}
    found: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(scope)[0] is not Match.NONE:
            found |= route.methods
    return ", ".join(sorted(found))


# (status, key, seconds after which to come again) of what the store could not keep; the first that fits.
_NOT_HELD: tuple[tuple[type[StorageFailed], int, str, int], ...] = (
    (StorageFull, 507, "no-room", 60),
    (StorageBusy, 503, "storage-busy", 5),
    (StorageFailed, 503, "storage-failed", 30),
)


def not_held(error: StorageFailed) -> Problem:
    """The answer for what the store could not keep, or not read."""
    status, key, again_s = next((s, k, a) for kind, s, k, a in _NOT_HELD if isinstance(error, kind))
    return Problem(status, key, headers={"Retry-After": str(again_s)}, again=again_s)


class Ours:
    """Catches what nobody else did, outside of every route: logs it with the id of the request and answers with that id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except ClientDisconnect:
            return  # nobody is there to be answered; the line about it says status 0
        except StorageFailed as error:
            if begun:
                raise
            told = not_held(error)
            # The store says itself, once, that its disk is full or held by another: not again at every request.
            if told.key == "storage-failed":
                _log.exception("the store failed")
            await (await answer(Request(scope), told))(scope, receive, sending)
        except Problem as problem:  # one that was raised before any route
            if begun:
                raise
            await (await answer(Request(scope), problem))(scope, receive, sending)
        except Exception:
            if begun:
                raise
            # The route's pattern, never the address: addresses carry plates and one-time links.
            route = getattr(scope.get("route"), "path", "no route")
            request = Request(scope)
            number = request.state.request_id
            _log.exception("error %s at %s %s", number, scope["method"], route)
            await (await answer(request, Problem(500, "ours", number=number)))(scope, receive, sending)
