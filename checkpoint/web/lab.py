"""The laboratory's page: one result typed in, or a file of them; each is answered for itself, as by program."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.facts import Malformed
from checkpoint.intake import ResultTaken
from checkpoint.ui import texts
from checkpoint.web.access import LABORATORY, Rule, caller_of
from checkpoint.web.board import loops_now
from checkpoint.web.house import house_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render

RESULTS_BYTES = 4 * 1024 * 1024
VALUES = ("negative", "positive", "grey", "invalid")


def _page(request: Request, *, taken: tuple[ResultTaken, ...] = (), mistake: str = "", status: int = 200) -> Response:
    house = house_of(request)
    now, loops = house.now(), loops_now(house, house.now())
    zone = loops[0].zone if loops else FALLBACK_ZONE
    t = texts(language_of(request))
    return render(
        request,
        "lab.html",
        status=status,
        zone=zone,
        results=VALUES,
        reported=now.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
        taken=taken,
        reason=lambda why: t(f"aside.{why}") if f"aside.{why}" in t else why,
        mistake=mistake,
    )


async def page(request: Request) -> Response:
    """The form for results."""
    return await run_in_threadpool(_page, request)


async def report(request: Request) -> Response:
    """Take in the result typed, or those in the file, and say of each what became of it."""
    form = await request.form(max_part_size=RESULTS_BYTES)
    sent = form.get("file")
    data = await sent.read() if isinstance(sent, UploadFile) and sent.filename else None
    await form.close()

    def work() -> Response:
        house = house_of(request)
        try:
            body = data if data is not None else _typed(request, form)
            taken = house.intake.take_results(caller_of(request).who, body)
        except (Malformed, ValueError) as error:
            return _page(request, mistake=texts(language_of(request))("lab.malformed", why=str(error)), status=422)
        return _page(request, taken=tuple(taken))

    return await run_in_threadpool(work)


def _typed(request: Request, form: FormData) -> bytes:
    """The typed result in the form that programs send."""
    house = house_of(request)
    loops = loops_now(house, house.now())
    zone = loops[0].zone if loops else FALLBACK_ZONE
    given = {key: str(form.get(key, "")).strip() for key in ("accession", "tube", "result", "reported_at")}
    at = datetime.fromisoformat(given["reported_at"]).replace(tzinfo=zone).astimezone(UTC)
    return msgspec.json.encode({"results": [given | {"test": "pcr", "reported_at": at}]})


ROUTES = (
    Rule("/lab", ("GET",), page, (LABORATORY,)),
    Rule("/lab", ("POST",), report, (LABORATORY,), body_bytes=RESULTS_BYTES + 64 * 1024),
)
