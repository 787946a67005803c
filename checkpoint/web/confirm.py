"""Who is there? The page that asks for a fresh proof before something that does harm in wrong hands."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.ui import texts
from checkpoint.web import access, factors, passkeys, passphrases, signing
from checkpoint.web.access import HOME, WITH_ACCOUNT, Rule, caller_of
from checkpoint.web.api import answer, body_of
from checkpoint.web.house import house_of
from checkpoint.web.limits import GUESSES
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.sign_in import (
    ANSWER_BYTES,
    PasskeyAnswer,
    own_path,
    passkey_problem,
    refused_status,
    refused_words,
    visitor,
)
from checkpoint.web.signing import Refused


def _page(request: Request, next_: str, mistake: str = "", status: int = 200) -> Response:
    house, caller = house_of(request), caller_of(request)
    try:
        account, kinds = signing.confirm_with(house, caller)
    except Refused:
        raise Problem(403, "no-account") from None
    possible = passkeys.possible(house.public_url)
    return render(
        request,
        "confirm.html",
        status=status,
        name=account.name,
        kinds=kinds,
        passkeys=possible and factors.PASSKEY in kinds,
        next=own_path(next_) or HOME[caller.role],
        mistake=mistake,
    )


async def page(request: Request) -> Response:
    """What is asked for, and a way back."""
    return await run_in_threadpool(_page, request, request.query_params.get("next", ""))


async def confirm(request: Request) -> Response:
    """Take a passphrase, or a code where the account has more."""
    form = await request.form()
    passphrase, code, next_ = (str(form.get(key, ""))[: passphrases.MOST_TYPED] for key in ("passphrase", "code", "next"))

    def work() -> Response:
        house, caller = house_of(request), caller_of(request)
        try:
            token = signing.confirm(house, caller, visitor(request), passphrase=passphrase, code=code)
        except Refused as refused:
            words = refused_words(refused, texts(language_of(request)))
            return _page(request, next_, words, refused_status(refused))
        return _back(request, RedirectResponse(own_path(next_) or HOME[caller.role], 303), token)

    return await run_in_threadpool(work)


async def ask_passkey(request: Request) -> Response:
    """The question that a passkey of this account signs."""
    house, caller = house_of(request), caller_of(request)
    if not caller.account:
        raise Problem(403, "no-account")
    if not passkeys.possible(house.public_url):
        raise Problem(409, "no-passkeys")
    return answer(await run_in_threadpool(signing.ask_passkey, house, caller.account))


async def passkey(request: Request) -> Response:
    """Take a device's answer."""
    house, caller, asked = house_of(request), caller_of(request), await body_of(request, PasskeyAnswer)
    work = partial(signing.confirm_by_passkey, house, caller, visitor(request), asked.token, asked.credential)
    try:
        token = await run_in_threadpool(work)
    except Refused as refused:
        raise passkey_problem(request, refused) from None
    there = own_path(asked.next) or HOME[caller.role]
    return _back(request, Response(msgspec.json.encode({"next": there}), media_type="application/json"), token)


def _back(request: Request, response: Response, token: str) -> Response:
    house, caller = house_of(request), caller_of(request)
    access.set_cookie(response, house, caller.role, token, access.LASTING[caller.role])
    return response


ROUTES = (
    Rule("/confirm", ("GET",), page, WITH_ACCOUNT, limited=True),
    Rule("/confirm", ("POST",), confirm, WITH_ACCOUNT, limited=True, rate=GUESSES, body_bytes=16 * 1024),
    Rule("/confirm/passkey/ask", ("POST",), ask_passkey, WITH_ACCOUNT, limited=True, body_bytes=1024),
    Rule("/confirm/passkey", ("POST",), passkey, WITH_ACCOUNT, limited=True, body_bytes=ANSWER_BYTES),
)
