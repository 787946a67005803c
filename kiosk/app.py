"""The kiosk's page as an ASGI application: one route table, async at the edge, the desk in threads.

Frames of the camera are read in two threads of their own, so that a hard frame never holds up a deed; a photograph is
read in a child process (see `scanner`). Every answer to the page is the same shape: what the screen says now.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from checkpoint.core import enrolling
from checkpoint.logs import Logged
from checkpoint.ui import LANGUAGES, STATIC, pick_language, texts
from checkpoint.version import VERSION
from kiosk import scanner
from kiosk.deeds import AnyDeed
from kiosk.link import NotEnrolled
from kiosk.station import Kiosk
from kiosk.web.guard import LOCAL_NAMES, Guard
from kiosk.web.render import HERE, page

MAX_FRAME_BYTES = 4 * 1024 * 1024
MAX_FORM_BYTES = 64 * 1024
READING_THREADS = 2
LANGUAGE_COOKIE = "lang"
# What the page asks many times a minute.
QUIET = frozenset({"/screen", "/scan/frame", "/static", "/static/kiosk", "/livez"})


class _Text(msgspec.Struct):
    text: str


class _SignOn(msgspec.Struct):
    staff: str
    pin: str


class _Enrol(msgspec.Struct):
    token: str
    server: str


_Form = TypeVar("_Form", _Text, _SignOn, _Enrol)


class _Rejected(Exception):
    """The request cannot be taken: status and the catalogue key of why."""

    def __init__(self, status: int, key: str, **values: object) -> None:
        self.status, self.key, self.values = status, key, values
        super().__init__(key)


def create_app(
    kiosk: Kiosk, *, server: str = "http://127.0.0.1:8000", names: frozenset[str] = LOCAL_NAMES, start_link: bool = True
) -> Starlette:
    """The page of an open kiosk, answering to these `names` of the machine; `server` is offered when it enrols.

    The line starts and stops with the application unless `start_link` is False.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with ThreadPoolExecutor(READING_THREADS, "frame") as readers:
            app.state.readers = readers
            if start_link:
                kiosk.link.start()
            yield
            if start_link:
                await run_in_threadpool(kiosk.link.stop)

    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/screen", _screen),
            Route("/scan/frame", _frame, methods=["POST"]),
            Route("/scan/photo", _photo, methods=["POST"]),
            Route("/scan/text", _text, methods=["POST"]),
            Route("/scan/number", _number, methods=["POST"]),
            Route("/do", _do, methods=["POST"]),
            Route("/clear", _clear, methods=["POST"]),
            Route("/sign-on", _sign_on, methods=["POST"]),
            Route("/sign-off", _sign_off, methods=["POST"]),
            Route("/enrol", _enrol, methods=["POST"]),
            Route("/enrol/read", _enrol_read, methods=["POST"]),
            Route("/hurry", _hurry, methods=["POST"]),
            Route("/livez", _livez),
            Mount("/static/kiosk", StaticFiles(directory=HERE / "static")),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Logged, quiet=QUIET), Middleware(Guard, names=names)],
        exception_handlers={_Rejected: _rejected},
        lifespan=lifespan,
    )
    app.state.kiosk = kiosk
    app.state.server = server
    return app


def _kiosk(request: Request) -> Kiosk:
    found = request.app.state.kiosk
    assert isinstance(found, Kiosk)
    return found


def _language(request: Request) -> str:
    return pick_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


# -- what comes in ------------------------------------------------------------------------------------------------------


async def _body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _Rejected(413, "kiosk.image.too-heavy")
        parts.append(part)
    return b"".join(parts)


async def _form(request: Request, form: type[_Form]) -> _Form:
    try:
        return msgspec.json.decode(await _body(request, MAX_FORM_BYTES), type=form)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise _Rejected(400, "kiosk.request.malformed", why=_without_values(error)) from None


def _without_values(error: Exception) -> str:
    """What is wrong and where, without repeating what was sent: it may be somebody's name."""
    return re.sub(r"'[^']*'", "…", str(error))


async def _rejected(request: Request, rejected: Exception) -> Response:
    assert isinstance(rejected, _Rejected)
    said = texts(_language(request))(rejected.key, **rejected.values)
    return JSONResponse({"refused": said}, status_code=rejected.status)


# -- what goes out ------------------------------------------------------------------------------------------------------


def _told(request: Request, status: int = 200, **more: object) -> Response:
    """What the screen says now; the HTML of its middle only when the page does not show it yet."""
    kiosk, lang = _kiosk(request), _language(request)
    screen = kiosk.desk.screen()
    known = request.query_params.get("known", "")
    told: dict[str, object] = {
        "revision": screen.revision,
        "sounded": screen.sounded,
        "word": screen.verdict.word if screen.verdict is not None else "",
        "state": "verdict" if screen.verdict is not None else "idle",
        "strip": page("strip.html", screen, lang),
        **more,
    }
    if known != f"{screen.revision}-{lang}":
        told["screen"] = page("screen.html", screen, lang, server=request.app.state.server)
    told["known"] = f"{screen.revision}-{lang}"
    return JSONResponse(told, status_code=status)


async def _page(request: Request) -> Response:
    asked = request.query_params.get("lang")
    if asked in LANGUAGES:
        response: Response = RedirectResponse("/", status_code=303)
        secure = request.url.scheme == "https"
        response.set_cookie(LANGUAGE_COOKIE, asked, max_age=365 * 86400, samesite="strict", httponly=True, secure=secure)
        return response
    kiosk, lang = _kiosk(request), _language(request)

    def whole() -> HTMLResponse:
        screen = kiosk.desk.screen()
        return HTMLResponse(page("page.html", screen, lang, no_reader=kiosk.no_reader, server=request.app.state.server))

    return await run_in_threadpool(whole)


