"""How an account begins: by a one-time link. The first one's is printed when the server starts; administrators make the rest.

The law of this file: a link is shown once, works once and ends by itself; the server keeps its hash. Who holds the link chooses
the passphrase, so that nobody ever knows another's. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from checkpoint.store.registry import Account, NameTaken
from checkpoint.store.registry.shelf import new_id
from checkpoint.web import passphrases
from checkpoint.web.access import ADMINISTRATOR, COORDINATOR, LABORATORY, WITH_ACCOUNT, digest
from checkpoint.web.signing import GUARDED, OF_AN_OFFICE, normal_name
from checkpoint.wish import MAX_NAME_CHARS, one_form

if TYPE_CHECKING:
    from checkpoint.store import Store
    from checkpoint.web.house import House

FIRST_LASTS, INVITATION_LASTS = timedelta(hours=24), timedelta(days=3)
# What CHECKPOINT_FIRST_PASSWORD makes. Carriers have no common account: each sees its own trucks only.
DEMONSTRATION = (ADMINISTRATOR, COORDINATOR, LABORATORY)


class Unfitting(ValueError):
    """A field of an account that cannot be taken: which, the text that says why, and the number in that text."""

    def __init__(self, field: str, key: str, number: int = 0) -> None:
        super().__init__(f"{field}: {key}")
        self.field, self.key, self.number = field, key, number


def link_of(public_url: str, token: str) -> str:
    """The address of a one-time link."""
    return f"{public_url}/join/{token}"


def first_link(store: Store, public_url: str, now: datetime) -> str:
    """A link that makes an administrator, in the place of any before."""
    token = secrets.token_urlsafe(24)
    store.registry.invite(digest(token), "", now + FIRST_LASTS)
    store.registry.audit("first-link")
    return link_of(public_url, token)


def begin(store: Store, first_password: str, public_url: str, now: datetime) -> str:
    """What a start makes where nobody could come in: the accounts of a demonstration, or else a link, which it returns."""
    if store.registry.accounts():
        return ""
    if not first_password:
        return first_link(store, public_url, now)
    passphrase = passphrases.hashed(first_password)
    for role in DEMONSTRATION:
        try:
            account = store.registry.add_account(role, role.capitalize(), role, role if role in OF_AN_OFFICE else "")
        except NameTaken:
            continue  # another process began at the same moment
        store.registry.set_passphrase(account.id, passphrase, stands_alone=True)
        store.registry.audit("account-made", account=account.id, detail="demonstration")
    return ""


def invite(house: House, *, name: str, display: str, role: str, office: str, by: str, address: str) -> tuple[Account, str]:
    """A new account and the token of its link. Raises `Unfitting`, `NameTaken`."""
    name, display, office = normal_name(name), one_form(display), one_form(office)
    if role not in WITH_ACCOUNT:
        raise Unfitting("role", "accounts.fault.role")
    _check_names(name, display)
    if role in OF_AN_OFFICE and not _is_name(office):
        raise Unfitting("office", "accounts.fault.office", MAX_NAME_CHARS)
    registry = house.store.registry
    account = registry.add_account(name, display, role, office if role in OF_AN_OFFICE else "")
    registry.audit("account-made", account=account.id, actor=by, address=address, detail=role)
    return account, new_token(house, account)


def new_token(house: House, account: Account) -> str:
    """The token of a new link for an account; those before open nothing more."""
    token = secrets.token_urlsafe(24)
    house.store.registry.invite(digest(token), account.id, house.now() + INVITATION_LASTS)
    return token


def invited(house: House, token: str) -> Account | None:
    """Whom a link is for; an account still without names for the first administrator. None when it opens nothing (any more)."""
    found = house.store.registry.invitation(digest(token))
    if found == "":
        return Account(id=new_id("acc"), name="", display="", role=ADMINISTRATOR, created_at=house.now())
    account = house.store.registry.account(found) if found is not None else None
    return account if account is not None and account.disabled_at is None else None


def accept(house: House, token: str, passphrase: str, address: str, *, name: str = "", display: str = "") -> str | None:
    """Use a link up; returns the account's id, or None when the link opens nothing (any more).

    The names are wanted of the first administrator only. Raises `Unfitting`, `Unfit`, `NameTaken`; the link stays good then.
    """
    account = invited(house, token)
    if account is None:
        return None
    new = None
    if not account.name:
        name, display = normal_name(name), one_form(display)
        _check_names(name, display)
        new = Account(id=account.id, name=name, display=display, role=account.role, created_at=account.created_at)
    names = (name, display) if new is not None else (account.name, account.display, account.office)
    passphrases.check(passphrase, names, beside_a_factor=beside_a_factor(house, account.role))
    alone = passphrases.stands_alone(passphrase)
    done = house.store.registry.accept(digest(token), passphrases.hashed(passphrase), stands_alone=alone, new=new)
    if done is not None:
        registry = house.store.registry
        if new is not None:
            registry.audit("account-made", account=done, actor=done, address=address, detail=ADMINISTRATOR)
        registry.audit("invitation-used", account=done, actor=done, address=address)
    return done


def beside_a_factor(house: House, role: str) -> bool:
    """Whether an account of this role always has a second factor here, so that its passphrase need not stand alone."""
    return house.second_factor and role in GUARDED


def _check_names(name: str, display: str) -> None:
    if not _is_name(name) or " " in name:
        raise Unfitting("name", "accounts.fault.name", MAX_NAME_CHARS)
    if not _is_name(display):
        raise Unfitting("display", "accounts.fault.display", MAX_NAME_CHARS)


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= MAX_NAME_CHARS and text.isprintable()
