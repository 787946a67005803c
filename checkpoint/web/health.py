"""Is it well? `/livez`, `/readyz` and `/metrics`, for whatever watches over the machine.

The law of this file: `/livez` says that the process answers, and nothing else can make it fail: whoever restarts a server
because its disk is full makes things worse. `/readyz` says whether to send it work: the checks are one list, each with a time
limit, and one that fails makes it 503. (They run in asyncio's threads, which can be given up; Starlette's are waited for.)

The names of the checks and whether they hold are anybody's. Figures are for programs on this machine, for an administrator, and
for whoever has `CHECKPOINT_METRICS_TOKEN`. None of it names a person, plate or place.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.version import VERSION
from checkpoint.web import bounds
from checkpoint.web.access import ADMINISTRATOR, ANYONE, Rule, caller_of
from checkpoint.web.api import answer
from checkpoint.web.house import House, house_of
from checkpoint.web.limits import STATIONS
from checkpoint.web.meters import CONTENT_TYPE
from checkpoint.web.problems import Problem

LIMIT_S = 2.0
# A round of the watch is looked for every five seconds; one that takes a minute is no watch.
BEHIND_S = 60.0
# The courier goes round every two seconds.
OVERDUE = timedelta(minutes=10)


class Finding(NamedTuple):
    """What a check found: whether it holds, and its figures in a few words for machines."""

    ok: bool
    detail: str = ""


class Check(NamedTuple):
    """One thing that must hold. `ask` runs in a thread, may block, and may raise."""

    name: str
    ask: Callable[[House], Finding]


def _database(house: House) -> Finding:
    """The database reads."""
    return Finding(house.store.answers())


def _writing(house: House) -> Finding:
    """What is handed in is written."""
    return Finding(not house.store.stuck, f"waiting={house.store.waiting}")


def _room(house: House) -> Finding:
    """There is room on the disk. Little of it refuses positions and leaves the server ready: scans are still taken."""
    room = house.store.room()
    free = "unknown" if room.free_bytes is None else room.free_bytes >> 20
    return Finding(room.state != "last", f"free_mb={free} state={room.state}")


def _migrations(house: House) -> Finding:
    """The schema is this program's."""
    return Finding(house.store.at_head())


def _watch(house: House) -> Finding:
    """The watch runs, and not long ago finished a round."""
    pulse = house.watch.pulse()
    return Finding(pulse.running and pulse.age_s <= BEHIND_S, f"age_s={pulse.age_s:.0f} waiting={pulse.waiting}")


def _chores(house: House) -> Finding:
    """What the server does by itself does not fail again and again."""
    stuck = house.chores.stuck(house.now())
    return Finding(not stuck, " ".join(stuck))


def _record(house: House) -> Finding:
    """No kiosk has read further than the record goes: it was not brought back in silence (`checkpoint restored mark`)."""
    return Finding(not house.store.went_back)


def _outbox(house: House) -> Finding:
    """What somebody wants to be told of goes out. A webhook that fails is its owner's to mend, and leaves us ready."""
    overdue = house.store.registry.outgoing_overdue(house.now() - OVERDUE)
    return Finding(not overdue, f"overdue={overdue}")


CHECKS: tuple[Check, ...] = (
    Check("database", _database),
    Check("writing", _writing),
    Check("room", _room),
    Check("migrations", _migrations),
    Check("watch", _watch),
    Check("chores", _chores),
    Check("record", _record),
    Check("outbox", _outbox),
)


async def _found(check: Check, house: House) -> Finding:
    """What a check found; one that takes too long, or fails to find anything, does not hold."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(check.ask, house), LIMIT_S)
    except TimeoutError:
        return Finding(False, "no answer")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an answer to the question
        return Finding(False, type(error).__name__)


async def livez(request: Request) -> Response:
    """The process answers. `facts` is the last number in the record, null when the database does not say so at once."""
    house = house_of(request)
    try:
        facts = await asyncio.wait_for(asyncio.to_thread(house.store.last_number), LIMIT_S / 2)
    except Exception:  # noqa: BLE001 - a database that fails is for /readyz to tell
        facts = None
    return answer({"status": "ok", "facts": facts, "server_time": house.now(), "program": VERSION})


async def readyz(request: Request) -> Response:
    """Whether to send work here: each check by name, 503 when one does not hold."""
    house = house_of(request)
    found = await asyncio.gather(*(_found(check, house) for check in CHECKS))
    ready, figures = all(finding.ok for finding in found), _may_see(request, house)
    checks = [
        {"name": check.name, "ok": finding.ok} | ({"detail": finding.detail} if figures and finding.detail else {})
        for check, finding in zip(CHECKS, found, strict=True)
    ]
    said = {"status": "ready" if ready else "not-ready", "server_time": house.now(), "checks": checks}
    return answer(said, 200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Everything counted and measured, in Prometheus' text form."""
    house = house_of(request)
    if not _may_see(request, house):
        raise Problem(403, "metrics")
    body = await run_in_threadpool(house.meters.text, house)
    return Response(body, headers={"Content-Type": CONTENT_TYPE})


def _may_see(request: Request, house: House) -> bool:
    if bounds.direct(request) or caller_of(request).role == ADMINISTRATOR:
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    wanted = house.metrics_token
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), wanted.encode())


ROUTES = (
    Rule("/livez", ("GET",), livez, (ANYONE,), rate=STATIONS, vital=True),
    Rule("/readyz", ("GET",), readyz, (ANYONE,), rate=STATIONS, vital=True),
    Rule("/metrics", ("GET",), metrics, (ANYONE,), vital=True),
)
