"""What kiosks say and hear: enrol once, hand facts in, read the feed."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Malformed
from checkpoint.intake import HeldTo, Missing, ReturnedFact, held_to, missing
from checkpoint.version import VERSION
from checkpoint.web.access import ANYONE, KIOSK, Rule, caller_of, digest
from checkpoint.web.api import Command, answer, body_of, faulty, json_of, too_many, unreadable
from checkpoint.web.api_answers import KeyRenewed
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import GUESSES, STATIONS
from checkpoint.web.problems import Problem
from checkpoint.wish import Fault, Faulty

log = logging.getLogger(__name__)
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
    installation: str
    former_head: HeldTo | None = None


class ToldFact(msgspec.Struct, frozen=True):
    """A fact with its number, in the exact bytes that are held; its place in its witness's chain; and our stamp under both,
    with which it can be told back to us should we ever lose it."""

    number: int
    fact: msgspec.Raw
    seq: int
    prev: str
    stamp: str


class LostNumbers(msgspec.Struct, frozen=True):
    """Facts were lost when the record was brought back from a backup: those with numbers after the one and before the other."""

    after: int
    before: int


class Named(msgspec.Struct, frozen=True):
    """Who a pseudonym is; a mark of their ID number, by which we know them again and nobody reads anything; and our stamp under
    that, with which it can be told back."""

    id: str
    name: str
    mark: str
    stamp: str


class OnDuty(msgspec.Struct, frozen=True):
    """Somebody who may sign on at a kiosk; PIN and badge are sealed. A kiosk of an older version leaves the badge unread."""

    id: str
    name: str
    pin: str
    badge: str = ""


class Trusted(msgspec.Struct, frozen=True):
    """A key that seals passes (raw Ed25519, hex)."""

    key_id: str
    public_key: str


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the feed. The lists are whole on every page and stand in the place of those before.

    `head` and `gaps` say what is held of the kiosk's own chain, `lost` which numbers it should tell back to `/api/v1/returned`,
    `revoked` which issuers' keys (raw Ed25519, hex) it must never trust again, whatever `issuers` says one day.
    """

    facts: tuple[ToldFact, ...]
    cursor: int
    more: bool
    server_time: datetime
    people: tuple[Named, ...]
    staff: tuple[OnDuty, ...]
    issuers: tuple[Trusted, ...]
    station: str
    kiosk: str
    head: HeldTo
    gaps: tuple[Missing, ...]
    lost: tuple[LostNumbers, ...]
    installation: str
    program: str
    revoked: tuple[str, ...]
    renew: bool = False


class ReturnedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each fact that was told back, in their order."""

    facts: tuple[ReturnedFact, ...]
    server_time: datetime


class NewKey(Command, frozen=True):
    """A kiosk's next key, by its SHA-256 (hex), and the kiosk's own signature (Ed25519, hex) under `<kiosk>|key|<key_hash>`: a
    key that was stolen cannot be traded for another."""

    key_hash: str
    signature: str


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
    # Asked in the address, since a body has what it had: a kiosk enrolled anew learns what we hold of it under its old name.
    former = request.query_params.get("formerly", "")[:100]
    head = await run_in_threadpool(house.store.head, f"kiosk:{former}") if former else None
    store = house.store
    return answer(
        Enrolled(
            kiosk=kiosk.id,
            station=kiosk.station,
            key=key,
            installation=store.installation,
            former_head=held_to(head) if former else None,
        )
    )


async def facts(request: Request) -> Response:
    """Take a kiosk's batch in; what is answered as held is on the disk."""
    house, kiosk = house_of(request), caller_of(request).kiosk
    assert kiosk is not None  # nobody else passes the gate to here
    body = await json_of(request)
    try:
        if len(body) > QUICK_BYTES:
            return answer(await run_in_threadpool(house.intake.take_batch, kiosk.id, body))
        # A scan or two: read here, and awaited without a thread, which would cost more than all the rest of it.
        begin = house.intake.begin_batch
        begun = await run_in_threadpool(begin, kiosk, body) if house.store.far else begin(kiosk, body)
        await asyncio.wrap_future(begun.taken)
        if begun.clock_is_news:
            return answer(await run_in_threadpool(house.intake.finish_batch, begun))
        return answer(house.intake.finish_batch(begun))
    except Malformed as error:
        raise unreadable(request, error) from None


async def feed(request: Request) -> Response:
    """Tell a kiosk what its station should know, page by page.

    A cursor beyond the end of the record is no cursor of this record: it was brought back and nobody said so. Numbers would
    then be given twice and the kiosk would not be told of them, so that it is told nothing, and its lists grow old in sight.
    """
    after, limit = _number(request, "after", 0), _number(request, "limit", 500)
    program = _program(request.headers.get("User-Agent", ""))
    return answer(
        await run_in_threadpool(_page, house_of(request), caller_of(request).who, after, min(max(limit, 1), MOST_TOLD), program)
    )


