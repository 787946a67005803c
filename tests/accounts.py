"""People with accounts, for tests: one passphrase for all, hashed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

from argon2 import PasswordHasher

from checkpoint.store import Store
from checkpoint.store.registry import Account
from checkpoint.web import passphrases
from checkpoint.web.access import CARRIER, LABORATORY

PASSPHRASE = "green lamps over water"


@cache
def _hashed(hasher: PasswordHasher) -> str:
    return hasher.hash(passphrases.normal(PASSPHRASE))


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """Hashes that cost nothing, where a test signs in dozens of times and asks nothing about them."""
    passphrases._nobodys.cache_clear()
    with patch.object(passphrases, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)):
        yield
    passphrases._nobodys.cache_clear()


def account(store: Store, role: str, name: str = "", display: str = "周敏", office: str = "") -> Account:
    """An account with `PASSPHRASE`; its sign-in name is its role's, unless another is given."""
    office = office or (role if role in (CARRIER, LABORATORY) else "")
    made = store.registry.add_account(name or role, display, role, office)
    store.registry.set_passphrase(made.id, _hashed(passphrases._HASHER), stands_alone=True)
    found = store.registry.account(made.id)
    assert found is not None
    return found
