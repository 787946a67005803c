"""People with accounts, for tests: one passphrase for all, hashed once."""

from __future__ import annotations

from functools import cache

from checkpoint.store import Store
from checkpoint.store.registry import Account
from checkpoint.web import passphrases
from checkpoint.web.access import CARRIER, LABORATORY

PASSPHRASE = "green lamps over water"


@cache
def _hashed() -> str:
    return passphrases.hashed(PASSPHRASE)


def account(store: Store, role: str, name: str = "", display: str = "周敏", office: str = "") -> Account:
    """An account with `PASSPHRASE`; its sign-in name is its role's, unless another is given."""
    office = office or (role if role in (CARRIER, LABORATORY) else "")
    made = store.registry.add_account(name or role, display, role, office)
    store.registry.set_passphrase(made.id, _hashed(), stands_alone=True)
    found = store.registry.account(made.id)
    assert found is not None
    return found
