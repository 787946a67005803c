"""A server for the tests of its pages: a store with a fleet's facts, a watch that stands still, a clock that does too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.testclient import TestClient

from checkpoint.messages.targets import Targets
from checkpoint.store import Store
from checkpoint.watch import Watch
from checkpoint.web import access
from checkpoint.web.app import create_app
from checkpoint.web.edge import Edge
from checkpoint.web.house import House
from checkpoint.web.limits import Limits
from tests.accounts import account
from tests.fleet import NOW, Fleet, StillWatch, fleet

BASE = "http://testserver"
HTML = {"accept": "text/html"}


class Desk:
    """A server and the people at it."""

    def __init__(self, app: Starlette, store: Store, told: Fleet) -> None:
        self.app, self.store, self.told = app, store, told
        self.house: House = app.state.house

    def nobody(self) -> TestClient:
        """A browser that has not signed in."""
        return TestClient(self.app, base_url=BASE, headers=HTML, follow_redirects=False)

    def session(self, role: str, display: str = "周敏") -> str:
        """The token of a session of an account of a role: the one whose sign-in name is the role's."""
        known = self.store.registry.account_named(role) or account(self.store, role, display=display)
        who = known.office or known.id
        return access.open_session(self.house, role=role, who=who, name=known.display, account=known.id)

    def signed_in(self, role: str, who: str = "", name: str = "周敏", lang: str = "en") -> TestClient:
        """A browser with a session of a role, as its cookie says."""
        token = access.open_session(self.house, role=role, who=who or role, name=name)
        client = self.nobody()
        client.cookies.set(access.cookie_name(self.house, role), token)
        client.cookies.set("lang", lang)
        return client


def found_at(host: str, port: int) -> tuple[str, ...]:
    """Where names lead, for tests: the one of the examples to a public address, all others nowhere."""
    return ("93.184.215.14",) if host == "hooks.example.com" else ()


@contextmanager
def desk(
    folder: Path,
    *,
    told: Fleet | None = None,
    public_url: str = BASE,
    front_end: Path | None = None,
    hosts: frozenset[str] | None = None,
    limits: Limits | None = None,
    metrics_token: str = "",
    targets: Targets | None = None,
) -> Iterator[Desk]:
    """A server with a fleet on its road (none: an empty one is `Fleet({}, ())`)."""

    def now() -> datetime:
        return NOW

    told = told if told is not None else fleet()
    store = Store.open(folder / "checkpoint.db", now)
    try:
        for fact in told.facts:
            store.record(fact)
        watch = cast("Watch", StillWatch(told.looks))
        edge = Edge(hosts=hosts, limits=limits or Limits(0), metrics_token=metrics_token)
        app = create_app(
            store,
            now,
            watch=watch,
            public_url=public_url,
            front_end=front_end,
            edge=edge,
            targets=targets or Targets(resolve=found_at),
        )
        yield Desk(app, store, told)
    finally:
        store.close()
