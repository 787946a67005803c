"""Positions from phones' apps.

The law of this file: an app that is refused keeps its oldest message at the head of its queue and sends nothing behind it. So a
known device is answered 200 whatever it sent, and what could not be used is kept aside; refused is only what its owner can mend:
no device number (400), a number that nobody ever bound (404, the position kept apart until somebody does), one that was shut
out (403), too many messages of unbound devices from one address (429, nothing kept), and no room (503; 507 for a full disk). A
device of ours that reports for nobody at the moment is answered 200, and its positions are kept apart: its owner has nothing
to mend.

A key that a device showed stands in no answer, no log and nothing that is set aside: the record's name of the device does.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.declared import odd_time
from checkpoint.core.facts import Fact, HelpCalled, digest_id
from checkpoint.decoders import osmand
from checkpoint.store import StorageFull
from checkpoint.web import bounds
from checkpoint.web.access import ANYONE, Rule
from checkpoint.web.api import answer
from checkpoint.web.api_answers import PositionTaken
from checkpoint.web.devices import Known, heard, known_as
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import FIXES, UNBOUND
from checkpoint.web.problems import Problem

MESSAGE_BYTES = 256 * 1024
RETRY_S = 60


async def take_osmand(request: Request) -> Response:
    """One message of Traccar Client or OsmAnd, in any of its three forms."""
    house, received_at = house_of(request), house_of(request).now()
    body = await request.body()
    query, form = request.url.query, request.headers.get("content-type", "")
    try:
        message = osmand.decode(request.method, query, form, body, received_at)
    except osmand.MalformedMessage:
        raise Problem(400, "no-device") from None
    received = query.encode() or body
    known = await run_in_threadpool(recognised, house, message.device, received_at)
    if not known.ours:
        bounds.spend(request, house.limits, UNBOUND, None)
    if known.keyed:
        key = message.device.encode()
        # Written in another way than it reads, it could not be taken out.
        received = received.replace(key, known.device.encode()) if key in received else b""
        fixes = tuple(msgspec.structs.replace(fix, device=known.device) for fix in message.fixes)
        message = msgspec.structs.replace(message, device=known.device, fixes=fixes)
    await run_in_threadpool(_take, house, message, known, received, received_at)
    return answer(PositionTaken(device=message.device, fixes=len(message.fixes), trouble=message.trouble))


def recognised(house: House, shown: str, at: datetime) -> Known:
    """The device that shows this key or number, as the record knows it. Raises `Problem` when it was shut out, or shows a name
    that is no key."""
    known = known_as(house, shown)
    if known is None:
        raise Problem(403, "device-name")
    if known.revoked:
        raise Problem(403, "device-revoked")
    if known.ours:
        heard(house, known.device, at)
    return known


def _take(house: House, message: osmand.Message, known: Known, received: bytes, received_at: datetime) -> None:
    vehicle = house.intake.vehicle_of(message.device, received_at)
    try:
        if house.intake.take_fixes(message.fixes).refused:
            raise Problem(503, "busy", headers={"Retry-After": str(RETRY_S)})
    except (StorageFull, Problem):
        # There is no room for where a truck is; for a driver who calls for help there is.
        if message.alarm == osmand.SOS and vehicle is not None:
            _call_help(house, message, vehicle, received, received_at)
        raise
    if not known.ours:
        raise Problem(404, "unknown-device")
    if message.trouble:
        house.intake.keep_aside(message.device, received, f"position-{message.trouble}")
    if message.alarm == osmand.SOS:
        if vehicle is not None:
            _call_help(house, message, vehicle, received, received_at)
        else:
            house.intake.keep_aside(message.device, received, "position-sos")


def _call_help(house: House, message: osmand.Message, vehicle: str, received: bytes, received_at: datetime) -> None:
    """The app's SOS button is a call for help. The same message again, sent until it is answered, is the same call; one that
    says no time is it for an hour."""
    last = message.fixes[-1].fixed_at if message.fixes else message.at
    at = last if last is not None and last <= received_at and not odd_time(last, received_at) else received_at
    pressed = last.isoformat() if last else f"{received_at:%Y-%m-%dT%H} {received.decode('utf-8', 'replace')}"
    name = digest_id("sos", message.device, pressed)
    if house.store.fact(name) is None:
        what = HelpCalled(person="", vehicle=vehicle, words="SOS")
        house.intake.record(Fact(id=name, at=at, witness=f"phone:{digest_id('device', message.device)[:12]}", what=what))


ROUTES = (Rule("/api/v1/positions/osmand", ("GET", "POST"), take_osmand, (ANYONE,), body_bytes=MESSAGE_BYTES, rate=FIXES),)