def _program(agent: str) -> str:
    """The version of a kiosk's program; 0.1.0 did not say its own."""
    name, _, version = agent.partition("/")
    return (version[:20] or "0.1.0") if name == "checkpoint-kiosk" else ""


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else default


def _page(house: House, kiosk_id: str, after: int, limit: int, program: str) -> FeedPage:
    store = house.store
    kiosk = store.registry.kiosk(kiosk_id)
    assert kiosk is not None  # the gate found it by its key a moment ago, and kiosks are closed, never removed
    if after > (last := store.last_number()):
        log.error("%s has read up to %s and the record ends at %s: `checkpoint restored mark`", kiosk_id, after, last)
        store.went_back = True
        raise Problem(409, "went-back")
    house.intake.heard(kiosk, program)
    loops = [loop for loop, versions in store.loops().all().items() if any(v.station(kiosk.station) for v in versions)]
    people = [p for p in store.registry.people(house.feed.people(loops)) if p.name]
    issuers = store.registry.issuers()
    told, cursor, more = house.feed.page(loops, after, limit)
    return FeedPage(
        facts=tuple(ToldFact(r.number, msgspec.Raw(r.raw), r.seq, r.prev.hex(), store.told_stamp(r)) for r in told),
        cursor=cursor,
        more=more,
        server_time=house.now(),
        people=tuple(Named(p.id, p.name, *store.told_person(p)) for p in people),
        staff=tuple(OnDuty(s.id, s.name, s.pin, s.badge) for s in store.registry.staff()),
        issuers=tuple(Trusted(i.key_id, i.public_key.hex()) for i in issuers if i.revoked_at is None),
        revoked=tuple(i.public_key.hex() for i in issuers if i.revoked_at is not None),
        station=kiosk.station,
        kiosk=kiosk.id,
        head=held_to(store.head(kiosk.witness)),
        gaps=missing(store.gaps(kiosk.witness)),
        lost=tuple(LostNumbers(*numbers) for numbers in store.lost),
        installation=store.installation,
        program=VERSION,
        renew=kiosk.renew,
    )


async def returned(request: Request) -> Response:
    """Take back what a kiosk was told and the record has lost since."""
    house, kiosk = house_of(request), caller_of(request).kiosk
    assert kiosk is not None  # nobody else passes the gate to here
    body = await json_of(request)
    try:
        taken = await run_in_threadpool(house.intake.take_returned, kiosk, body)
    except Malformed as error:
        raise unreadable(request, error) from None
    return answer(ReturnedFacts(facts=tuple(taken), server_time=house.now()))


async def renew(request: Request) -> Response:
    """Take a kiosk's next key: the one it called with opens nothing from now on. Its chain goes on."""
    house, kiosk = house_of(request), caller_of(request).kiosk
    assert kiosk is not None
    asked = await body_of(request, NewKey)
    faults = []
    if re.fullmatch(r"[0-9a-f]{64}", asked.key_hash) is None:
        faults.append(Fault("$.key_hash", "fault.key-hash"))
    try:
        signed = f"{kiosk.id}|key|{asked.key_hash}".encode()
        Ed25519PublicKey.from_public_bytes(kiosk.public_key).verify(bytes.fromhex(asked.signature), signed)
    except (InvalidSignature, ValueError):
        faults.append(Fault("$.signature", "fault.signature"))
    if faults:
        raise faulty(request, Faulty(faults))
    if not await run_in_threadpool(house.store.registry.renew_key, kiosk.id, asked.key_hash):
        raise Problem(404, "no-kiosk")
    return answer(KeyRenewed(kiosk=kiosk.id, server_time=house.now()))


ROUTES = (
    Rule("/api/v1/enrol", ("POST",), enrol, (ANYONE,), body_bytes=4 * 1024, rate=GUESSES),
    Rule("/api/v1/facts", ("POST",), facts, (KIOSK,), body_bytes=BATCH_BYTES, rate=STATIONS, vital=True),
    Rule("/api/v1/feed", ("GET",), feed, (KIOSK,), rate=STATIONS),
    Rule("/api/v1/returned", ("POST",), returned, (KIOSK,), body_bytes=BATCH_BYTES, rate=STATIONS),
    Rule("/api/v1/kiosk/key", ("POST",), renew, (KIOSK,), body_bytes=4 * 1024, rate=GUESSES),
)
