"""What desks, carriers and laboratories do by program: each call is one sentence of the domain, and may safely be repeated."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.bindings import PHONES
from checkpoint.core import pins
from checkpoint.core.facts import (
    Fact,
    LoopPublished,
    Malformed,
    WarningAnswered,
    WarningRaised,
    digest_id,
)
from checkpoint.core.loop import MAX_DOCUMENT_BYTES, MalformedLoop, parse
from checkpoint.core.passes import normal_plate
from checkpoint.granting import Granted, Settled, Unknown
from checkpoint.store.registry import StaffMember
from checkpoint.ui import texts
from checkpoint.web.access import CARRIER, COORDINATOR, LABORATORY, Rule, caller_of, digest
from checkpoint.web.api import Command, answer, body_of, faulty, json_of, malformed, unreadable
from checkpoint.web.api_answers import (
    DeviceTaken,
    KioskPlaced,
    LoopTaken,
    PassAsked,
    PassEnded,
    PassGiven,
    PassReissued,
    RequestRefused,
    ResultsTaken,
    StaffTaken,
    WarningTaken,
)
from checkpoint.web.devices import bind_device, may_be_bound, new_tracker, release_device
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of
from checkpoint.web.paging import Instant
from checkpoint.web.problems import Problem
from checkpoint.wish import MAX_NAME_CHARS, Fault, Faulty, Person, Wish, one_form

T = TypeVar("T")
KIOSK_TOKEN_LASTS = timedelta(days=3)
RESULTS_BYTES = 4 * 1024 * 1024


class CrewMember(Command, frozen=True):
    """Somebody in the cab; the first of a crew is the driver."""

    name: str
    id_number: str = ""
    phone: str = ""


class PassWish(Command, frozen=True):
    """A pass that a carrier asks for."""

    carrier: str
    vehicle: str
    crew: tuple[CrewMember, ...]
    loop: str
    not_before: datetime
    expires: datetime


class Why(Command, frozen=True):
    """The reason of a decision, in words."""

    reason: str


class Binding(Command, frozen=True):
    """A phone or terminal that reports for a vehicle, from `since` (now) to `until` (until it is bound elsewhere or released).
    Without a `device`, one with a key of ours is made."""

    vehicle: str
    device: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class Release(Command, frozen=True):
    """A phone or terminal that reports for nobody any more, from `since` (now) on."""

    device: str
    since: Instant | None = None


class KioskPlace(Command, frozen=True):
    """Where a kiosk is to stand."""

    station: str


class NewStaff(Command, frozen=True):
    """Somebody who signs on at kiosks."""

    name: str
    pin: str


class Answering(Command, frozen=True):
    """What is done about a warning."""

    answer: str


# -- passes -------------------------------------------------------------------------------------------------------------


async def ask(request: Request) -> Response:
    """Ask for a pass; a carrier for its own trucks only."""
    asked, caller = await body_of(request, PassWish), caller_of(request)
    if caller.role == CARRIER and one_form(asked.carrier) != caller.who:
        raise Problem(403, "other-carrier", carrier=caller.who)
    crew = tuple(Person(name=p.name, id_number=p.id_number, phone=p.phone) for p in asked.crew)
    wish = Wish(
        carrier=asked.carrier,
        vehicle=asked.vehicle,
        crew=crew,
        loop=asked.loop,
        not_before=asked.not_before,
        expires=asked.expires,
    )
    try:
        return answer(PassAsked(request=await run_in_threadpool(house_of(request).office.request, wish, caller.by)))
    except Faulty as error:
        raise faulty(request, error) from None


async def grant(request: Request) -> Response:
    """Grant a request; `link` opens the pass on the driver's phone once (null: a phone has opened it), `sheet` is the
    text of the paper pass."""
    house, by = house_of(request), caller_of(request).by
    asked = request.path_params["request"]

    def work() -> tuple[Granted, str]:
        done = house.office.grant(asked, by)
        return done, house.office.sheet_text(done.pass_id)

    done, sheet = await decided(request, "no-request", work)
    return answer(PassGiven(pass_id=done.pass_id, link=link_of(house, done), sheet=sheet))


async def reissue(request: Request) -> Response:
    """Give a pass a new generation and a new link: the driver's phone was lost, or another is to be used."""
    house, by = house_of(request), caller_of(request).by
    pass_id = request.path_params["pass_id"]
    done = await decided(request, "no-pass", lambda: house.office.reissue(pass_id, by))
    return answer(PassReissued(pass_id=done.pass_id, generation=done.generation, link=link_of(house, done)))


