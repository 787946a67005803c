"""What an account proves itself with, changed: passphrase, one-time codes, passkeys, recovery codes.

The law of this file: nobody is left with less than the installation asks for, and whoever took a session has nothing more
once its owner changed something. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checkpoint.web import factors, passkeys, passphrases
from checkpoint.web.access import Caller, digest
from checkpoint.web.signing import ANSWER_WITHIN, GUARDED, Refused, owes_a_proof, renew

if TYPE_CHECKING:
    from checkpoint.store.registry import Account
    from checkpoint.web.house import House


class NotPossible(ValueError):
    """What was wished would leave too little; `key` is the text that says what to do first."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, kw_only=True)
class NewTotp:
    """A secret on its way into an app: the token of the question, the secret, and the address that the QR code says."""

    token: str
    secret: str
    address: str

    @property
    def spoken(self) -> str:
        """The secret in groups of four, to be typed."""
        return " ".join(self.secret[i : i + 4] for i in range(0, len(self.secret), 4))


def changed(house: House, caller: Caller, account: Account, what: str, detail: str, address: str) -> str:
    """Note a change, end all other sessions, and renew this one: its new token, or nothing for a program's."""
    registry = house.store.registry
    registry.audit(what, account=account.id, actor=caller.account, address=address, detail=detail)
    registry.end_sessions(account.id, but=caller.session)
    if caller.way != "cookie":
        return ""
    now_held = registry.account(account.id) or account
    limited = owes_a_proof(house, now_held, [factor.kind for factor in registry.factors(account.id)])
    try:
        return renew(house, caller, proved=house.now(), limited=limited)
    except Refused:
        return ""


def change_passphrase(house: House, account: Account, passphrase: str) -> None:
    """Put another passphrase in the place of the last. Raises `Unfit`."""
    registry = house.store.registry
    beside = bool(registry.factors(account.id)) or (house.second_factor and account.role in GUARDED)
    passphrases.check(passphrase, (account.name, account.display, account.office), beside_a_factor=beside)
    alone = passphrases.stands_alone(passphrase)
    registry.set_passphrase(account.id, passphrases.hashed(passphrase), stands_alone=alone)


def begin_totp(house: House, account: Account, issuer: str) -> NewTotp:
    """A new secret for an app; it counts once a code of it was shown."""
    token, secret = secrets.token_urlsafe(32), factors.new_secret()
    house.store.registry.put_challenge(digest(token), "totp", account.id, secret, house.now() + house.lasting(2 * ANSWER_WITHIN))
    return NewTotp(token=token, secret=secret, address=factors.address_of(secret, account.name, issuer))


def asked_totp(house: House, account: Account, token: str, issuer: str) -> NewTotp | None:
    """The secret of a question that still waits; None when it took too long."""
    found = house.store.registry.challenge(digest(token), "totp")
    if found is None or found.account != account.id:
        return None
    return NewTotp(token=token, secret=found.state, address=factors.address_of(found.state, account.name, issuer))


def add_totp(house: House, account: Account, asked: NewTotp, code: str, label: str) -> bool:
    """Add the app that shows this code; False when the code does not fit."""
    registry = house.store.registry
    step = factors.step_of(asked.secret, code, house.wall())
    if step is None or registry.take_challenge(digest(asked.token), "totp") is None:
        return False
    return registry.add_factor(account.id, factors.TOTP, label, asked.secret, uses=step) is not None


def ask_new_passkey(house: House, account: Account) -> dict[str, Any]:
    """The question with which a device makes a passkey, with the token that comes back beside the answer."""
    registry = house.store.registry
    held = [each for each in registry.factors(account.id) if each.kind == factors.PASSKEY]
    options, state = passkeys.ask_new(house.public_url, account.id, account.name, account.display, held)
    token = secrets.token_urlsafe(32)
    registry.put_challenge(digest(token), "new-passkey", account.id, state, house.now() + house.lasting(ANSWER_WITHIN))
    return {"token": token, "publicKey": options}


def add_passkey(house: House, account: Account, token: str, answer: Mapping[str, Any], label: str) -> bool:
    """Add the passkey that a device made; False when the answer is not one to our question."""
    registry = house.store.registry
    asked = registry.take_challenge(digest(token), "new-passkey")
    if asked is None or asked.account != account.id:
        return False
    try:
        credential, kept, count = passkeys.made(house.public_url, asked.state, dict(answer))
    except passkeys.NotTaken:
        return False
    added = registry.add_factor(account.id, factors.PASSKEY, label, kept, credential=credential, uses=count)
    return added is not None


def remove_factor(house: House, account: Account, factor: str) -> str:
    """Take a factor away; returns its kind. Raises `NotPossible`."""
    registry = house.store.registry
    held = registry.factors(account.id)
    gone = next((each for each in held if each.id == factor), None)
    if gone is None:
        raise NotPossible("account.no-factor")
    if len(held) == 1 and house.second_factor and account.role in GUARDED:
        raise NotPossible("account.last-factor")
    if len(held) == 1 and not account.stands_alone:
        raise NotPossible("account.short-passphrase")
    registry.remove_factor(account.id, factor)
    return gone.kind


def new_recovery_codes(house: House, account: Account, address: str) -> list[str]:
    """New codes in the place of all before."""
    codes = [factors.recovery_code() for _ in range(factors.RECOVERY_CODES)]
    house.store.registry.set_recovery_codes(account.id, [factors.recovery_hash(code) for code in codes])
    house.store.registry.audit("recovery-codes-made", account=account.id, actor=account.id, address=address)
    return codes
