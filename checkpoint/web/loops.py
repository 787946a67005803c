"""Loops at the desk: what is published and from when, a document published, a line taken from a recorded drive.

A published version never changes; whoever wants another plan publishes the next version. An imported line is shown drawn,
inside the document, before anything is in force.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.core.facts import Fact, LoopPublished, digest_id
from checkpoint.core.loop import MAX_DOCUMENT_BYTES, Leg, Loop, MalformedLoop, in_force, parse
from checkpoint.decoders import line
from checkpoint.ui import texts
from checkpoint.web.access import COORDINATOR, Caller, Rule, caller_of
from checkpoint.web.house import House, house_of
from checkpoint.web.overview import Drawing, drawing
from checkpoint.web.page import FALLBACK_ZONE, language_of, render
from checkpoint.web.problems import Problem

MAX_LINE_BYTES = 20 * 1024 * 1024
Stage = Literal["counting", "coming", "over"]


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: whether it counts now, will, or is over."""

    loop: Loop
    stage: Stage


def versions(house: House, now: datetime) -> dict[str, list[VersionRow]]:
    """Every version by loop, the newest first."""
    found = {}
    for loop_id, known in house.store.loops().all().items():
        counting = in_force(known, now)
        found[loop_id] = [
            VersionRow(loop=v, stage="counting" if v is counting else "coming" if v.effective_from > now else "over")
            for v in reversed(known)
        ]
    return found


def _page(
    request: Request,
    *,
    document: str = "",
    problems: tuple[str, ...] = (),
    preview: Drawing | None = None,
    previewed: Loop | None = None,
    status: int = 200,
) -> Response:
    house = house_of(request)
    known = versions(house, house.now())
    first = next((row.loop for rows in known.values() for row in rows), None)
    return render(
        request,
        "loops.html",
        status=status,
        zone=first.zone if first is not None else FALLBACK_ZONE,
        known=known,
        document=document,
        problems=problems,
        drawing=preview,
        previewed=previewed,
        named={s.id for s in previewed.stations} if previewed is not None else set(),
        legs=("outbound", "inbound"),
        datums=("WGS-84", "GCJ-02"),
    )


async def page(request: Request) -> Response:
    """Published loops, and the form for the next version."""
    return await run_in_threadpool(_page, request)


async def one(request: Request) -> Response:
    """One version: drawn, with its document."""

    def work() -> Response:
        house = house_of(request)
        loop = house.store.loops().version(request.path_params["loop"], request.path_params["version"])
        if loop is None:
            raise Problem(404, "not-found")
        return _page(
            request,
            document=_pretty(msgspec.to_builtins(loop)),
            preview=drawing((loop,), (), width=900, height=440),
            previewed=loop,
        )

    return await run_in_threadpool(work)


async def publish(request: Request) -> Response:
    """Look at a document, pasted or uploaded; publish it when that is what was asked."""
    form = await request.form()
    body = await _file_or_text(form, "file", "document")
    return await run_in_threadpool(_publish, request, body, "publish" in form)


def _publish(request: Request, body: bytes, meant: bool) -> Response:
    text = body.decode("utf-8", errors="replace")
    try:
        loop = parse(body)
    except MalformedLoop as error:
        return _page(request, document=text, problems=error.problems, status=422)
    if not meant:
        return _page(request, document=text, preview=drawing((loop,), (), width=900, height=440), previewed=loop)
    if not put_in_force(house_of(request), caller_of(request), loop, text):
        t = texts(language_of(request))
        said = t("loops.version-taken", version=loop.version, loop=loop.id)
        return _page(request, document=text, problems=(said,), status=409)
    return RedirectResponse("/loops", 303)


def put_in_force(house: House, caller: Caller, loop: Loop, document: str) -> bool:
    """Publish a version. The same document again changes nothing; False when the version says something else already."""
    name = digest_id("loop", loop.id, str(loop.version))
    held = house.store.fact(name)
    if held is not None:
        return isinstance(held.fact.what, LoopPublished) and held.fact.what.document == document
    what = LoopPublished(loop=loop.id, version=loop.version, document=document)
    house.intake.record(Fact(id=name, at=house.now(), witness=caller.witness, by=caller.by, what=what))
    return True


# -- a line from a drive ----------------------------------------------------------------------------------------------


async def import_line(request: Request) -> Response:
    """Put the line of a GPX or GeoJSON file into the next version of a loop, drawn and ready to be published."""
    form = await request.form(max_part_size=MAX_LINE_BYTES)
    data = await _file_or_text(form, "file", "text")
    return await run_in_threadpool(_import, request, form, data)


def _import(request: Request, form: FormData, data: bytes) -> Response:
    house, t = house_of(request), texts(language_of(request))
    known = house.store.loops().all().get(str(form.get("loop", "")))
    leg: Leg = "inbound" if form.get("leg") == "inbound" else "outbound"
    if not known:
        raise Problem(404, "not-found")
    newest = known[-1]
    try:
        drawn = line.decode(data, "GCJ-02" if form.get("datum") == "GCJ-02" else "WGS-84", loop=newest)
    except line.MalformedLine as error:
        why = t(error.why, **error.values)
        return _page(request, problems=(t("loops.line-refused", why=why),), status=422)
    document: dict[str, Any] = msgspec.to_builtins(newest)
    document |= {leg: msgspec.to_builtins(drawn), "version": newest.version + 1, "effective_from": house.now().isoformat()}
    text = _pretty(document)
    try:
        loop = parse(text)
    except MalformedLoop as error:
        return _page(request, document=text, problems=error.problems, status=422)
    return _page(request, document=text, preview=drawing((loop,), (), width=900, height=440), previewed=loop)


def _pretty(document: dict[str, Any]) -> str:
    """A document as people edit it: indented, with each place of a line on a line of its own."""
    told = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    lines: list[str] = []
    for each in told.splitlines():
        inner = lines[-1].lstrip() if lines else ""
        # [\n 120.6,\n 28.0\n] is one place: put its two numbers beside each other.
        if inner.startswith("[") and not inner.endswith("],") and not inner.endswith("]") and _numeric(each.strip(" ,]")):
            lines[-1] += each.strip() + (" " if each.rstrip().endswith(",") else "")
        elif inner.startswith("[") and each.strip() in ("]", "],") and _numeric(inner.split()[-1].strip("[,")):
            lines[-1] += each.strip()
        else:
            lines.append(each)
    return "\n".join(lines) + "\n"


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


async def _file_or_text(form: FormData, file: str, text: str) -> bytes:
    """The uploaded file, or what was pasted in its place."""
    sent = form.get(file)
    data = await sent.read() if isinstance(sent, UploadFile) and sent.filename else str(form.get(text, "")).encode()
    await form.close()
    return data


DESK = (COORDINATOR,)
ROUTES = (
    Rule("/loops", ("GET",), page, DESK),
    # A form's text grows in transit: line ends and percent signs.
    Rule("/loops", ("POST",), publish, DESK, body_bytes=4 * MAX_DOCUMENT_BYTES, step_up=True),
    Rule("/loops/line", ("POST",), import_line, DESK, body_bytes=MAX_LINE_BYTES),
    Rule("/loops/{loop}/{version:int}", ("GET",), one, DESK),
)
