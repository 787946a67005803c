"""A recorded track handed in at the desk: a file, the datum it is in, and the vehicle whose page it was opened from."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.core.datum import BY_NAME, Datum
from checkpoint.core.facts import DeviceBound, Fact
from checkpoint.decoders.recorded import MAX_BYTES, MalformedTrack, decode
from checkpoint.importing import Imported, NotImported, device_for, take_in
from checkpoint.ui import texts
from checkpoint.web.access import COORDINATOR, Rule, caller_of
from checkpoint.web.house import house_of
from checkpoint.web.journeys import look_of
from checkpoint.web.page import FALLBACK_ZONE, language_of, render


def _page(request: Request, mistake: str = "", done: Imported | None = None, file: str = "", status: int = 200) -> Response:
    look, _ = look_of(request)
    loop = look.view.loop
    return render(
        request,
        "import.html",
        status=status,
        zone=loop.zone if loop is not None else FALLBACK_ZONE,
        vehicle=look.view.vehicle,
        datums=tuple(BY_NAME),
        mistake=mistake,
        done=done,
        file=file,
    )


async def page(request: Request) -> Response:
    """The form."""
    return await run_in_threadpool(_page, request)


async def hand_in(request: Request) -> Response:
    """Take the file in, and say what became of its positions; or what is wrong with it, by its line."""
    form = await request.form(max_part_size=MAX_BYTES)
    sent = form.get("file")
    name = (sent.filename or "") if isinstance(sent, UploadFile) else ""
    data = await sent.read() if isinstance(sent, UploadFile) else b""
    datum = BY_NAME.get(str(form.get("datum", "")), "WGS-84")
    await form.close()
    return await run_in_threadpool(_take, request, name[:100], data, datum)


def _take(request: Request, name: str, data: bytes, datum: Datum) -> Response:
    house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
    look, _ = look_of(request)
    vehicle, loop = look.view.vehicle, look.view.loop
    if not data:
        return _page(request, t("import.wanted"), status=422)
    device = device_for(vehicle)
    told = DeviceBound(device=device, vehicle=vehicle)
    said = Fact(id="", at=house.now(), witness=caller.witness, by=caller.by, what=told)
    try:
        recording = decode(data, datum, loop.zone if loop is not None else FALLBACK_ZONE)
        done = take_in(house.intake, vehicle, recording.drives, device, fact=said)
    except MalformedTrack as error:
        return _page(request, t(f"recorded.{error.why}", **error.values), file=name, status=422)
    except NotImported as error:
        return _page(request, t(f"import.{error.why}", **error.values), file=name, status=422)
    return _page(request, done=done, file=name)


ROUTES = (
    Rule("/vehicles/{plate}/import", ("GET",), page, (COORDINATOR,)),
    Rule("/vehicles/{plate}/import", ("POST",), hand_in, (COORDINATOR,), body_bytes=MAX_BYTES + 10_000, step_up=True),
)
