"""The limits as a request meets them: whose bucket it is, and what whoever asks too much is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.requests import Request

from checkpoint.ui import clock, texts
from checkpoint.web.house import house_of
from checkpoint.web.limits import Full, Limits, Rate, TooMany, bucket_of, is_local, retry_after
from checkpoint.web.page import language_of
from checkpoint.web.problems import Problem

if TYPE_CHECKING:
    from checkpoint.web.access import Caller

# A program on this machine sends none of these; a proxy that we were not told of sends one.
_FORWARDED = ("x-forwarded-for", "forwarded", "via")
COME_BACK_S = 2


def direct(request: Request) -> bool:
    """Whether a program on this very machine asks, and no proxy in somebody's name: over the loopback, or at one of the
    machine's addresses from the same."""
    asks, came_in_at = request.client, request.scope.get("server") or ("",)
    if house_of(request).unknown_proxy:
        return False
    here = asks is not None and (is_local(asks.host) or asks.host == came_in_at[0])
    return here and not any(name in request.headers for name in _FORWARDED)


def who(request: Request, caller: Caller | None) -> str:
    """Whose bucket a request is taken from."""
    if caller is not None and caller.who:
        return f"{caller.role} {caller.who} {caller.by}"
    return bucket_of(request.client.host if request.client else "")


def spend(request: Request, limits: Limits, rate: Rate, caller: Caller | None) -> None:
    """Count a request. Raises `Problem` 429, with when to come again."""
    if direct(request):
        return
    try:
        limits.spend(rate, who(request, caller))
    except TooMany as error:
        wait = clock.span(timedelta(seconds=max(1, error.wait_s)), texts(language_of(request)))
        raise Problem(429, "too-many", wait=wait, headers={"Retry-After": retry_after(error.wait_s)}) from None


async def whole(request: Request) -> None:
    """Read the body before the request takes a place: as long as it is on its way it holds up nobody else."""
    if "content-length" in request.headers or "transfer-encoding" in request.headers:
        await request.body()


@asynccontextmanager
async def place(limits: Limits, *, vital: bool) -> AsyncIterator[None]:
    """A place to be worked on; what is vital needs none. Raises `Problem` 503."""
    if vital:
        yield
        return
    try:
        async with limits.place():
            yield
    except Full:
        raise Problem(503, "crowded", headers={"Retry-After": str(COME_BACK_S)}, again=COME_BACK_S) from None
