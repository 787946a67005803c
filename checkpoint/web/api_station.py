"""What kiosks say and hear: enrol once, hand facts in, read the feed."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Malformed
from checkpoint.web.access import ANYONE, KIOSK, Rule, caller_of, digest
from checkpoint.web.api import Command, answer, body_of, faulty, json_of, too_many, unreadable
from checkpoint.web.house import House, house_of
from checkpoint.web.problems import Problem
from checkpoint.wish import Fault, Faulty

BATCH_BYTES = 4 * 1024 * 1024
QUICK_BYTES = 8 * 1024
MOST_TOLD = 2000


class Enrol(Command, frozen=True):
    """A kiosk's first words: its one-time token and its own public key (raw Ed25519, hex)."""

    token: str
    public_key: str


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """What a token was traded for; the key is shown this once."""

    kiosk: str
    station: str
    key: str


class ToldFact(msgspec.Struct, frozen=True):
    """A fact with its number, in the exact bytes that are held."""

    number: int
    fact: msgspec.Raw


class Named(msgspec.Struct, frozen=True):
    """Who a pseudonym is."""

    id: str
    name: str


class OnDuty(msgspec.Struct, frozen=True):
    """Somebody who may sign on at a kiosk; the PIN is sealed."""

    id: str
    name: str
    pin: str


class Trusted(msgspec.Struct, frozen=True):
    """A key that seals passes (raw Ed25519, hex)."""

    key_id: str
    public_key: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the feed. The lists are whole on every page and stand in the place of those before."""

    facts: tuple[ToldFact, ...]
    cursor: int
    more: bool
    server_time: datetime
    people: tuple[Named, ...]
    staff: tuple[OnDuty, ...]
    issuers: tuple[Trusted, ...]
    station: str
    kiosk: str


async def enrol(request: Request) -> Response:
    """Trade a one-time token for a key."""
    house = house_of(request)
    asked = await body_of(request, Enrol)
    throttled = f"enrol {request.client.host if request.client else ''}"
    wait = house.throttle.wait(throttled)
    if wait:
        raise too_many(request, wait)
    try:
        public_key = bytes.fromhex(asked.public_key)
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError:
        raise faulty(request, Faulty([Fault("$.public_key", "fault.public-key")])) from None
    key = secrets.token_urlsafe(32)
    kiosk = await run_in_threadpool(house.store.registry.enrol_kiosk, digest(asked.token.strip()), public_key, digest(key))
    if kiosk is None:
        house.throttle.failed(throttled)
        raise Problem(403, "token-used")
    house.throttle.succeeded(throttled)
    return answer(Enrolled(kiosk=kiosk.id, station=kiosk.station, key=key))


async def facts(request: Request) -> Response:
    """Take a kiosk's batch in; what is answered as held is on the disk."""
    house, kiosk = house_of(request), caller_of(request).kiosk
    assert kiosk is not None  # nobody else passes the gate to here
    body = await json_of(request)
    try:
        if len(body) > QUICK_BYTES:
            return answer(await run_in_threadpool(house.intake.take_batch, kiosk.id, body))
        # A scan or two: read here, and awaited without a thread, which would cost more than all the rest of it.
        begun = house.intake.begin_batch(kiosk, body)
        await asyncio.wrap_future(begun.taken)
        if begun.clock_is_news:
            return answer(await run_in_threadpool(house.intake.finish_batch, begun))
        return answer(house.intake.finish_batch(begun))
    except Malformed as error:
        raise unreadable(request, error) from None


async def feed(request: Request) -> Response:
    """Tell a kiosk what its station should know, page by page."""
    after, limit = _number(request, "after", 0), _number(request, "limit", 500)
    page = await run_in_threadpool(_page, house_of(request), caller_of(request).who, after, min(max(limit, 1), MOST_TOLD))
    return answer(page)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else default


def _page(house: House, kiosk_id: str, after: int, limit: int) -> Page:
    store = house.store
    kiosk = store.registry.kiosk(kiosk_id)
    assert kiosk is not None  # the gate found it by its key a moment ago, and kiosks are closed, never removed
    loops = [loop for loop, versions in store.loops().all().items() if any(v.station(kiosk.station) for v in versions)]
    told, cursor, more = house.feed.page(loops, after, limit)
    return Page(
        facts=tuple(ToldFact(r.number, msgspec.Raw(r.raw)) for r in told),
        cursor=cursor,
        more=more,
        server_time=house.now(),
        people=tuple(Named(p.id, p.name) for p in store.registry.people(house.feed.people(loops))),
        staff=tuple(OnDuty(s.id, s.name, s.pin) for s in store.registry.staff()),
        issuers=tuple(Trusted(i.key_id, i.public_key.hex()) for i in store.registry.issuers()),
        station=kiosk.station,
        kiosk=kiosk.id,
    )


ROUTES = (
    Rule("/api/v1/enrol", ("POST",), enrol, (ANYONE,), body_bytes=4 * 1024),
    Rule("/api/v1/facts", ("POST",), facts, (KIOSK,), body_bytes=BATCH_BYTES),
    Rule("/api/v1/feed", ("GET",), feed, (KIOSK,)),
)
