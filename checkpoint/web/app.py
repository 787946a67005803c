"""The server as an ASGI application: the route table behind its gate, and what every answer carries."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from checkpoint.chores import Chores
from checkpoint.config import Now, utc_now
from checkpoint.gateway import Tally
from checkpoint.granting import PassOffice
from checkpoint.headers import Headers, insists
from checkpoint.intake import Intake
from checkpoint.logs import Logged
from checkpoint.messages.targets import Targets
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.watch import Watch
from checkpoint.web.access import guarded
from checkpoint.web.edge import Called, Edge
from checkpoint.web.feed import Feed
from checkpoint.web.house import House
from checkpoint.web.hub import Hub
from checkpoint.web.meters import Meters
from checkpoint.web.problems import Ours, Problem, on_http, on_problem
from checkpoint.web.regions import Answers
from checkpoint.web.routes import TABLE
from checkpoint.web.throttle import Guessing, Throttle


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
    second_factor: bool = False,
    targets: Targets | None = None,
    terminals: Tally | None = None,
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
        limits=edge.limits,
        meters=(meters := Meters()),
        metrics_token=edge.metrics_token,
        unknown_proxy=public_url.startswith("https://") and not edge.tls and not edge.proxies,
        guessing=Guessing(store.registry, now),
        second_factor=second_factor,
        targets=targets or Targets(),
        terminals=terminals,
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
            Middleware(Logged, proxies=edge.proxies, seen=meters.answered),
            Middleware(Headers, secure=insists(house.public_url)),
            Middleware(Ours),
            Middleware(Called, hosts=edge.hosts),
        ],
        exception_handlers={Problem: on_problem, HTTPException: on_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.house = house
    app.state.answers = Answers()
    return app
