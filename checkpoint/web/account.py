"""One's own account: its passphrase, its second factors and recovery codes, and where one is signed in.

The law of this file: whatever changes how one comes in asks first who is there (`step_up`), ends all other sessions, and gives
this one another token. Secrets are shown once, on the page that made them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.store.registry import Account
from checkpoint.ui import texts
from checkpoint.web import access, credentials, passkeys, passphrases, signing
from checkpoint.web.access import WITH_ACCOUNT, Rule, caller_of
from checkpoint.web.api import Command, answer, body_of
from checkpoint.web.credentials import NotPossible
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.passphrases import Unfit
from checkpoint.web.problems import Problem
from checkpoint.web.sign_in import ANSWER_BYTES, visitor
from checkpoint.wish import MAX_NAME_CHARS, one_form

SESSION_CHARS = 16  # as much of a session's hash as tells it from one's others


class NewPasskey(Command, frozen=True):
    """What a browser says for a device that made a passkey: the question's token, the device's answer, a name to know it by."""

    token: str
    credential: dict[str, Any]
    label: str = ""
    next: str = ""


def _account(request: Request) -> Account:
    caller = caller_of(request)
    account = house_of(request).store.registry.account(caller.account) if caller.account else None
    if account is None:
        raise Problem(403, "no-account")
    return account


def _page(request: Request, *, mistakes: dict[str, str] | None = None, note: str = "", status: int = 200) -> Response:
    house, caller, account = house_of(request), caller_of(request), _account(request)
    registry, t = house.store.registry, texts(language_of(request))
    held = registry.factors(account.id)
    beside = bool(held) or (house.second_factor and account.role in signing.GUARDED)
    note = note or next((key for key in ("changed", "added", "removed", "ended") if key in request.query_params), "")
    return render(
        request,
        "account.html",
        status=status,
        account=account,
        factors=held,
        codes_left=registry.recovery_codes_left(account.id),
        sessions=registry.sessions_of(account.id),
        own=caller.session,
        session_chars=SESSION_CHARS,
        least=passphrases.BESIDE_CHARS if beside else passphrases.ALONE_CHARS,
        passkeys=passkeys.possible(house.public_url),
        required=house.second_factor and account.role in signing.GUARDED,
        mistakes=mistakes or {},
        note=t(f"account.{note}") if note else "",
    )


async def page(request: Request) -> Response:
    """One's account."""
    return await run_in_threadpool(_page, request)


def _changed(request: Request, account: Account, what: str, detail: str = "", note: str = "changed") -> Response:
    """After a change of how one comes in: all other sessions end, this one goes on under another token."""
    house, caller = house_of(request), caller_of(request)
    token = credentials.changed(house, caller, account, what, detail, visitor(request).address)
    response = RedirectResponse(f"/account?{note}", 303)
    if token:
        access.set_cookie(response, house, caller.role, token, access.LASTING[caller.role])
    return response


async def change_passphrase(request: Request) -> Response:
    """Another passphrase in the place of the last."""
    form = await request.form()
    given = str(form.get("passphrase", ""))[: passphrases.MOST_TYPED]

    def work() -> Response:
        house, account = house_of(request), _account(request)
        try:
            credentials.change_passphrase(house, account, given)
        except Unfit as unfit:
            t = texts(language_of(request))
            return _page(request, mistakes={"passphrase": t(unfit.key, number=unfit.number)}, status=422)
        return _changed(request, account, "passphrase-changed")

    return await run_in_threadpool(work)


# -- second factors ---------------------------------------------------------------------------------------------------


def _totp_page(request: Request, asked: credentials.NewTotp, mistake: str = "", status: int = 200) -> Response:
    return render(request, "account_totp.html", status=status, asked=asked, mistake=mistake)


async def begin_totp(request: Request) -> Response:
    """The secret that an authenticator app reads."""

    def work() -> Response:
        house = house_of(request)
        return _totp_page(request, credentials.begin_totp(house, _account(request), house.texts("en")("app.name")))

    return await run_in_threadpool(work)


async def confirm_totp(request: Request) -> Response:
    """The app is added once it shows a code that fits."""
    form = await request.form()
    token, code = str(form.get("token", "")), str(form.get("code", ""))[:20]
    label = one_form(str(form.get("label", "")))[:MAX_NAME_CHARS]

    def work() -> Response:
        house, account, t = house_of(request), _account(request), texts(language_of(request))
        asked = credentials.asked_totp(house, account, token, house.texts("en")("app.name"))
        if asked is None:
            return _page(request, mistakes={"factors": t("sign-in.late")}, status=410)
        if not credentials.add_totp(house, account, asked, code, label or t("account.factor.totp")):
            return _totp_page(request, asked, t("sign-in.wrong-code"), 422)
        return _changed(request, account, "factor-added", "totp", "added")

    return await run_in_threadpool(work)


