"""What all endpoints for programs share: bodies read as structs, answers as JSON, faults told in the asker's language.

The law of this file: a body is one struct or it is refused whole, with the path of what is wrong; the words of a refusal come
from the catalogues, the names of fields and types stay as the program wrote them.

A body that says it is something else than JSON is refused (415); one that says nothing is taken for JSON. What the asker
accepts is not asked: every answer is JSON, so that no program is refused (406) after the thing it asked for was done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from math import ceil
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Malformed
from checkpoint.ui import Texts, clock, texts
from checkpoint.web.page import language_of
from checkpoint.web.problems import Problem
from checkpoint.wish import Faulty

T = TypeVar("T")
_UTF_8 = ("charset=utf-8", "charset=utf8", "charset=us-ascii")
_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
# What msgspec says, as far as people meet it; anything else is passed on as it is.
_SAYINGS = (
    (re.compile(r"Expected `(?P<wanted>.+)`, got `(?P<got>.+)`"), "api.expected"),
    (re.compile(r"Expected `(?:datetime)` with a timezone component"), "api.instant"),
    (re.compile(r"Expected `(?:str|array)` of length (?P<bound>[<>]=? \d+)"), "api.length"),
    (re.compile(r"Expected `(?:int|float)` (?P<bound>[<>]=? \S+)"), "api.bound"),
    (re.compile(r"Object missing required field `(?P<field>.+)`"), "api.missing"),
    (re.compile(r"Object contains unknown field `(?P<field>.+)`"), "api.unknown-field"),
    (re.compile(r"Invalid enum value '?(?P<got>.+?)'?"), "api.not-one-of"),
    (re.compile(r"Invalid (?P<wanted>RFC3339 encoded datetime)"), "api.instant"),
    (re.compile(r"(?:JSON is malformed|Input data was truncated|Invalid (?:UTF-8|escape)).*", re.DOTALL), "api.not-json"),
)


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of bodies that ask for something to be done: a misspelt field is a mistake, not decoration."""


class Wrong(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request: where, and what to do about it."""

    path: str
    what: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document (RFC 9457), as the API's document shows it; `problems.answer` writes it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[Wrong, ...] = ()


async def json_of(request: Request) -> bytes:
    """The request's body, which says that it is JSON or nothing at all. Raises `Problem` 415."""
    said, _, parameters = request.headers.get("content-type", "").partition(";")
    kind, charset = said.strip().lower(), parameters.strip().lower().replace('"', "").replace(" ", "")
    if (kind and kind != "application/json") or (charset.startswith("charset=") and charset not in _UTF_8):
        raise Problem(415, "not-json-type", headers={"Accept": "application/json"})
    return await request.body()


async def body_of(request: Request, kind: type[T]) -> T:
    """The request's JSON body as a struct. Raises `Problem` 400 with the path of what is wrong, or 415."""
    try:
        return msgspec.json.decode(await json_of(request), type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(request, [str(error)]) from None


def malformed(request: Request, said: Iterable[str], status: int = 400) -> Problem:
    """A refusal for texts that end in ``- at `$.path` ``, as msgspec and our own readers write them."""
    t = texts(language_of(request))
    return _refusal(t, [_wrong(t, text) for text in said], status)


def faulty(request: Request, error: Faulty, status: int = 422) -> Problem:
    """A refusal for a wish that cannot be granted as it stands."""
    t = texts(language_of(request))
    return _refusal(t, [Wrong(fault.path, t(fault.key, **fault.values)) for fault in error.faults], status)


def twice(request: Request, field: str) -> Problem:
    """A refusal for a parameter that is given twice: which of the two was meant?"""
    t = texts(language_of(request))
    return _refusal(t, [Wrong(f"$.{field[:60]}", t("api.twice", field=field[:60]))], 400)


def unreadable(request: Request, error: Malformed) -> Problem:
    """A refusal for what a reader of ours could not take."""
    return malformed(request, [str(error)])


def too_many(request: Request, wait: timedelta) -> Problem:
    """A refusal of whoever asked too often: how long to wait, for people and for programs."""
    said = clock.span(wait, texts(language_of(request)))
    return Problem(429, "too-many", wait=said, headers={"Retry-After": str(ceil(wait.total_seconds()))})


def answer(body: object, status: int = 200) -> Response:
    """A struct or plain value as JSON."""
    return Response(msgspec.json.encode(body), status, media_type="application/json", headers={"Cache-Control": "no-store"})


def _refusal(t: Texts, wrongs: list[Wrong], status: int) -> Problem:
    colon = "：" if t.lang == "zh" else ": "
    why = " ".join(f"{wrong.path}{colon}{wrong.what}" for wrong in wrongs[:3])
    return Problem(status, "malformed", why=why, more={"errors": [msgspec.structs.asdict(wrong) for wrong in wrongs]})


def _wrong(t: Texts, text: str) -> Wrong:
    found = _AT.fullmatch(text)
    what, path = (found["what"], found["path"] or "$") if found else (text, "$")
    for saying, key in _SAYINGS:
        said = saying.fullmatch(what)
        if said:
            return Wrong(path, t(key, **said.groupdict()))
    return Wrong(path, t("api.said", what=what))