async def refuse(request: Request) -> Response:
    """Refuse a request, with the reason."""
    office, by, why = house_of(request).office, caller_of(request).by, await body_of(request, Why)
    asked = request.path_params["request"]
    await decided(request, "no-request", lambda: office.refuse(asked, why.reason, by))
    return answer(RequestRefused(request=asked))


async def revoke(request: Request) -> Response:
    """Revoke a pass at once, with the reason."""
    office, by, why = house_of(request).office, caller_of(request).by, await body_of(request, Why)
    pass_id = request.path_params["pass_id"]
    await decided(request, "no-pass", lambda: office.revoke(pass_id, why.reason, by))
    return answer(PassEnded(pass_id=pass_id))


async def decided(request: Request, unknown: str, work: Callable[[], T]) -> T:
    """What the pass office answers; its refusals as problems in the asker's language."""
    try:
        return await run_in_threadpool(work)
    except Unknown:
        raise Problem(404, unknown) from None
    except Settled as error:
        raise Problem(409, "settled", state=texts(language_of(request))(f"state.{error.state}")) from None
    except Faulty as error:
        raise faulty(request, error) from None


def link_of(house: House, done: Granted) -> str | None:
    """The address a driver opens, or None when a phone has opened it already."""
    return f"{house.public_url}/d/{done.link_token}" if done.link_token else None


# -- the plan, places, machines, people -----------------------------------------------------------------------------------


async def publish(request: Request) -> Response:
    """Put a version of a loop document in force; the body is the document."""
    house, body = house_of(request), await json_of(request)
    try:
        loop = await run_in_threadpool(parse, body)
    except MalformedLoop as error:
        raise malformed(request, error.problems, 422) from None
    fact = Fact(
        id=digest_id("loop", loop.id, str(loop.version)),
        at=house.now(),
        witness="desk:coordinator",
        by=caller_of(request).by,
        what=LoopPublished(loop=loop.id, version=loop.version, document=body.decode()),
    )
    held = await run_in_threadpool(_held, house, fact)
    if held is not None and isinstance(held.what, LoopPublished) and held.what.document != body.decode():
        raise Problem(409, "version-taken", loop=loop.id, version=loop.version)
    return answer(LoopTaken(loop=loop.id, version=loop.version))


def _held(house: House, fact: Fact) -> Fact | None:
    """The fact that is held under this id already; None when it was taken in now."""
    recorded = house.store.fact(fact.id)
    if recorded is not None:
        return recorded.fact
    house.intake.record(fact)
    return None


async def bind(request: Request) -> Response:
    """Let a device report for a vehicle, from when to when. Without a device, one with a key is made: the key is answered this
    once."""
    house, asked = house_of(request), await body_of(request, Binding)
    device, faults = "" if asked.device is None else asked.device.strip(), []
    if asked.device is not None and not may_be_bound(house, device):
        faults.append(Fault("$.device", "fault.device"))
    try:
        vehicle = normal_plate(asked.vehicle)
    except ValueError:
        vehicle = ""
        faults.append(Fault("$.vehicle", "fault.plate", plate=asked.vehicle[:20]))
    if asked.until is not None and asked.until <= (asked.since or house.now()):
        faults.append(Fault("$.until", "fault.until"))
    if faults:
        raise faulty(request, Faulty(faults))
    caller, when = caller_of(request), (asked.since, asked.until)
    if not device:
        device, found = await run_in_threadpool(new_tracker, house, vehicle, caller, *when)
        links = {name: getattr(found, name) for name in ("key", "address", "link", "traccar", "owntracks")}
        return answer(DeviceTaken(device=device, vehicle=vehicle, **links))
    await run_in_threadpool(bind_device, house, device, vehicle, caller, *when)
    return answer(DeviceTaken(device=device, vehicle=vehicle))


async def release(request: Request) -> Response:
    """From when on a device reports for nobody."""
    house, asked = house_of(request), await body_of(request, Release)

    def work() -> str:
        bound = house.intake.bound(asked.device)
        at = asked.since or house.now()
        begun = [each for each in bound.bindings if each.since <= at]
        if not begun or asked.device.startswith(PHONES):
            raise Problem(404, "no-tracker")
        standing = bound.at(at)
        if standing is None:
            return begun[0].vehicle  # released before: by this very call, perhaps, whose answer was lost
        release_device(house, asked.device, standing.vehicle, caller_of(request), asked.since)
        return standing.vehicle

    return answer(DeviceTaken(device=asked.device, vehicle=await run_in_threadpool(work)))