async def ask_new_passkey(request: Request) -> Response:
    """The question with which a device makes a passkey."""
    house = house_of(request)
    if not passkeys.possible(house.public_url):
        raise Problem(409, "no-passkeys")
    return answer(await run_in_threadpool(lambda: credentials.ask_new_passkey(house, _account(request))))


async def add_passkey(request: Request) -> Response:
    """A passkey that a device made."""
    asked = await body_of(request, NewPasskey)

    def work() -> Response:
        house, account, t = house_of(request), _account(request), texts(language_of(request))
        label = one_form(asked.label)[:MAX_NAME_CHARS] or t("account.factor.passkey")
        if not credentials.add_passkey(house, account, asked.token, asked.credential, label):
            raise Problem(422, "passkey-not-made")
        gone_on = _changed(request, account, "factor-added", "passkey", "added")
        told = Response(msgspec.json.encode({"next": gone_on.headers["location"]}), media_type="application/json")
        told.raw_headers += [header for header in gone_on.raw_headers if header[0] == b"set-cookie"]
        return told

    return await run_in_threadpool(work)


async def remove_factor(request: Request) -> Response:
    """Take a factor away, unless nothing good enough would be left."""

    def work() -> Response:
        house, account, t = house_of(request), _account(request), texts(language_of(request))
        try:
            kind = credentials.remove_factor(house, account, request.path_params["factor"])
        except NotPossible as why:
            return _page(request, mistakes={"factors": t(why.key)}, status=409)
        return _changed(request, account, "factor-removed", kind, "removed")

    return await run_in_threadpool(work)


async def new_recovery_codes(request: Request) -> Response:
    """New recovery codes in the place of all before, shown now and never again."""

    def work() -> Response:
        house, account = house_of(request), _account(request)
        if not house.store.registry.factors(account.id):
            return RedirectResponse("/account", 303)
        codes = credentials.new_recovery_codes(house, account, visitor(request).address)
        return render(request, "account_codes.html", codes=codes, home=access.HOME[account.role])

    return await run_in_threadpool(work)


# -- sessions ---------------------------------------------------------------------------------------------------------


async def end_session(request: Request) -> Response:
    """End one of one's other sessions, or with `others` all of them."""
    which = request.path_params["session"]

    def work() -> Response:
        house, caller, account = house_of(request), caller_of(request), _account(request)
        registry = house.store.registry
        for session in registry.sessions_of(account.id):
            if session.token_hash != caller.session and which in ("others", session.token_hash[:SESSION_CHARS]):
                registry.close_session(session.token_hash)
        registry.audit("sessions-ended", account=account.id, actor=account.id, address=visitor(request).address)
        return RedirectResponse("/account?ended#sessions", 303)

    return await run_in_threadpool(work)


# -- who is there? ----------------------------------------------------------------------------------------------------


async def strength(request: Request) -> Response:
    """How strong a passphrase is that somebody is about to choose, in one of four words."""
    form = await request.form()
    given = str(form.get("passphrase", ""))[: passphrases.MOST_CHARS]

    def work() -> str:
        account = _account(request)
        return passphrases.strength(given, (account.name, account.display, account.office))

    return answer({"strength": await run_in_threadpool(work)})


ROUTES = (
    Rule("/account", ("GET",), page, WITH_ACCOUNT, limited=True),
    Rule("/account/passphrase", ("POST",), change_passphrase, WITH_ACCOUNT, step_up=True, limited=True),
    Rule("/account/strength", ("POST",), strength, WITH_ACCOUNT, limited=True),
    Rule("/account/totp", ("POST",), begin_totp, WITH_ACCOUNT, step_up=True, limited=True),
    Rule("/account/totp/confirm", ("POST",), confirm_totp, WITH_ACCOUNT, step_up=True, limited=True),
    Rule("/account/passkeys/ask", ("POST",), ask_new_passkey, WITH_ACCOUNT, step_up=True, limited=True),
    Rule("/account/passkeys", ("POST",), add_passkey, WITH_ACCOUNT, step_up=True, limited=True, body_bytes=ANSWER_BYTES),
    Rule("/account/factors/{factor}/remove", ("POST",), remove_factor, WITH_ACCOUNT, step_up=True),
    Rule("/account/recovery", ("POST",), new_recovery_codes, WITH_ACCOUNT, step_up=True),
    Rule("/account/sessions/{session}/end", ("POST",), end_session, WITH_ACCOUNT),
)
