"""Trucks' own terminals at the desk: enrolled by number and plate, looked at, opened for registration again, shut out; and who
knocked with a number that nobody enrolled.

The law of this file: a terminal is enrolled before it is let in, and one that was shut out is let in by opening it and by nothing
else. Its number is no secret and its plate is its own word: what
stands here of it shows where the two differ, and lets a person decide.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.bindings import TERMINALS
from checkpoint.core.passes import normal_plate
from checkpoint.gateway.listener import CHANNEL
from checkpoint.store.registry import Terminal
from checkpoint.ui import texts
from checkpoint.web.access import COORDINATOR, Caller, Rule, caller_of
from checkpoint.web.api import Command, answer, body_of, faulty
from checkpoint.web.api_answers import DeviceTaken
from checkpoint.web.board import loops_now
from checkpoint.web.devices import bind_device, zone_here
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.paging import Instant
from checkpoint.web.problems import Problem
from checkpoint.web.words import Words
from checkpoint.wish import Fault, Faulty

# How long a device may register under a number after the desk said so.
OPEN = timedelta(days=3)
# A number is the SIM's in most terminals; 2019 has room for twenty digits.
MOST_DIGITS = 20


class NewTerminal(Command, frozen=True):
    """A truck's terminal by its number, as its header has it (leading zeros are nothing), and the plate it reports for from
    `since` (now) on."""

    number: str
    vehicle: str
    since: Instant | None = None


def enrol(house: House, number: str, plate: str, caller: Caller, since: datetime | None = None) -> DeviceTaken:
    """Let a terminal register, and lay what it reports to a vehicle from when (None: now) on. Raises `Faulty`, and `Problem`
    (409) when it is shut out: that stands until somebody opens it who knows."""
    faults, digits, vehicle = [], "".join(number.split()).lstrip("0"), ""
    if not digits or len(digits) > MOST_DIGITS or not digits.isascii() or not digits.isdecimal():
        faults.append(Fault("$.number", "fault.terminal"))
    try:
        vehicle = normal_plate(plate)
    except ValueError:
        faults.append(Fault("$.vehicle", "fault.plate", plate=plate[:20]))
    if faults:
        raise Faulty(faults)
    device = TERMINALS + digits
    if not house.store.registry.enrol_terminal(device, vehicle, house.now() + OPEN):
        raise Problem(409, "terminal-out", number=digits, page=f"/stations/terminals/{device}")
    bind_device(house, device, vehicle, caller, since)
    return DeviceTaken(device=device, vehicle=vehicle)


def shut_out(house: House, device: str) -> None:
    """Believe a terminal no more; where it is connected, it is cut off."""
    house.store.registry.revoke_terminal(device)
    house.store.signals.publish(CHANNEL, f"desk out {device}")


def _page(request: Request, *, mistake: str = "", status: int = 200) -> Response:
    house = house_of(request)
    now, registry, loops = house.now(), house.store.registry, loops_now(house, house.now())
    return render(
        request,
        "terminals.html",
        status=status,
        zone=zone_here(house),
        found=[(each, house.intake.vehicle_of(each.device, now) or "") for each in registry.terminals().values()],
        knocks=registry.terminal_knocks(),
        apart=house.store.unproved(),
        where=where(house),
        mistake=mistake,
        **Words(texts(language_of(request)), now, zone_here(house), loops).for_templates(),
    )


def where(house: House) -> str:
    """What is typed into a terminal for the platform's address; empty when this server hears none."""
    return f"{urlsplit(house.public_url).hostname}:{house.terminals.port}" if house.terminals is not None else ""


async def page(request: Request) -> Response:
    """All terminals, and who knocked."""
    return await run_in_threadpool(_page, request)


async def make(request: Request) -> Response:
    """Enrol a terminal."""
    form = await request.form()
    number, plate = (str(form.get(name, "")) for name in ("number", "vehicle"))

    def work() -> Response:
        t = texts(language_of(request))
        try:
            taken = enrol(house_of(request), number, plate, caller_of(request))
        except Faulty as error:
            return _page(request, mistake=" ".join(t(f.key, **f.values) for f in error.faults), status=422)
        except Problem as problem:
            return _page(request, mistake=problem.detail(t), status=problem.status)
        return RedirectResponse(f"/stations/terminals/{taken.device}", 303)

    return await run_in_threadpool(work)


async def one(request: Request) -> Response:
    """A terminal: whose it is, whether it is here, what it says it is, what it was told."""

    def work() -> Response:
        house, terminal = house_of(request), _terminal(request)
        now, loops = house.now(), loops_now(house, house.now())
        vehicle = house.intake.vehicle_of(terminal.device, now) or ""
        last, _ = house.store.positions_around(vehicle, terminal.device, now + timedelta(days=1)) if vehicle else (None, None)
        return render(
            request,
            "terminal.html",
            zone=zone_here(house),
            terminal=terminal,
            vehicle=vehicle,
            open_now=terminal.open_until is not None and now < terminal.open_until,
            alarms=last.alarms if last is not None else (),
            where=where(house),
            **Words(texts(language_of(request)), now, zone_here(house), loops).for_templates(),
        )

    return await run_in_threadpool(work)


async def reopen(request: Request) -> Response:
    """Let any device register under a number for a while: the terminal was changed, or is let in again."""

    def work() -> Response:
        house, terminal = house_of(request), _terminal(request)
        house.store.registry.open_terminal(terminal.device, house.now() + OPEN)
        return RedirectResponse(f"/stations/terminals/{terminal.device}", 303)

    return await run_in_threadpool(work)


async def order(request: Request) -> Response:
    """Tell a terminal once more what it did not take."""

    def work() -> Response:
        registry, terminal = house_of(request).store.registry, _terminal(request)
        registry.terminal_told(terminal.device, "parameters", "", "")
        registry.terminal_told(terminal.device, "route", "", "")
        # It asks nothing: it is told when it comes the next time.
        house_of(request).store.signals.publish(CHANNEL, f"desk out {terminal.device}")
        return RedirectResponse(f"/stations/terminals/{terminal.device}", 303)

    return await run_in_threadpool(work)


async def revoke(request: Request) -> Response:
    """Shut a terminal out. What it sent stays."""

    def work() -> Response:
        shut_out(house_of(request), _terminal(request).device)
        return RedirectResponse("/stations/terminals", 303)

    return await run_in_threadpool(work)


async def take(request: Request) -> Response:
    """Enrol a terminal, as a program does it."""
    asked = await body_of(request, NewTerminal)
    try:
        taken = await run_in_threadpool(enrol, house_of(request), asked.number, asked.vehicle, caller_of(request), asked.since)
    except Faulty as error:
        raise faulty(request, error) from None
    return answer(taken)


def _terminal(request: Request) -> Terminal:
    found = house_of(request).store.registry.terminal(request.path_params["device"])
    if found is None:
        raise Problem(404, "no-terminal")
    return found


DESK = (COORDINATOR,)
ROUTES = (
    Rule("/stations/terminals", ("GET",), page, DESK),
    Rule("/stations/terminals", ("POST",), make, DESK, step_up=True),
    Rule("/stations/terminals/{device}", ("GET",), one, DESK),
    Rule("/stations/terminals/{device}/open", ("POST",), reopen, DESK, step_up=True),
    Rule("/stations/terminals/{device}/orders", ("POST",), order, DESK),
    Rule("/stations/terminals/{device}/shut-out", ("POST",), revoke, DESK),
    Rule("/api/v1/terminals", ("POST",), take, DESK, step_up_people=True),
)
