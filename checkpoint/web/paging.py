"""Lists and single things as programs read them: filters, pages, and no answer twice when nothing changed.

The law of this file: a query is one struct or it is refused whole, like a body. A list goes on by a cursor that says nothing to
anybody but us and stays good for as long as the program likes; what comes meanwhile comes behind it. A page may be short, even
empty, though there is more: `next` alone says whether there is. An answer carries an `ETag` of its own bytes, and whoever has
them already is told so (304).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.web.api import Command, faulty, malformed, twice
from checkpoint.web.house import house_of
from checkpoint.wish import Fault, Faulty

T = TypeVar("T")
Q = TypeVar("Q", bound=msgspec.Struct)
MOST = 200
# How many facts are looked at for one page: a filter that fits few of them does not hold anybody up.
LOOKED_AT = 2_000
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Query(Command, frozen=True):
    """What every list understands."""

    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 50


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` is the address of the next one, null at the end."""

    items: tuple[T, ...]
    next: str | None


class Behind(msgspec.Struct, frozen=True, array_like=True):
    """Where a list of what we learnt goes on: behind this number."""

    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def query_of(request: Request, kind: type[Q]) -> Q:
    """The request's query as a struct. Raises `Problem` 400 with what is wrong; the language is asked elsewhere."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise twice(request, name)
        given[name] = value
    given.pop("lang", None)
    for name in given.keys() & _instants(kind):
        given[name] = given[name].replace(" ", "+")  # a plus sign that nobody escaped means a space in an address
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise malformed(request, [str(error)]) from None


def _instants(kind: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if "datetime" in str(field.type)}


def cursor_of(request: Request, query: Query, kind: type[T]) -> T | None:
    """What a query's cursor holds, None when there is none. Raises `Problem` 400."""
    if not query.cursor:
        return None
    try:
        text = base64.b64decode(query.cursor + "=" * (-len(query.cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, ValueError, binascii.Error):
        raise faulty(request, Faulty([Fault("$.cursor", "fault.cursor")]), 400) from None


def paged(request: Request, items: Sequence[T], after: object | None) -> Response:
    """A page as the answer. `after` is what the next page's cursor holds; None at the end."""
    address = None
    if after is not None:
        cursor = base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")
        given = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        address = f"{house_of(request).public_url}{request.url.path}?{urlencode([*given, ('cursor', cursor)])}"
    headers = {"Link": f'<{address}>; rel="next"'} if address else {}
    return seen(request, Page(items=tuple(items), next=address), headers=headers)


def seen(
    request: Request,
    body: msgspec.Struct,
    *,
    modified: datetime | None = None,
    besides: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A struct as the answer, or 304 to whoever has it. `modified` is when it last changed, where that is known; the fields
    `besides` are told, and not asked whether they changed."""
    written = msgspec.json.encode(body)
    tag = f'"{_digest(written)}"'
    apart = set(besides)
    if apart:  # the same thing, though not the same bytes
        asked = {name: value for name, value in msgspec.structs.asdict(body).items() if name not in apart}
        tag = f'W/"{_digest(msgspec.json.encode(asked))}"'
    carried = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie", **(headers or {})}
    if modified is not None:
        carried["Last-Modified"] = format_datetime(modified.replace(microsecond=0), usegmt=True)
    return _answered(request, written, tag, carried, modified)


def told(request: Request, body: bytes, headers: Mapping[str, str]) -> Response:
    """JSON that is written already as the answer, or 304 to whoever has it."""
    tag = f'"{_digest(body)}"'
    return _answered(request, body, tag, {"ETag": tag, "Cache-Control": "no-cache", **headers}, None)


def _answered(request: Request, body: bytes, tag: str, headers: Mapping[str, str], modified: datetime | None) -> Response:
    if _has_it(request, tag, modified):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()[:32]


def _has_it(request: Request, tag: str, modified: datetime | None) -> bool:
    """Whether the asker holds this answer (RFC 9110, 13.2.2: the tag decides where one is given)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        bare = tag.removeprefix("W/")
        return tags.strip() == "*" or bare in {each.strip().removeprefix("W/") for each in tags.split(",")}
    since = request.headers.get("if-modified-since")
    if since is None or modified is None:
        return False
    try:
        return modified.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):  # what is no date is as if it were not there
        return False
