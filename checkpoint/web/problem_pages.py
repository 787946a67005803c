"""The pages that the `type` of a problem leads to: what this kind of refusal means and what to do, for whoever reads a log."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from checkpoint.ui import LANGUAGES, Texts, texts
from checkpoint.web.access import ANYONE, Rule
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem

_BEGIN, _END = "problem.", ".title"
# Every kind of problem there is: whatever has a title in the catalogues.
KINDS = tuple(
    key.removeprefix(_BEGIN).removesuffix(_END)
    for key in sorted(texts(LANGUAGES[0]).keys())
    if key.startswith(_BEGIN) and key.endswith(_END)
)


def _explained(t: Texts, kind: str) -> tuple[str, str, str]:
    """A kind, its title, and what to do: where a refusal fills in a value, the page has an ellipsis."""
    detail = f"{_BEGIN}{kind}.detail"
    blanks = dict.fromkeys(t.placeholders(detail), t("problems.blank"))
    return kind, t(f"{_BEGIN}{kind}{_END}"), t(detail, **blanks)


async def index(request: Request) -> Response:
    """Every kind of problem."""
    t = texts(language_of(request))
    return render(request, "problems.html", kinds=[_explained(t, kind) for kind in KINDS], one="")


async def one(request: Request) -> Response:
    """One kind of problem."""
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise Problem(404, "not-found")
    return render(request, "problems.html", kinds=[_explained(texts(language_of(request)), kind)], one=kind)


ROUTES = (
    Rule("/problems", ("GET",), index, (ANYONE,)),
    Rule("/problems/{kind}", ("GET",), one, (ANYONE,)),
)
