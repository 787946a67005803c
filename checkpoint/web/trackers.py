"""Trackers at the desk: set up with a key of their own, given another key, shut out."""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.bindings import PHONES, TERMINALS, Bound
from checkpoint.core.passes import normal_plate
from checkpoint.ui import texts
from checkpoint.web import devices, once, terminals
from checkpoint.web.access import COORDINATOR, Rule, caller_of, digest
from checkpoint.web.declared import said_of_clock
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.set_up import set_up

MOST_UNUSABLE = 5


async def make(request: Request) -> Response:
    """Set a tracker up for a vehicle; its key is shown by the page that this leads to."""
    form = await request.form()
    plate = str(form.get("vehicle", ""))

    def work() -> Response:
        house = house_of(request)
        try:
            vehicle = normal_plate(plate)
        except ValueError:
            why = texts(language_of(request))("fault.plate", plate=plate[:20])
            raise Problem(422, "malformed", why=why) from None
        device, found = devices.new_tracker(house, vehicle, caller_of(request))
        return once.lead_to(house, f"/stations/trackers/{device}", found.key)

    return await run_in_threadpool(work)


async def one(request: Request) -> Response:
    """A tracker: whose it is, when it was heard, and how it is set up, right after that was made."""

    def work() -> Response:
        house, device, t = house_of(request), request.path_params["device"], texts(language_of(request))
        bound, now = _bound(request), house.now()
        if house.store.registry.terminal(device) is not None:
            return RedirectResponse(f"/stations/terminals/{quote(device)}", 303)
        key, tracker = once.secret_of(request), house.store.registry.tracker(device)
        mine = house.store.registry.tracker_by_key(digest(key)) if key else None
        fresh = mine is not None and mine.device == device
        found = set_up(house, device, key, bound.vehicle(now) or "") if fresh else None
        return render(
            request,
            "tracker.html",
            zone=devices.zone_here(house),
            device=device,
            vehicle=bound.vehicle(now) or "",
            bound=bound,
            tracker=tracker,
            set_up=found,
            unusable=house.store.aside(MOST_UNUSABLE, source=f"device:{device}"),
            clock_said=said_of_clock(house, device, language_of(request)),
            reason=lambda why: t(f"aside.{why}") if f"aside.{why}" in t else why,
        )

    return await run_in_threadpool(work)


async def rekey(request: Request) -> Response:
    """Give a device another key: what it showed before is not believed any more. One that never had a key gets one."""

    def work() -> Response:
        house, device = house_of(request), request.path_params["device"]
        _bound(request)
        if device.startswith((PHONES, TERMINALS)):
            raise Problem(404, "no-tracker")
        key = devices.new_key()
        house.store.registry.add_tracker(device, digest(key))
        return once.lead_to(house, f"/stations/trackers/{device}", key)

    return await run_in_threadpool(work)


async def release(request: Request) -> Response:
    """From when on a device reports for nobody."""
    form = await request.form()
    asked = {key: str(value) for key, value in form.items()}

    def work() -> Response:
        house, device = house_of(request), request.path_params["device"]
        bound = _bound(request)
        try:
            since, _ = devices.times_of(house, {"since": asked.get("since", "")})
        except ValueError:
            raise Problem(422, "malformed", why=texts(language_of(request))("fault.until")) from None
        vehicle = bound.vehicle(since or house.now())
        if device.startswith(PHONES) or vehicle is None:
            raise Problem(404, "no-tracker")
        devices.release_device(house, device, vehicle, caller_of(request), since)
        return RedirectResponse(f"/stations/trackers/{quote(device)}", 303)

    return await run_in_threadpool(work)


async def revoke(request: Request) -> Response:
    """Believe a device no more. What it sent stays."""

    def work() -> Response:
        house, device = house_of(request), request.path_params["device"]
        _bound(request)
        if house.store.registry.terminal(device) is not None:
            terminals.shut_out(house, device)
        else:
            house.store.registry.revoke_tracker(device)
        return RedirectResponse("/stations#devices", 303)

    return await run_in_threadpool(work)


def _bound(request: Request) -> Bound:
    """What the device reported for. Raises `Problem` when nobody ever bound it."""
    found = house_of(request).intake.bound(request.path_params["device"])
    if not found.bindings and found.before is None:
        raise Problem(404, "no-tracker")
    return found


DESK = (COORDINATOR,)
# A device's own number may hold anything that can be printed, a slash too.
ROUTES = (
    Rule("/stations/trackers", ("POST",), make, DESK, step_up=True),
    Rule("/stations/trackers/{device:path}", ("GET",), one, DESK),
    Rule("/stations/trackers/{device:path}", ("POST",), rekey, DESK, step_up=True),
    Rule("/stations/release/{device:path}", ("POST",), release, DESK),
    Rule("/stations/shut-out/{device:path}", ("POST",), revoke, DESK),
)
