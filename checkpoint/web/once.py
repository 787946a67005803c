"""A secret that is shown once, to whoever made it: a token, a badge, a link.

The law of this file: what is made by a form is shown by the page that the form leads to, so that pressing "reload" makes
nothing. In between the secret travels in a cookie of that page alone, which no script reads and which ends after ten minutes;
the server keeps only its hash. Whoever shows it asks the registry first whether it still opens something.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.web.house import House

SHOWN_FOR_S = 600


def _cookie(path: str) -> str:
    """A name for each page: a browser sends the cookies of the pages above along."""
    return f"checkpoint-once-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def lead_to(house: House, page: str, secret: str) -> Response:
    """Lead on to the page (a path, unquoted) that shows a secret."""
    path = quote(page)
    response = RedirectResponse(path, 303)
    response.set_cookie(
        _cookie(page), secret, max_age=SHOWN_FOR_S, path=path, secure=house.secure, httponly=True, samesite="strict"
    )
    return response


def secret_of(request: Request) -> str:
    """The secret that this page was led to with, or the empty text."""
    return request.cookies.get(_cookie(request.scope["path"]), "")
