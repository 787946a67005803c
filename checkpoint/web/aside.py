"""What was set aside: everything that came and could not be taken as it was, with the reason. Nothing is dropped in silence."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.ui import texts
from checkpoint.web.access import COORDINATOR, Rule
from checkpoint.web.board import loops_now
from checkpoint.web.declared import odd_clocks
from checkpoint.web.house import house_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.reads import noted, people_in
from checkpoint.web.sources import roughly
from checkpoint.web.words import Words

MOST = 200
MOST_SHOWN_CHARS = 4000


def _page(request: Request) -> Response:
    house = house_of(request)
    now, loops = house.now(), loops_now(house, house.now())
    zone = loops[0].zone if loops else FALLBACK_ZONE
    t = texts(language_of(request))
    rows = [(each, each.raw.decode("utf-8", errors="replace")[:MOST_SHOWN_CHARS]) for each in house.store.aside(MOST)]
    noted(request, "aside", set().union(*(people_in(house.store, raw) for _, raw in rows)))
    return render(
        request,
        "aside.html",
        zone=zone,
        rows=rows,
        reason=lambda why: t(f"aside.{why}") if f"aside.{why}" in t else why,
        strangers=[(each, roughly(each, loops)) for each in house.store.strange_devices(MOST)],
        clocks=odd_clocks(house, language_of(request)),
        plates=sorted(house.watch.looks()),
        local=lambda at: at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S"),
        gaps=house.store.gaps(),
        brought_back=bool(house.store.lost),
        **Words(t, now, zone, loops).for_templates(),
    )


async def page(request: Request) -> Response:
    """What was set aside, positions of unknown devices, and gaps in what witnesses sent."""
    return await run_in_threadpool(_page, request)


ROUTES = (Rule("/aside", ("GET",), page, (COORDINATOR,)),)
