"""What a driver is told of who looked at their data: readings by people and programs, and the gates that scanned their pass.

The law of this file: nothing is left out. Readings of one reader and kind on one day are one line, from the first to the last
hour; a scan is a line of its own, since the screen at the gate showed a verdict. Readers are told by role and pseudonym.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import CrewJoined, PassGranted, Scanned, Word
from checkpoint.store import Store
from checkpoint.ui import texts
from checkpoint.web.access import DRIVER, Rule, caller_of
from checkpoint.web.board import loops_now
from checkpoint.web.driver import bound_of, zone_of
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.words import Words

MOST_LINES = 300


class ReadLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: from when to when who read what. A scan has its `station` and the `word` that its screen showed."""

    since: datetime
    until: datetime
    reader: str
    role: str = ""
    way: str = ""
    what: str = ""
    station: str = ""
    word: Word | None = None


def read_lines(store: Store, person: str, zone: tzinfo) -> list[ReadLine]:
    """Everyone who read about a person, the newest first."""
    lines: dict[tuple[object, ...], ReadLine] = {}
    for trace in store.traces.of(person):
        key = (trace.at.astimezone(zone).date(), trace.reader, trace.role, trace.way, trace.what)
        known = lines.get(key)
        lines[key] = ReadLine(
            since=trace.at,
            until=known.until if known is not None else trace.at,
            reader=trace.reader,
            role=trace.role,
            way=trace.way,
            what=trace.what,
        )
    passes = {
        f"pass:{fact.what.pass_id}"
        for fact in store.facts_of(f"person:{person}")
        if isinstance(fact.what, PassGranted | CrewJoined)
    }
    scans = [
        ReadLine(since=fact.at, until=fact.at, reader=fact.by, station=fact.station, word=fact.what.shown.word)
        for fact in store.facts_of(*sorted(passes))
        if isinstance(fact.what, Scanned)
    ]
    return sorted((*lines.values(), *scans), key=lambda line: (line.until, line.since), reverse=True)


def _page(request: Request) -> Response:
    house = house_of(request)
    bound = bound_of(house, caller_of(request))
    if bound is None:
        raise Problem(403, "not-bound")
    now, zone = house.now(), zone_of(house, bound)
    lines = read_lines(house.store, bound.link.person, zone)
    return render(
        request,
        "driver/reads.html",
        zone=zone,
        lines=lines[:MOST_LINES],
        more=max(len(lines) - MOST_LINES, 0),
        **Words(texts(language_of(request)), now, zone, loops_now(house, now)).for_templates(),
    )


async def page(request: Request) -> Response:
    """Who looked at my data."""
    return await run_in_threadpool(_page, request)


ROUTES = (Rule("/driver/reads", ("GET",), page, (DRIVER,)),)
