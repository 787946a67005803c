"""How somebody comes in, whichever page or program asks: by passphrase, and a code where the account has one; by passkey.

The law of this file: who is not let in hears one thing, after the same time, whatever was wrong; every try is written down.
What is decided here is told as a value or a `Refused`; pages and the API put it into words. Everything here blocks: call it in
a thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from checkpoint.web import factors, passkeys, passphrases
from checkpoint.web.access import (
    ADMINISTRATOR,
    CARRIER,
    COORDINATOR,
    LABORATORY,
    LASTING,
    Caller,
    digest,
    open_session,
)
from checkpoint.web.throttle import Count, at_the_code, at_the_door
from checkpoint.web.visitor import Visitor
from checkpoint.wish import one_form

if TYPE_CHECKING:
    from checkpoint.store.registry import Account, Factor
    from checkpoint.web.house import House

ANSWER_WITHIN = timedelta(minutes=5)
# Who must have a second factor, where the installation says so.
GUARDED = (ADMINISTRATOR, COORDINATOR)
OF_AN_OFFICE = (CARRIER, LABORATORY)
_BROWSER_MARK_CHARS, _BROWSER_MARKS = 20, 8


class Refused(Exception):
    """Not let in: `wrong`, `too-many` (then `wait` says how long), `late` (begin again), or `factor-wanted`."""

    def __init__(self, key: str, wait: timedelta = timedelta()) -> None:
        super().__init__(key)
        self.key, self.wait = key, wait


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """Let in: the session's token, what the browser keeps to be known again, and whose session it is."""

    token: str
    known: str
    role: str
    limited: bool


@dataclass(frozen=True, kw_only=True)
class CodeWanted:
    """The passphrase was right, and the account has more than that: the ticket comes back with a code, or with a passkey."""

    ticket: str
    kinds: frozenset[str]


def normal_name(text: str) -> str:
    """A sign-in name as it is compared: composed, without case."""
    return one_form(passphrases.normal(text)).casefold()


# -- coming in --------------------------------------------------------------------------------------------------------


def by_passphrase(house: House, name: str, passphrase: str, visitor: Visitor) -> Admitted | CodeWanted:
    """The first step. Raises `Refused`."""
    registry, name = house.store.registry, normal_name(name)[:200]
    account = registry.account_named(name)
    counts = at_the_door(name, visitor.address, _browser(house, account, visitor))
    _wait(house, counts)
    right = passphrases.fits(passphrase, account.passphrase if account is not None else "")
    if account is None or not right or account.disabled_at is not None:
        house.guessing.failed(counts)
        registry.audit("sign-in-failed", account=account.id if account is not None else "", address=visitor.address)
        raise Refused("wrong")
    house.guessing.succeeded(counts)
    if passphrases.outdated(account.passphrase):
        anew = passphrases.hashed(passphrase)
        registry.rehash(account.id, account.passphrase, anew)
        account = msgspec.structs.replace(account, passphrase=anew)
    kinds = frozenset(factor.kind for factor in registry.factors(account.id))
    if kinds:
        ticket = secrets.token_urlsafe(32)
        registry.put_challenge(digest(ticket), "code", account.id, "", house.now() + house.lasting(ANSWER_WITHIN))
        return CodeWanted(ticket=ticket, kinds=kinds)
    return _admit(house, account, factors.BY_PASSPHRASE, kinds, visitor, "passphrase")


def by_code(house: House, ticket: str, code: str, visitor: Visitor) -> Admitted:
    """The second step: a one-time code, or a recovery code in its place. Raises `Refused`."""
    registry = house.store.registry
    asked = registry.challenge(digest(ticket), "code")
    account = registry.account(asked.account) if asked is not None else None
    if account is None or account.disabled_at is not None:
        raise Refused("late")
    strength = check_code(house, account, code, visitor)
    if registry.take_challenge(digest(ticket), "code") is None:
        raise Refused("late")  # another has come in by this ticket meanwhile
    held = registry.factors(account.id)
    way = "recovery" if strength == factors.BY_RECOVERY else "code"
    return _admit(house, account, strength, {factor.kind for factor in held}, visitor, way)


