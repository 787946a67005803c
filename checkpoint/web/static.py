"""Files that pages are made of: styles, modules, pictures, the pinned front-end packages. Open to anyone, listed to nobody."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from checkpoint.ui import STATIC as SHARED
from checkpoint.web.access import ANYONE, Rule
from checkpoint.web.house import house_of
from checkpoint.web.limits import FILES
from checkpoint.web.page import HERE
from checkpoint.web.problems import Problem

# Said here, since what the machine believes of .mjs and .webmanifest differs from machine to machine.
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".webmanifest": "application/manifest+json", ".css": "text/css"}


async def _file(request: Request, root: Path, cache: str) -> Response:
    path = await run_in_threadpool(_within, root, request.path_params["path"])
    if path is None:
        raise Problem(404, "not-found")
    media = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    stat = await run_in_threadpool(path.stat)
    response = FileResponse(path, media_type=media, stat_result=stat, headers={"Cache-Control": cache})
    if request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={"etag": response.headers["etag"], "Cache-Control": cache})
    return response


def _within(root: Path, name: str) -> Path | None:
    """The file of that name under a folder; None when there is none or the name climbs out of it."""
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


async def vendor(request: Request) -> Response:
    """A file of the pinned front-end packages; asked for again now and then, since a new version keeps its name."""
    return await _file(request, house_of(request).front_end, "max-age=3600")


async def web(request: Request) -> Response:
    """A file of the server's own pages."""
    return await _file(request, HERE / "static", "no-cache")


async def shared(request: Request) -> Response:
    """A file that server and kiosk share."""
    return await _file(request, SHARED, "no-cache")


ROUTES = (
    Rule("/static/vendor/{path:path}", ("GET",), vendor, (ANYONE,), rate=FILES),
    Rule("/static/web/{path:path}", ("GET",), web, (ANYONE,), rate=FILES),
    Rule("/static/{path:path}", ("GET",), shared, (ANYONE,), rate=FILES),
)
