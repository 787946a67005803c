"""What a coordinator declares of a device: the datum of its positions, and how far its clock is off. For every device."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.core.datum import Datum
from checkpoint.core.declared import ODD_TIMES, Declared
from checkpoint.store.registry.declared import is_odd
from checkpoint.ui import clock, texts
from checkpoint.web import devices
from checkpoint.web.access import COORDINATOR, Rule
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem

DATUMS: tuple[Datum, ...] = ("WGS-84", "GCJ-02")
# Thirty years either way: the weeks of satellites begin anew after twenty.
MOST_MINUTES = 30 * 366 * 24 * 60
MOST_WAITING = 1_000


def _known(request: Request) -> str:
    """The device the address names. Raises `Problem` when nobody ever bound it and nothing of it waits."""
    house, device = house_of(request), request.path_params["device"]
    bound = house.intake.bound(device)
    if not bound.ever and not house.store.strangers(1, device):
        raise Problem(404, "no-tracker")
    return str(device)


def said_of_clock(house: House, device: str, lang: str) -> str:
    """What was noticed of a device's clock, in words; empty when there is nothing to say."""
    ways, t = house.store.registry.ways_of(device), texts(lang)
    if ways.seen_clock_s is None or not is_odd(ways):
        return ""
    off_s = ways.seen_clock_s
    if not off_s:
        return t("declared.seen.right")
    said = t("declared.seen.ahead" if off_s > 0 else "declared.seen.behind", span=clock.span(abs(off_s), t))
    whole_hours = abs(off_s - round(off_s / 3600) * 3600) <= 180 and abs(off_s) <= 14 * 3600
    return f"{said} {t('declared.seen.zone')}" if whole_hours else said


def odd_clocks(house: House, lang: str) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """The devices whose clock is off, or whose fixes wait because of their time: what was noticed, and why so many wait."""
    waiting: dict[str, Counter[str]] = {device: Counter() for device in house.store.registry.odd_clocks()}
    for each in house.store.strangers(MOST_WAITING):
        if each.why in ODD_TIMES:
            waiting.setdefault(each.device, Counter())[each.why] += 1
    return [(device, said_of_clock(house, device, lang), whys.most_common()) for device, whys in sorted(waiting.items())]


def _page(request: Request, mistake: str = "", status: int = 200) -> Response:
    house, device, lang = house_of(request), _known(request), language_of(request)
    waiting = [each for each in house.store.strangers(MOST_WAITING, device) if each.why in ODD_TIMES]
    t = texts(lang)
    return render(
        request,
        "declared.html",
        status=status,
        zone=devices.zone_here(house),
        device=device,
        vehicle=house.intake.vehicle_of(device, house.now()) or "",
        ways=house.store.registry.ways_of(device),
        seen=said_of_clock(house, device, lang),
        datums=DATUMS,
        most=MOST_MINUTES,
        waiting=waiting,
        reason=lambda why: t(f"aside.{why}") if f"aside.{why}" in t else why,
        mistake=mistake,
    )


async def page(request: Request) -> Response:
    """What was declared of a device, what was noticed of its clock, and what waits."""
    return await run_in_threadpool(_page, request)


async def declare(request: Request) -> Response:
    """Say of a device what its positions are to be read by, from now on; what waited for it is taken in."""
    form = await request.form()
    datum, written = str(form.get("datum", "")), str(form.get("minutes", "") or "0")

    def work() -> Response:
        house, device, t = house_of(request), _known(request), texts(language_of(request))
        try:
            minutes = float(written)
        except ValueError:
            minutes = float("nan")
        if datum not in DATUMS or not abs(minutes) <= MOST_MINUTES:
            return _page(request, t("declared.mistake", most=MOST_MINUTES), 422)
        house.intake.declare(device, Declared(datum=datum, clock_s=round(minutes * 60)))
        return RedirectResponse(f"/stations/declared/{quote(device)}", 303)

    return await run_in_threadpool(work)


# A device's own number may hold anything that can be printed, a slash too.
ROUTES = (
    Rule("/stations/declared/{device:path}", ("GET",), page, (COORDINATOR,)),
    Rule("/stations/declared/{device:path}", ("POST",), declare, (COORDINATOR,)),
)