def check_code(house: House, account: Account, code: str, visitor: Visitor) -> int:
    """How strong a proof this code is, used up. Raises `Refused`."""
    registry, counts = house.store.registry, at_the_code(account.id, _browser(house, account, visitor))
    _wait(house, counts)
    if factors.code_fits(registry, registry.factors(account.id), code, house.wall()):
        strength = factors.BY_CODE
    elif registry.use_recovery_code(account.id, factors.recovery_hash(code)):
        strength = factors.BY_RECOVERY
        left = registry.recovery_codes_left(account.id)
        registry.audit("recovery-code-used", account=account.id, actor=account.id, address=visitor.address, detail=str(left))
    else:
        house.guessing.failed(counts)
        registry.audit("code-failed", account=account.id, address=visitor.address)
        raise Refused("wrong-code")
    house.guessing.succeeded(counts)
    return strength


def ask_passkey(house: House, account: str = "") -> dict[str, Any]:
    """The question for a passkey of this account, or of whoever it may be, with the token that comes back beside the answer."""
    registry = house.store.registry
    held = [each for each in registry.factors(account) if each.kind == factors.PASSKEY] if account else None
    options, state = passkeys.ask_proof(house.public_url, held)
    token = secrets.token_urlsafe(32)
    registry.put_challenge(digest(token), "passkey", account, state, house.now() + house.lasting(ANSWER_WITHIN))
    return {"token": token, "publicKey": options}


def by_passkey(house: House, token: str, answer: Mapping[str, Any], visitor: Visitor) -> Admitted:
    """A passkey alone is enough: the device asked for a second proof itself. Raises `Refused`."""
    registry = house.store.registry
    factor = check_passkey(house, token, answer, "", visitor.address)
    account = registry.account(factor.account)
    if account is None or account.disabled_at is not None:
        registry.audit("passkey-failed", account=factor.account, address=visitor.address, detail="disabled")
        raise Refused("wrong-passkey")
    return _admit(house, account, factors.BY_PASSKEY, {factors.PASSKEY}, visitor, "passkey")


def check_passkey(house: House, token: str, answer: Mapping[str, Any], account: str, address: str) -> Factor:
    """The passkey that signed the question of this token. Raises `Refused`."""
    registry = house.store.registry
    asked = registry.take_challenge(digest(token), "passkey")
    if asked is None or asked.account != account:
        raise Refused("late")
    try:
        factor = passkeys.proved(registry, house.public_url, asked.state, dict(answer))
        if account and factor.account != account:
            raise passkeys.NotTaken("it is another account's")
    except passkeys.NotTaken:
        registry.audit("passkey-failed", account=account, address=address)
        raise Refused("wrong-passkey") from None
    return factor


def _admit(house: House, account: Account, strength: int, kinds: Collection[str], visitor: Visitor, way: str) -> Admitted:
    """Open the session: proved when the proof was the strongest that the account can give."""
    registry, limited = house.store.registry, owes_a_proof(house, account, kinds)
    token = open_session(
        house,
        role=account.role,
        who=account.office if account.role in OF_AN_OFFICE else account.id,
        name=account.display,
        lasting=LASTING[account.role],
        account=account.id,
        proved=strength >= factors.strongest(kinds),
        limited=limited,
        device=visitor.device,
    )
    # Disabling and resetting end the sessions there are: one that was opened while they did so is ended here.
    now = registry.account(account.id)
    if now is None or now.disabled_at is not None or now.passphrase != account.passphrase:
        registry.close_session(digest(token))
        registry.audit("sign-in-failed", account=account.id, address=visitor.address)
        raise Refused("wrong")
    registry.audit("sign-in", account=account.id, actor=account.id, address=visitor.address, detail=way)
    return Admitted(token=token, known=_known(house, account, visitor), role=account.role, limited=limited)


