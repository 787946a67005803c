"""Stations at the desk: which kiosks stand where and how they are, who signs on at them, which device reports for which truck.

A kiosk's token and a PIN are shown or typed once; the server keeps only what checks them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.bindings import PHONES, TERMINALS
from checkpoint.core import enrolling, pins
from checkpoint.core.passes import normal_plate
from checkpoint.store.registry import Tracker
from checkpoint.ui import texts
from checkpoint.version import VERSION
from checkpoint.web import once
from checkpoint.web.access import COORDINATOR, Rule, caller_of, digest
from checkpoint.web.board import loops_now
from checkpoint.web.devices import bind_device, may_be_bound, times_of
from checkpoint.web.house import House, house_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.words import Words
from checkpoint.wish import MAX_NAME_CHARS

TOKEN_LASTS = timedelta(days=3)
# A kiosk speaks at least this often while its line is up.
HEARD = timedelta(minutes=10)


def _page(request: Request, *, mistake: str = "", status: int = 200) -> Response:
    house = house_of(request)
    now, registry = house.now(), house.store.registry
    token = once.secret_of(request)
    # A kiosk that has enrolled meanwhile, or was closed, needs no token any more.
    waiting = registry.waiting_kiosk(digest(token)) if token else None
    loops = loops_now(house, now)
    zone = loops[0].zone if loops else FALLBACK_ZONE
    # Who only signs in at a desk has no PIN, and no business in this list.
    staff = [member for member in registry.staff(active=None) if member.pin or member.badge]
    missing: dict[str, int] = {}
    for gap in house.store.gaps():
        missing[gap.witness] = missing.get(gap.witness, 0) + gap.last - gap.first + 1
    return render(
        request,
        "stations.html",
        status=status,
        zone=zone,
        loops=loops,
        kiosks=[kiosk for kiosk in registry.kiosks() if kiosk.closed_at is None],
        staff=staff,
        devices=_devices(house),
        heard_since=now - HEARD,
        token=token if waiting else "",
        token_station=waiting.station if waiting else "",
        code=enrolling.code(house.public_url, token) if waiting else "",
        server=house.public_url,
        missing=missing,
        program=VERSION,
        mistake=mistake,
        **Words(texts(language_of(request)), now, zone, loops).for_templates(),
    )


def _devices(house: House) -> list[tuple[str, str, Tracker | None]]:
    """Trackers with the truck each reports for now; drivers' phones are the passes' business, terminals have their own page."""
    registry, now = house.store.registry, house.now()
    trackers = registry.trackers()
    found = [
        (device, house.intake.vehicle_of(device, now) or "", trackers.get(device))
        for device in registry.devices()
        if not device.startswith((PHONES, TERMINALS))
    ]
    return sorted(found, key=lambda row: (row[2] is not None and row[2].revoked_at is not None, row[1], row[0]))


async def page(request: Request) -> Response:
    """Stations, kiosks, staff, devices."""
    return await run_in_threadpool(_page, request)


async def _asked(request: Request) -> dict[str, str]:
    form = await request.form()
    return {key: " ".join(str(value).split())[:200] for key, value in form.items()}


async def place_kiosk(request: Request) -> Response:
    """Make a one-time token with which a kiosk enrols for a station; it is shown now and never again."""
    asked = await _asked(request)

    def work() -> Response:
        house, station = house_of(request), asked.get("station", "")
        if not any(loop.station(station) for loop in loops_now(house, house.now())):
            t = texts(language_of(request))
            return _page(request, mistake=t("fault.station", station=station[:MAX_NAME_CHARS]), status=422)
        token = secrets.token_hex(16)
        house.store.registry.add_kiosk(station, digest(token), house.now() + TOKEN_LASTS)
        return once.lead_to(house, "/stations", token)

    return await run_in_threadpool(work)


async def close_kiosk(request: Request) -> Response:
    """Let a kiosk in no more."""
    return await _of_a_kiosk(request, house_of(request).store.registry.close_kiosk)


async def renew_kiosk(request: Request) -> Response:
    """Ask a kiosk to make itself another key."""
    return await _of_a_kiosk(request, house_of(request).store.registry.ask_new_key)


async def _of_a_kiosk(request: Request, work: Callable[[str], bool]) -> Response:
    if not await run_in_threadpool(work, request.path_params["kiosk"]):
        raise Problem(404, "no-kiosk")
    return RedirectResponse("/stations", 303)


async def add_staff(request: Request) -> Response:
    """Somebody who signs on at kiosks, with a PIN."""
    asked = await _asked(request)

    def work() -> Response:
        t, name = texts(language_of(request)), asked.get("name", "")
        if not 1 <= len(name) <= MAX_NAME_CHARS:
            return _page(request, mistake=t("fault.name", most=MAX_NAME_CHARS), status=422)
        try:
            sealed = pins.seal(asked.get("pin", ""), secrets.token_bytes(pins.SALT_BYTES))
        except pins.UnfitPin:
            return _page(request, mistake=t("fault.pin"), status=422)
        house_of(request).store.registry.add_staff(name, sealed)
        return RedirectResponse("/stations#staff", 303)

    return await run_in_threadpool(work)


async def change_staff(request: Request) -> Response:
    """Take a member of staff off the kiosks' lists, or put them back on."""
    asked = await _asked(request)
    active = asked.get("active") == "1"
    change = house_of(request).store.registry.change_staff
    if not await run_in_threadpool(lambda: change(request.path_params["member"], active=active)):
        raise Problem(404, "no-member")
    return RedirectResponse("/stations#staff", 303)


async def bind(request: Request) -> Response:
    """Let a phone or terminal report the positions of a vehicle."""
    asked = await _asked(request)

    def work() -> Response:
        house: House = house_of(request)
        t, device = texts(language_of(request)), asked.get("device", "")
        values: dict[str, Any] = {}
        try:
            vehicle = normal_plate(asked.get("vehicle", ""))
        except ValueError:
            values["mistake"] = t("fault.plate", plate=asked.get("vehicle", "")[:20])
            vehicle = ""
        if not may_be_bound(house, device):
            values["mistake"] = t("fault.device")
        try:
            since, until = times_of(house, asked)
        except ValueError:
            values["mistake"] = t("fault.until")
        if values:
            return _page(request, status=422, **values)
        bind_device(house, device, vehicle, caller_of(request), since, until)
        return RedirectResponse("/stations#devices", 303)

    return await run_in_threadpool(work)


DESK = (COORDINATOR,)
ROUTES = (
    Rule("/stations", ("GET",), page, DESK),
    Rule("/stations/kiosks", ("POST",), place_kiosk, DESK, step_up=True),
    Rule("/stations/kiosks/{kiosk}/close", ("POST",), close_kiosk, DESK, step_up=True),
    Rule("/stations/kiosks/{kiosk}/renew", ("POST",), renew_kiosk, DESK, step_up=True),
    Rule("/stations/staff", ("POST",), add_staff, DESK),
    Rule("/stations/staff/{member}", ("POST",), change_staff, DESK),
    Rule("/stations/devices", ("POST",), bind, DESK, step_up=True),
)
