"""A write that says by which key it is known is done once, however often its program sends it.

The law of this file: the same key with the same request gets the same answer, from the first time it was done; with another
request it is refused (422), and while the first is under way (409). A key belongs to its caller and is kept for a day. An
answer is kept when it is an answer: a storage that failed, and what was sent too often, leave the key free. A server that ends
or fails between the deed and its answer cannot say whether it was done: the key then stays shut (409), and nothing is done
twice under it. Calls that are known by a number of their own (results, facts, requests) need no key and may be repeated anyway.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.chores import Chore
from checkpoint.store import StorageFailed, Store
from checkpoint.web import problems
from checkpoint.web.house import house_of
from checkpoint.web.problems import Problem

KEY, REPLAYED = "idempotency-key", "Idempotency-Replayed"
KEPT = timedelta(hours=24)
MAX_KEY_CHARS = 255
# Nothing that programs ask takes longer than this; whatever was begun earlier has ended without an answer.
UNDER_WAY = timedelta(minutes=2)
# What an answer carries that is part of it. The rest (length, policies) is made anew.
_HEADERS = ("content-type", "content-language", "location", "cache-control", "allow", "retry-after")


def chore(store: Store) -> Chore:
    """Forgets the answers whose day is over, whether anybody asks again or not."""
    return Chore("kept-answers", timedelta(hours=1), lambda now: f"swept={store.registry.sweep_answers(now - KEPT)}")


class _Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    status: int
    headers: dict[str, str]
    body: str


async def once(request: Request, caller: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer a request by its endpoint, or with what the endpoint answered before to the same."""
    registry, key = house_of(request).store.registry, _key(request)
    asked = _digest(request, await request.body())
    before = await run_in_threadpool(registry.begin_answer, caller, key, asked, KEPT)
    if before is not None:
        if before.asked != asked:
            raise Problem(422, "key-reused")
        if before.answer is not None:
            return _again(before.answer)
        if house_of(request).now() - before.begun_at < UNDER_WAY:
            raise Problem(409, "key-under-way", headers={"Retry-After": "1"})
        raise Problem(409, "key-unknown-outcome")
    try:
        answered = await _answered(request, endpoint)
    except StorageFailed:  # then nothing was kept of what it did last
        await run_in_threadpool(registry.drop_answer, caller, key)
        raise
    if answered.status_code >= 500 or answered.status_code == 429:
        await run_in_threadpool(registry.drop_answer, caller, key)
    else:
        await run_in_threadpool(registry.keep_answer, caller, key, _kept(answered))
    return answered


async def _answered(request: Request, endpoint: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        return await endpoint(request)
    except Problem as problem:
        return await problems.answer(request, problem)


def _key(request: Request) -> str:
    """The key, with or without the quotation marks that the draft of the standard asks for."""
    text = request.headers[KEY].strip()
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise Problem(400, "key-malformed", most=MAX_KEY_CHARS)
    return hashlib.sha256(key.encode()).hexdigest()


def _digest(request: Request, body: bytes) -> str:
    head = f"{request.method}\x1f{request.url.path}\x1f{request.url.query}\x1f"
    return hashlib.sha256(head.encode() + body).hexdigest()


def _kept(answered: Response) -> str:
    headers = {name: answered.headers[name] for name in _HEADERS if name in answered.headers}
    kept = _Kept(answered.status_code, headers, base64.b64encode(bytes(answered.body)).decode())
    return msgspec.json.encode(kept).decode()


def _again(text: str) -> Response:
    kept = msgspec.json.decode(text, type=_Kept)
    return Response(base64.b64decode(kept.body), kept.status, headers=kept.headers | {REPLAYED: "true"})