async def _screen(request: Request) -> Response:
    return await run_in_threadpool(_told, request)


async def _frame(request: Request) -> Response:
    data = await _body(request, MAX_FRAME_BYTES)
    sight = await _looked(request, data, photo=False)
    filled = _for_a_field(sight.good, tube=_wants_tube(request))
    if filled is not None:
        return filled
    desk = _kiosk(request).desk
    if not sight.texts:
        await run_in_threadpool(desk.glimpse, (), None)
        return Response(status_code=204)
    await run_in_threadpool(desk.glimpse, sight.texts, sight.good)
    return await run_in_threadpool(_told, request)


async def _photo(request: Request) -> Response:
    data = await _body(request, scanner.MAX_BYTES)
    sight = await _looked(request, data, photo=True)
    filled = _for_a_field(sight.good, tube=_wants_tube(request))
    if filled is not None:
        return filled
    if not sight.texts:
        raise _Rejected(422, "kiosk.image.no-code")
    best = sight.good or sight.texts[0]
    await run_in_threadpool(_kiosk(request).desk.scan, best)
    return await run_in_threadpool(_told, request)


def _wants_tube(request: Request) -> bool:
    return request.query_params.get("for") == "tube"


def _wants_enrolment(kiosk: Kiosk) -> bool:
    """Whether the page shows the form for it: a kiosk that nobody enrolled, or that the server let go."""
    return kiosk.outbox.enrolment is None or kiosk.link.state.state == "locked-out"


def _for_a_field(found: str | None, *, tube: bool) -> Response | None:
    """What was read for a field of the page is filled in there: whoever stands before it looks at it, and presses."""
    if tube:
        return JSONResponse({"tube": found or ""})
    if found is not None and enrolling.is_code(found):
        return JSONResponse({"enrol": enrolling.read(found)._asdict()})
    return None


async def _looked(request: Request, data: bytes, *, photo: bool) -> scanner.Sight:
    kiosk = _kiosk(request)
    if kiosk.no_reader is not None:
        raise _Rejected(503, f"kiosk.reader.{kiosk.no_reader.trouble}", package=scanner.PACKAGE)
    tube, enrolment = _wants_tube(request), _wants_enrolment(kiosk)

    def good(text: str) -> bool:
        return scanner.is_tube(text) if tube else (enrolment and enrolling.is_code(text)) or kiosk.desk.good(text)

    symbols = scanner.TUBES if tube else scanner.PASSES
    look = partial(scanner.read_photo if photo else scanner.read_frame, data, good, symbols=symbols)
    try:
        if photo:
            return await run_in_threadpool(look)
        return await asyncio.get_running_loop().run_in_executor(request.app.state.readers, look)
    except scanner.UnreadableImage as unreadable:
        raise _Rejected(422, f"kiosk.image.{unreadable.trouble}") from None


async def _text(request: Request) -> Response:
    form = await _form(request, _Text)
    await run_in_threadpool(_kiosk(request).desk.scan, form.text)
    return await run_in_threadpool(_told, request)


async def _number(request: Request) -> Response:
    form = await _form(request, _Text)
    await run_in_threadpool(_kiosk(request).desk.type_number, form.text)
    return await run_in_threadpool(_told, request)


async def _do(request: Request) -> Response:
    body = await _body(request, MAX_FORM_BYTES)
    try:
        # The page's forms send texts; numbers among them are cast here.
        deed = msgspec.convert(msgspec.json.decode(body), AnyDeed, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise _Rejected(400, "kiosk.request.malformed", why=_without_values(error)) from None
    done = await run_in_threadpool(_kiosk(request).desk.do, deed)
    return await run_in_threadpool(_told, request, done=done)


async def _clear(request: Request) -> Response:
    await run_in_threadpool(_kiosk(request).desk.clear)
    return await run_in_threadpool(_told, request)


async def _sign_on(request: Request) -> Response:
    form = await _form(request, _SignOn)
    done = await run_in_threadpool(_kiosk(request).desk.sign_on, form.staff, form.pin)
    return await run_in_threadpool(_told, request, done=done)


async def _sign_off(request: Request) -> Response:
    await run_in_threadpool(_kiosk(request).desk.sign_off)
    return await run_in_threadpool(_told, request)


async def _enrol(request: Request) -> Response:
    form = await _form(request, _Enrol)
    try:
        await run_in_threadpool(_kiosk(request).enrol, form.token, form.server)
    except NotEnrolled as refusal:
        raise _Rejected(422, f"kiosk.enrol.{refusal.why}") from None
    return await run_in_threadpool(_told, request)


async def _enrol_read(request: Request) -> Response:
    """What a hand scanner typed, as server and token."""
    form = await _form(request, _Text)
    try:
        return JSONResponse({"enrol": enrolling.read(form.text)._asdict()})
    except enrolling.NoEnrolment:
        raise _Rejected(422, "kiosk.enrol.no-code") from None


async def _hurry(request: Request) -> Response:
    _kiosk(request).link.hurry()
    return await run_in_threadpool(_told, request)


async def _livez(_: Request) -> Response:
    return JSONResponse({"ok": True, "program": VERSION})