async def place_kiosk(request: Request) -> Response:
    """A one-time token with which a kiosk enrols for a station."""
    house, asked = house_of(request), await body_of(request, KioskPlace)
    token = secrets.token_hex(16)

    def work() -> str | None:
        versions = [v for found in house.store.loops().all().values() for v in found]
        if not any(v.station(asked.station) for v in versions):
            return None
        return house.store.registry.add_kiosk(asked.station, digest(token), house.now() + KIOSK_TOKEN_LASTS).id

    kiosk = await run_in_threadpool(work)
    if kiosk is None:
        raise faulty(request, Faulty([Fault("$.station", "fault.station", station=asked.station[:MAX_NAME_CHARS])]))
    return answer(KioskPlaced(kiosk=kiosk, token=token, expires=house.now() + KIOSK_TOKEN_LASTS))


async def add_staff(request: Request) -> Response:
    """Somebody who signs on at kiosks. The same name with the same PIN is the same member."""
    house, asked = house_of(request), await body_of(request, NewStaff)
    name, faults = " ".join(asked.name.split()), []
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        faults.append(Fault("$.name", "fault.name", most=MAX_NAME_CHARS))
    try:
        sealed = await run_in_threadpool(pins.seal, asked.pin, secrets.token_bytes(pins.SALT_BYTES))
    except pins.UnfitPin:
        faults.append(Fault("$.pin", "fault.pin"))
    if faults:
        raise faulty(request, Faulty(faults))

    def work() -> StaffMember:
        for member in house.store.registry.staff():
            if member.name == name and pins.fits(asked.pin, member.pin):
                return member
        return house.store.registry.add_staff(name, sealed)

    member = await run_in_threadpool(work)
    return answer(StaffTaken(id=member.id, name=member.name))


# -- results, warnings ------------------------------------------------------------------------------------------------------


async def results(request: Request) -> Response:
    """Take a laboratory's results in, answered one by one in their order."""
    house, laboratory = house_of(request), caller_of(request).who
    try:
        taken = await run_in_threadpool(house.intake.take_results, laboratory, await json_of(request))
    except Malformed as error:
        raise unreadable(request, error) from None
    return answer(ResultsTaken(results=tuple(taken)))


async def answer_warning(request: Request) -> Response:
    """Take a warning and say what is done about it."""
    house, caller = house_of(request), caller_of(request)
    asked, warning = await body_of(request, Answering), request.path_params["warning"]
    said = asked.answer.strip()
    if not said or len(said) > 1000 or "\x00" in said:
        raise faulty(request, Faulty([Fault("$.answer", "fault.reason-wanted")]))

    def work() -> bool:
        raised = house.store.fact(warning)
        if raised is None or not isinstance(raised.fact.what, WarningRaised):
            return False
        what = WarningAnswered(warning=warning, vehicle=raised.fact.what.vehicle, answer=said)
        name = digest_id("answered", warning, caller.by, said)
        if house.store.fact(name) is None:
            house.intake.record(Fact(id=name, at=house.now(), witness=caller.witness, by=caller.by, what=what))
        return True

    if not await run_in_threadpool(work):
        raise Problem(404, "no-warning")
    return answer(WarningTaken(warning=warning))


_DESK = (COORDINATOR,)
ROUTES = (
    Rule("/api/v1/pass-requests", ("POST",), ask, (CARRIER, COORDINATOR)),
    Rule("/api/v1/pass-requests/{request}/grant", ("POST",), grant, _DESK),
    Rule("/api/v1/pass-requests/{request}/refuse", ("POST",), refuse, _DESK),
    Rule("/api/v1/passes/{pass_id}/revoke", ("POST",), revoke, _DESK, step_up=True),
    Rule("/api/v1/passes/{pass_id}/reissue", ("POST",), reissue, _DESK, step_up=True),
    Rule("/api/v1/loops", ("POST",), publish, _DESK, body_bytes=MAX_DOCUMENT_BYTES, step_up=True),
    Rule("/api/v1/devices", ("POST",), bind, _DESK, step_up_people=True),
    Rule("/api/v1/devices/release", ("POST",), release, _DESK),
    Rule("/api/v1/kiosks", ("POST",), place_kiosk, _DESK, step_up=True),
    Rule("/api/v1/staff", ("POST",), add_staff, _DESK),
    Rule("/api/v1/lab/results", ("POST",), results, (LABORATORY,), body_bytes=RESULTS_BYTES),
    Rule("/api/v1/warnings/{warning}/answer", ("POST",), answer_warning, _DESK),
)