def owes_a_proof(house: House, account: Account, kinds: Collection[str]) -> bool:
    """Whether an account with these factors has less than this installation asks for, and must mend that before anything else:
    a second factor where one is required, else a passphrase that may stand alone."""
    return not kinds and ((house.second_factor and account.role in GUARDED) or not account.stands_alone)


def _wait(house: House, counts: tuple[Count, ...]) -> None:
    wait = house.guessing.wait(counts)
    if wait > timedelta():
        raise Refused("too-many", wait)


# -- browsers that were here before -----------------------------------------------------------------------------------


def _browser(house: House, account: Account | None, visitor: Visitor) -> str:
    """The browser's own number, when it shows that it has signed in to this account before; else nothing."""
    number, *marks = visitor.known.split(".")
    if account is None or not 16 <= len(number) <= 64:
        return ""
    mark = house.store.registry.known_browser(account.id, number)[:_BROWSER_MARK_CHARS]
    return number if any(secrets.compare_digest(mark, each) for each in marks if each.isascii()) else ""


def _known(house: House, account: Account, visitor: Visitor) -> str:
    """What a browser keeps so that others' guesses do not make its people wait; several people may share it."""
    number, *marks = visitor.known.split(".")
    if not 16 <= len(number) <= 64 or not number.isalnum():
        number, marks = secrets.token_hex(12), []
    mark = house.store.registry.known_browser(account.id, number)[:_BROWSER_MARK_CHARS]
    kept = [each for each in marks if each != mark and len(each) == _BROWSER_MARK_CHARS and each.isalnum()]
    return ".".join([number, mark, *kept[: _BROWSER_MARKS - 1]])


# -- proving it again -------------------------------------------------------------------------------------------------


def confirm_with(house: House, caller: Caller) -> tuple[Account, frozenset[str]]:
    """Whose session it is, and which factors they can show. Raises `Refused` for a session of no account."""
    account = house.store.registry.account(caller.account) if caller.account else None
    if account is None or account.disabled_at is not None:
        raise Refused("late")
    return account, frozenset(factor.kind for factor in house.store.registry.factors(account.id))


def confirm(house: House, caller: Caller, visitor: Visitor, *, passphrase: str = "", code: str = "") -> str:
    """Prove again who holds a session, with the strongest proof that needs no passkey: the session's new token.

    An account with a passkey confirms with that, or with a recovery code. Raises `Refused`.
    """
    account, kinds = confirm_with(house, caller)
    if kinds:
        strength = check_code(house, account, code, visitor)
        if strength < factors.strongest(kinds):
            raise Refused("stronger-wanted")
    else:
        counts = at_the_door(account.name, visitor.address, _browser(house, account, visitor))
        _wait(house, counts)
        if not passphrases.fits(passphrase, account.passphrase):
            house.guessing.failed(counts)
            house.store.registry.audit("confirm-failed", account=account.id, actor=account.id, address=visitor.address)
            raise Refused("wrong-passphrase")
        house.guessing.succeeded(counts)
    return _renewed(house, caller, account, visitor)


def confirm_by_passkey(house: House, caller: Caller, visitor: Visitor, token: str, answer: Mapping[str, Any]) -> str:
    """Prove again who holds a session with a passkey of its account: the session's new token. Raises `Refused`."""
    account, _ = confirm_with(house, caller)
    check_passkey(house, token, answer, account.id, visitor.address)
    return _renewed(house, caller, account, visitor)


def _renewed(house: House, caller: Caller, account: Account, visitor: Visitor) -> str:
    token = renew(house, caller, proved=house.now(), limited=caller.limited)
    house.store.registry.audit("confirmed", account=account.id, actor=account.id, address=visitor.address)
    return token


def renew(house: House, caller: Caller, *, proved: datetime | None, limited: bool) -> str:
    """Another token for a session; the old one opens nothing more. Raises `Refused` when it has ended meanwhile."""
    token = secrets.token_urlsafe(32)
    if not house.store.registry.renew_session(caller.session, digest(token), proved=proved, limited=limited):
        raise Refused("late")
    return token
