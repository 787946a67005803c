"""The server as an ASGI application: the route table behind its gate, and what every answer carries."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from checkpoint.chores import Chores
from checkpoint.config import Now, utc_now
from checkpoint.granting import PassOffice
from checkpoint.intake import Intake
from checkpoint.logs import Logged
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.watch import Watch
from checkpoint.web.access import guarded
from checkpoint.web.edge import Edge
from checkpoint.web.feed import Feed
from checkpoint.web.house import House
from checkpoint.web.hub import Hub
from checkpoint.web.problems import Ours, Problem, on_http, on_problem
from checkpoint.web.routes import TABLE
from checkpoint.web.throttle import Throttle

# MapLibre draws pictures from blobs and starts its worker from our own address; nothing is ever asked of another origin.
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
        "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "media-src 'self'", "form-action 'self'",
        "frame-ancestors 'none'", "base-uri 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Headers:
    """Puts on every answer what keeps a browser from being turned against its owner."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app = app
        headers = {**HEADERS, "Strict-Transport-Security": "max-age=31536000"} if secure else HEADERS
        # As they go over the wire, once for all answers.
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = message.setdefault("headers", [])
                names = {name for name, _ in there}
                there += [header for header in self.headers if header[0] not in names]
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)


def create_app(
    store: Store,
    now: Now = utc_now,
    *,
    watch: Watch | None = None,
    hub: Hub | None = None,
    chores: Chores | None = None,
    public_url: str = "http://127.0.0.1:8000",
    front_end: Path | None = None,
    edge: Edge | None = None,
) -> Starlette:
    """The server over an open store. Without a `watch` it makes its own, and starts and stops it with the application;
    one that is given belongs to the giver (who had it publish to `hub`). So do `chores`, and nobody else starts them."""
    hub, edge = hub or Hub(), edge or Edge()
    own = watch is None
    watch = watch or Watch(store, now, hub.publish)
    intake = Intake(store, now, watch.noticed)
    house = House(
        store=store,
        intake=intake,
        office=PassOffice(store, now, intake.record),
        watch=watch,
        now=now,
        hub=hub,
        chores=chores or Chores(now, lambda: True, store.registry),
        feed=Feed(store),
        texts=texts,
        throttle=Throttle(now),
        public_url=public_url.rstrip("/"),
        front_end=front_end or Path(sys.prefix, "front-end", "node_modules"),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if own:
            watch.start()
        yield
        hub.close()
        if own:
            watch.stop()

    app = Starlette(
        routes=[guarded(rule) for rule in TABLE],
        middleware=[
            Middleware(Logged, proxies=edge.proxies),
            Middleware(Headers, secure=house.secure),
            Middleware(Ours),
        ],
        exception_handlers={Problem: on_problem, HTTPException: on_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.house = house
    return app
