"""Coming in for programs: a session for a passphrase, accounts made by an administrator's program, links accepted.

A session's token goes into `Authorization: Bearer`. Where the account has one-time codes, the code comes beside the passphrase;
a program of an account that has only passkeys cannot come in this way.
"""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.store.registry import NameTaken
from checkpoint.web import signing
from checkpoint.web.access import ADMINISTRATOR, ANYONE, WITH_ACCOUNT, Rule, caller_of, digest
from checkpoint.web.api import Command, answer, body_of, faulty, too_many
from checkpoint.web.api_answers import AccountAdded, InvitationAccepted, SessionEnded, SessionOpened
from checkpoint.web.house import house_of
from checkpoint.web.invitations import INVITATION_LASTS, Unfitting, accept, invite, link_of
from checkpoint.web.limits import GUESSES
from checkpoint.web.passphrases import Unfit
from checkpoint.web.problems import Problem
from checkpoint.web.visitor import visitor_of
from checkpoint.wish import Fault, Faulty


class SignIn(Command, frozen=True):
    """An account's sign-in name and passphrase, and a one-time or recovery code where it has a second factor."""

    account: str
    passphrase: str
    code: str = ""


class NewAccount(Command, frozen=True):
    """Somebody who shall sign in; `office` is the carrier's name or the laboratory's id, for those two roles."""

    account: str
    name: str
    role: str
    office: str = ""


class Acceptance(Command, frozen=True):
    """The token of a one-time link, and the passphrase chosen. The first administrator chooses names, too."""

    invitation: str
    passphrase: str
    account: str = ""
    name: str = ""


async def open_session(request: Request) -> Response:
    """Open a session for a program."""
    house, visitor = house_of(request), visitor_of(request)
    asked = await body_of(request, SignIn)

    def work() -> signing.Admitted:
        done = signing.by_passphrase(house, asked.account, asked.passphrase, visitor)
        if isinstance(done, signing.CodeWanted):
            if not asked.code:
                raise Problem(401, "code-wanted")
            done = signing.by_code(house, done.ticket, asked.code, visitor)
        if done.limited:
            house.store.registry.close_session(digest(done.token))
            raise Problem(403, "factor-wanted")
        return done

    try:
        admitted = await run_in_threadpool(work)
    except signing.Refused as refused:
        if refused.key == "too-many":
            raise too_many(request, refused.wait) from None
        raise Problem(401, "wrong-code" if refused.key == "wrong-code" else "wrong-passphrase") from None
    return answer(SessionOpened(token=admitted.token))


async def end_session(request: Request) -> Response:
    """End the session that the request came with."""
    await run_in_threadpool(house_of(request).store.registry.close_session, caller_of(request).session)
    return answer(SessionEnded())


async def add_account(request: Request) -> Response:
    """An account for somebody, and the one-time link with which they choose their passphrase."""
    house, caller, asked = house_of(request), caller_of(request), await body_of(request, NewAccount)
    address = visitor_of(request).address
    work = partial(
        invite, house, name=asked.account, display=asked.name, role=asked.role, office=asked.office, by=caller.by, address=address
    )
    try:
        account, token = await run_in_threadpool(work)
    except Unfitting as unfit:
        raise _unfitting(request, unfit) from None
    except NameTaken:
        raise Problem(409, "name-taken") from None
    link = link_of(house.public_url, token)
    return answer(AccountAdded(id=account.id, invitation=token, link=link, expires=house.now() + INVITATION_LASTS))


async def accept_invitation(request: Request) -> Response:
    """Choose the passphrase of an account with its one-time link."""
    house, asked = house_of(request), await body_of(request, Acceptance)
    address = visitor_of(request).address
    work = partial(accept, house, asked.invitation, asked.passphrase, address, name=asked.account, display=asked.name)
    try:
        account = await run_in_threadpool(work)
    except Unfitting as unfit:
        raise _unfitting(request, unfit) from None
    except Unfit as unfit:
        raise faulty(request, Faulty([Fault("$.passphrase", unfit.key, number=unfit.number)])) from None
    except NameTaken:
        raise Problem(409, "name-taken") from None
    if account is None:
        raise Problem(410, "link-used")
    return answer(InvitationAccepted(id=account))


def _unfitting(request: Request, unfit: Unfitting) -> Problem:
    field = {"name": "account", "display": "name"}.get(unfit.field, unfit.field)
    return faulty(request, Faulty([Fault(f"$.{field}", unfit.key, number=unfit.number)]))


ROUTES = (
    Rule("/api/v1/session", ("POST",), open_session, (ANYONE,), body_bytes=4 * 1024, rate=GUESSES),
    Rule("/api/v1/session", ("DELETE",), end_session, WITH_ACCOUNT, limited=True),
    Rule("/api/v1/accounts", ("POST",), add_account, (ADMINISTRATOR,), step_up=True),
    Rule("/api/v1/invitations", ("POST",), accept_invitation, (ANYONE,), body_bytes=4 * 1024, rate=GUESSES),
)
