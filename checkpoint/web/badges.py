"""Badges at the desk: made and printed for a member of staff, taken back when lost.

A badge is shown once, to be printed; the server keeps its seal. It takes the place of the one before. What is taken back dies
at each kiosk with its next reading of the feed, and the PIN goes on working.
"""

from __future__ import annotations

import secrets

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.core import badges
from checkpoint.store.registry import StaffMember
from checkpoint.web import once
from checkpoint.web.access import COORDINATOR, Rule
from checkpoint.web.house import House, house_of
from checkpoint.web.page import render
from checkpoint.web.problems import Problem


def _member(house: House, wanted: str) -> StaffMember:
    """A member of staff whom kiosks know. Raises `Problem`."""
    found = next((m for m in house.store.registry.staff(active=None) if m.id == wanted and (m.pin or m.badge)), None)
    if found is None:
        raise Problem(404, "no-member")
    return found


async def make(request: Request) -> Response:
    """Make a badge for somebody; the one before opens nothing from each kiosk's next reading on."""

    def work() -> Response:
        house = house_of(request)
        member = _member(house, request.path_params["member"])
        text = badges.make(secrets.token_bytes(badges.SECRET_BYTES))
        house.store.registry.give_badge(member.id, badges.seal(text))
        return once.lead_to(house, f"/stations/staff/{member.id}/badge", text)

    return await run_in_threadpool(work)


async def show(request: Request) -> Response:
    """The badge that was just made, to be printed; a badge made before is not shown again."""

    def work() -> Response:
        house, text = house_of(request), once.secret_of(request)
        member = _member(house, request.path_params["member"])
        fresh = text if badges.fits(text, member.badge) else ""
        return render(request, "badge.html", member=member, text=fresh)

    return await run_in_threadpool(work)


async def revoke(request: Request) -> Response:
    """Take a badge back."""

    def work() -> Response:
        house = house_of(request)
        house.store.registry.give_badge(_member(house, request.path_params["member"]).id, "")
        return RedirectResponse("/stations#staff", 303)

    return await run_in_threadpool(work)


DESK = (COORDINATOR,)
ROUTES = (
    Rule("/stations/staff/{member}/badge", ("POST",), make, DESK, step_up=True),
    Rule("/stations/staff/{member}/badge", ("GET",), show, DESK),
    Rule("/stations/staff/{member}/badge/revoke", ("POST",), revoke, DESK),
)
