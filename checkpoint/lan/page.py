"""The page that hands the local root out, over plain http: a phone that does not trust us yet can open nothing else.

The law of this file: what is fetched in the clear can be changed on its way, so the page shows the root's fingerprint, the
terminal shows it too, and the page says to compare the two before trusting. Nothing but the root is to be had here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from checkpoint.headers import Headers
from checkpoint.lan.authority import Authority
from checkpoint.lan.neighbourhood import Neighbourhood
from checkpoint.logs import Logged
from checkpoint.ui import LANGUAGES, STATIC, Texts, environment, pick_language, texts
from checkpoint.ui.page import qr_svg

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
# In the order of how many phones there are; each has steps `lan.<system>.1`, `.2`, ...
SYSTEMS = ("android", "ios", "windows", "macos", "linux")
STEPS = 6
LOOK_EVERY_S = 3600.0
LANGUAGE_COOKIE = "lang"
_PAGES = environment([HERE / "templates"])


def create_app(authority: Authority, near: Neighbourhood) -> Starlette:
    """The page; while it is up, the certificate is signed anew in time."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        renewing = asyncio.create_task(_renew(authority, near))
        yield
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing

    async def install(request: Request) -> Response:
        asked = request.query_params.get("lang")
        lang = pick_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))
        lang = asked if asked in LANGUAGES else lang
        t = texts(lang)
        body = _PAGES.get_template("install.html").render(
            _=t,
            lang=lang,
            fingerprint=authority.fingerprint,
            server=near.server,
            kiosk=near.kiosk,
            code=qr_svg(near.install, t("lan.code")),
            install=near.install,
            systems=[(system, _steps(t, system)) for system in SYSTEMS],
        )
        response = HTMLResponse(body, headers={"Content-Language": lang})
        if asked == lang:
            response.set_cookie(LANGUAGE_COOKIE, lang, max_age=365 * 86400, samesite="strict", httponly=True)
        return response

    async def der(_: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="checkpoint-root.crt"'}
        return Response(authority.der(), media_type="application/x-x509-ca-cert", headers=headers)

    async def pem(_: Request) -> Response:
        headers = {"Content-Disposition": 'attachment; filename="checkpoint-root.pem"'}
        return Response(authority.root_file.read_bytes(), media_type="application/x-pem-file", headers=headers)

    async def first(_: Request) -> Response:
        return RedirectResponse("/install", 303)

    async def livez(_: Request) -> Response:
        return JSONResponse({"ok": True})

    return Starlette(
        routes=[
            Route("/", first),
            Route("/install", install),
            Route("/root.crt", der),
            Route("/root.pem", pem),
            Route("/livez", livez),
            Mount("/static/lan", StaticFiles(directory=HERE / "static")),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Logged, quiet=frozenset({"/static", "/livez"})), Middleware(Headers, secure=False)],
        lifespan=lifespan,
    )


def _steps(t: Texts, system: str) -> list[str]:
    """The keys of a system's steps, as many as there are."""
    return [key for key in (f"lan.{system}.{i}" for i in range(1, STEPS + 1)) if key in t.keys()]  # noqa: SIM118 - no mapping


async def _renew(authority: Authority, near: Neighbourhood) -> None:
    """Sign the certificate anew when it is time; server and kiosk take it up by themselves."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            if authority.due(near.now()):
                near.sign(authority)
                log.info("the certificate was signed anew")
        except (OSError, ValueError):
            log.exception("the certificate could not be signed anew")
