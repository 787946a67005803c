"""Pages rendered: the template's ground for every request, in the asker's language and the loop's time."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse

from checkpoint.ui import LANGUAGES, environment, pick_language, texts
from checkpoint.web.house import house_of

HERE = Path(__file__).parent
PAGES = environment([HERE / "templates"])
# Only for pages that belong to no loop (sign-in, an empty board): the zone of the first loops there were.
FALLBACK_ZONE = ZoneInfo("Asia/Shanghai")
LANGUAGE_COOKIE = "lang"
# The way around, and who sees which part of it.
PAGES.globals["menu"] = (
    ("board", "/", ("coordinator", "carrier")),
    ("passes", "/passes", ("coordinator", "carrier")),
    ("loops", "/loops", ("coordinator",)),
    ("stations", "/stations", ("coordinator",)),
    ("aside", "/aside", ("coordinator",)),
    ("lab", "/lab", ("laboratory",)),
    ("accounts", "/accounts", ("administrator",)),
    ("people", "/people", ("administrator",)),
    ("audit", "/audit", ("administrator",)),
    ("api", "/api", ("administrator", "coordinator", "carrier", "laboratory")),
)


def language_of(request: Request) -> str:
    """The language to answer a request in: `?lang=`, else the cookie, else the browser's wish, else Chinese."""
    asked = request.query_params.get("lang")
    if asked in LANGUAGES:
        return asked
    return pick_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def render(request: Request, template: str, *, status: int = 200, zone: ZoneInfo | None = None, **values: object) -> HTMLResponse:
    """A template as the answer. It finds `_`, `lang`, `zone`, `now`, `caller` (None: nobody) and `path` beside its values."""
    lang = language_of(request)
    body = PAGES.get_template(template).render(
        _=texts(lang),
        lang=lang,
        zone=zone or FALLBACK_ZONE,
        now=house_of(request).now(),
        caller=getattr(request.state, "caller", None),
        path=request.url.path,
        **values,
    )
    response = HTMLResponse(body, status)
    response.headers["Content-Language"] = lang
    response.headers["Cache-Control"] = "no-store"
    if request.query_params.get("lang") == lang:
        response.set_cookie(
            LANGUAGE_COOKIE, lang, max_age=365 * 86400, samesite="lax", secure=house_of(request).secure, httponly=True
        )
    return response
