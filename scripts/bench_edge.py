"""What the edge adds to a request: its id and line, headers, host, counts and bounds, around an endpoint that does nothing.

The floor is that endpoint alone, called as uvicorn calls it. Nothing is sent over a socket: a scan as a whole is measured by
`bench_server.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkpoint.headers import Headers
from checkpoint.logs import Logged
from checkpoint.web.edge import Called
from checkpoint.web.limits import STATIONS, Limits
from checkpoint.web.meters import Meters
from checkpoint.web.problems import Ours

REQUESTS, ROUNDS = 20_000, 5
ROUTE, CALLER = SimpleNamespace(path="/api/v1/facts"), SimpleNamespace(role="kiosk")


async def floor(scope: Scope, receive: Receive, send: Send) -> None:
    """An endpoint that does nothing."""
    scope["route"], scope["state"]["caller"] = ROUTE, CALLER
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


def bounded(app: ASGIApp) -> ASGIApp:
    """With a bucket and a place, as the gate asks for them."""
    limits = Limits(1_000_000)

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        limits.spend(STATIONS, "kiosk a b")
        async with limits.place():
            await app(scope, receive, send)

    return asked


async def heard(message: Message) -> None:
    """Where answers go."""


async def silent() -> Message:
    """Where requests come from."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def microseconds(app: ASGIApp) -> float:
    """How long a request takes."""
    begun = time.perf_counter()
    for _ in range(REQUESTS):
        scope = {
            "type": "http", "method": "POST", "path": "/api/v1/facts", "client": ("203.0.113.9", 1), "server": ("10.0.0.2", 8000),
            "headers": [(b"host", b"loop.example"), (b"authorization", b"Bearer x")], "state": {},
        }  # fmt: skip
        await app(scope, silent, heard)
    return (time.perf_counter() - begun) / REQUESTS * 1e6


def main() -> None:
    """Measure, the rounds turn by turn, and tell the best of each."""
    logging.basicConfig(level=logging.WARNING)
    whole = Logged(Headers(Ours(Called(bounded(floor), frozenset({"loop.example"}))), secure=True), seen=Meters().answered)
    found: dict[str, list[float]] = {"floor": [], "edge": []}
    for _ in range(ROUNDS):
        found["floor"].append(asyncio.run(microseconds(floor)))
        found["edge"].append(asyncio.run(microseconds(whole)))
    least, most = min(found["floor"]), min(found["edge"])
    print(f"edge: {most:.1f} us a request, of which {least:.1f} us are the floor; it adds {most - least:.1f} us")


if __name__ == "__main__":
    main()
