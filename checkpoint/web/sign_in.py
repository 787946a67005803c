"""Signing in and out: a sign-in name and its passphrase, a code where the account has one, or a passkey in place of all."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.ui import Texts, clock, texts
from checkpoint.web import access, passkeys, signing
from checkpoint.web.access import ANYONE, HOME, Rule, caller_of
from checkpoint.web.api import Command, answer, body_of, too_many
from checkpoint.web.house import house_of
from checkpoint.web.limits import GUESSES, retry_after
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.signing import Admitted, CodeWanted, Refused
from checkpoint.web.visitor import Visitor, visitor_of

ANSWER_BYTES = 16 * 1024


class PasskeyAnswer(Command, frozen=True):
    """What a browser says for a device: the token of the question, the device's answer, and where to go on to."""

    token: str
    credential: dict[str, Any]
    next: str = ""


async def page(request: Request) -> Response:
    """The sign-in page."""
    return _page(request, note=next((f"sign-in.{key}" for key in ("out", "joined") if key in request.query_params), ""))


def _page(request: Request, *, mistake: str = "", note: str = "", name: str = "", next_: str = "", status: int = 200) -> Response:
    t = texts(language_of(request))
    return render(
        request,
        "sign_in.html",
        status=status,
        name=name,
        mistake=mistake,
        note=t(note) if note else "",
        next=next_ or request.query_params.get("next", ""),
        passkeys=passkeys.possible(house_of(request).public_url),
    )


def _code_page(request: Request, wanted: CodeWanted, next_: str, mistake: str = "", status: int = 200) -> Response:
    return render(
        request, "sign_in_code.html", status=status, ticket=wanted.ticket, kinds=wanted.kinds, next=next_, mistake=mistake
    )


def visitor(request: Request) -> Visitor:
    """Who stands at the door, with what their browser shows."""
    return visitor_of(request, access.known_of(request))


def refused_words(refused: Refused, t: Texts) -> str:
    """Why somebody was not let in, and what to do."""
    return t(f"sign-in.{refused.key}", **({"wait": clock.span(refused.wait, t)} if refused.key == "too-many" else {}))


def refused_status(refused: Refused) -> int:
    """The status that goes with a refusal."""
    return 429 if refused.key == "too-many" else 401


async def sign_in(request: Request) -> Response:
    """Take name and passphrase; answer with a session, ask for a code, or say what is wrong."""
    house, t = house_of(request), texts(language_of(request))
    form = await request.form()
    name, passphrase, next_ = (str(form.get(key, "")) for key in ("name", "passphrase", "next"))
    try:
        done = await run_in_threadpool(partial(signing.by_passphrase, house, name, passphrase, visitor(request)))
    except Refused as refused:
        words, status = refused_words(refused, t), refused_status(refused)
        page_ = _page(request, mistake=words, status=status, name=name[:60], next_=next_)
        if status == 429:
            page_.headers["Retry-After"] = retry_after(refused.wait.total_seconds())
        return page_
    return _code_page(request, done, next_) if isinstance(done, CodeWanted) else await _come_in(request, done, next_)


async def code(request: Request) -> Response:
    """Take the code that was asked for."""
    house, t = house_of(request), texts(language_of(request))
    form = await request.form()
    ticket, said, next_ = (str(form.get(key, "")) for key in ("ticket", "code", "next"))
    try:
        done = await run_in_threadpool(partial(signing.by_code, house, ticket, said[:60], visitor(request)))
    except Refused as refused:
        words, status = refused_words(refused, t), refused_status(refused)
        if refused.key == "late":
            return _page(request, mistake=words, status=status, next_=next_)
        kinds = frozenset(str(form.get("kinds", "")).split())
        return _code_page(request, CodeWanted(ticket=ticket, kinds=kinds), next_, words, status)
    return await _come_in(request, done, next_)


async def ask_passkey(request: Request) -> Response:
    """The question that a device signs to bring its holder in."""
    house = house_of(request)
    if not passkeys.possible(house.public_url):
        raise Problem(409, "no-passkeys")
    return answer(await run_in_threadpool(signing.ask_passkey, house))


async def passkey(request: Request) -> Response:
    """Take a device's answer; the page goes on to where it is told."""
    house, asked = house_of(request), await body_of(request, PasskeyAnswer)
    try:
        done = await run_in_threadpool(partial(signing.by_passkey, house, asked.token, asked.credential, visitor(request)))
    except Refused as refused:
        raise passkey_problem(request, refused) from None
    there = own_path(asked.next) or HOME[done.role]
    return await _with_cookies(request, Response(msgspec.json.encode({"next": there}), media_type="application/json"), done)


def passkey_problem(request: Request, refused: Refused) -> Problem:
    """Why a device's answer was not taken, for the page's script to show."""
    if refused.key == "too-many":
        return too_many(request, refused.wait)
    return Problem(401, "wrong-passkey")


async def _come_in(request: Request, done: Admitted, next_: str) -> Response:
    there = "/account" if done.limited else own_path(next_) or HOME[done.role]
    return await _with_cookies(request, RedirectResponse(there, 303), done)


async def _with_cookies(request: Request, response: Response, done: Admitted) -> Response:
    """Give the browser its new session; the one that it held before ends."""
    house = house_of(request)
    before = request.cookies.get(access.cookie_name(house, done.role), "")
    if before:
        await run_in_threadpool(house.store.registry.close_session, access.digest(before))
    access.set_cookie(response, house, done.role, done.token, access.LASTING[done.role])
    access.set_known(response, house, done.known)
    return response


def own_path(text: str) -> str:
    """A path of our own to go on to, or nothing: never another site's address."""
    parts = urlsplit(text)
    plain = not parts.scheme and not parts.netloc and text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if plain and text.isprintable() else ""


async def sign_out(request: Request) -> Response:
    """End the session, on the server too."""
    house, caller = house_of(request), caller_of(request)
    response = RedirectResponse("/sign-in?out", 303)
    if caller.way == "cookie":
        await access.end_session(request, response)
        if caller.account:
            registry, address = house.store.registry, visitor_of(request).address
            await run_in_threadpool(
                partial(registry.audit, "sign-out", account=caller.account, actor=caller.account, address=address)
            )
    return response


ROUTES = (
    Rule("/sign-in", ("GET",), page, (ANYONE,)),
    Rule("/sign-in", ("POST",), sign_in, (ANYONE,), body_bytes=16 * 1024, rate=GUESSES),
    Rule("/sign-in/code", ("POST",), code, (ANYONE,), body_bytes=16 * 1024, rate=GUESSES),
    # A passkey cannot be guessed: it does not share its rate with what can.
    Rule("/sign-in/passkey/ask", ("POST",), ask_passkey, (ANYONE,), body_bytes=1024),
    Rule("/sign-in/passkey", ("POST",), passkey, (ANYONE,), body_bytes=ANSWER_BYTES),
    Rule("/sign-out", ("POST",), sign_out, (ANYONE,)),
)
