"""After the record was brought back from a backup: what came back and from whom, and what is still missing."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Restored
from checkpoint.ui import texts
from checkpoint.web.access import ADMINISTRATOR, COORDINATOR, Rule, caller_of
from checkpoint.web.board import loops_now
from checkpoint.web.house import house_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.words import Words

MOST = 500


def _page(request: Request) -> Response:
    house = house_of(request)
    now, loops = house.now(), loops_now(house, house.now())
    zone = loops[0].zone if loops else FALLBACK_ZONE
    events = house.store.facts_of_kind(Restored.__name__)
    returned = house.store.returned()
    return render(
        request,
        "restored.html",
        zone=zone,
        events=events,
        # The kinds, times and witnesses of facts, and nothing of what they say of anybody.
        returned=returned[-MOST:][::-1],
        count=len(returned),
        most=MOST,
        kind_of=lambda one: type(one.recorded.fact.what).__name__,
        may_read=caller_of(request).role == COORDINATOR,
        gaps=house.store.gaps() if events else [],
        silent=house.store.not_heard_since(events[-1].recorded_at) if events else [],
        **Words(texts(language_of(request)), now, zone, loops).for_templates(),
    )


async def page(request: Request) -> Response:
    """What came back."""
    return await run_in_threadpool(_page, request)


ROUTES = (Rule("/restored", ("GET",), page, (COORDINATOR, ADMINISTRATOR)),)
