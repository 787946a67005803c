"""A server whose door is tried: an account of each role, a clock that a test moves, browsers that come and go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pyotp
from httpx import Response
from starlette.testclient import TestClient

from checkpoint.store import Store
from checkpoint.store.registry import Account, Audited
from checkpoint.watch import Watch
from checkpoint.web.access import WITH_ACCOUNT
from checkpoint.web.app import create_app
from checkpoint.web.factors import TOTP, recovery_hash
from checkpoint.web.house import House
from tests.accounts import PASSPHRASE, account, cheap_hashes
from tests.fleet import StillWatch
from tests.ground import Still

HOST = "https://loop.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


class Door:
    """The server, and who stands before it."""

    def __init__(self, store: Store, clock: Still, second_factor: bool) -> None:
        self.store, self.clock = store, clock
        watch = cast("Watch", StillWatch({}))
        self.app = create_app(store, clock, watch=watch, public_url=HOST, second_factor=second_factor)
        self.house: House = self.app.state.house
        self.accounts = {role: account(store, role) for role in WITH_ACCOUNT}

    def browser(self, address: str = "203.0.113.7", lang: str = "en") -> TestClient:
        """A browser somewhere, without cookies."""
        headers = {"accept": "text/html", "user-agent": FIREFOX}
        client = TestClient(self.app, base_url=HOST, headers=headers, follow_redirects=False, client=(address, 50000))
        client.cookies.set("lang", lang)
        return client

    def signed_in(self, role: str, **where: str) -> TestClient:
        """A browser in which the account of a role has signed in by its passphrase."""
        client = self.browser(**where)
        assert tries(client, role).status_code == 303
        return client

    def add_totp(self, who: Account) -> pyotp.TOTP:
        """An app for an account, as it would have been added before."""
        secret = pyotp.random_base32()
        self.store.registry.add_factor(who.id, TOTP, "phone", secret)
        return pyotp.TOTP(secret)

    def add_recovery_code(self, who: Account, code: str) -> None:
        """One recovery code."""
        self.store.registry.set_recovery_codes(who.id, [recovery_hash(code)])

    def done(self) -> list[str]:
        """What was written down, the newest first."""
        return [row.what for row in self.rows()]

    def rows(self) -> list[Audited]:
        """What was written down, whole."""
        return self.store.registry.audited(1000)


def tries(client: TestClient, name: str, passphrase: str = PASSPHRASE, **more: str) -> Response:
    """Type a name and a passphrase."""
    return cast("Response", client.post("/sign-in", data={"name": name, "passphrase": passphrase, **more}))


def ticket_of(answer: Response) -> str:
    """The ticket on the page that asks for a code."""
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found is not None, answer.text
    return found[1]


def shows(client: TestClient, ticket: str, code: str) -> Response:
    """Type the code that was asked for."""
    return cast("Response", client.post("/sign-in/code", data={"ticket": ticket, "code": code, "kinds": "totp"}))


@contextmanager
def door(folder: Path, *, second_factor: bool = False) -> Iterator[Door]:
    """A server with an account of each role."""
    clock = Still()
    store = Store.open(folder / "checkpoint.db", clock)
    try:
        with cheap_hashes():
            yield Door(store, clock, second_factor)
    finally:
        store.close()
