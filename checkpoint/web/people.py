"""People's data as administrators handle it: found by number or pseudonym, handed over, erased; and how long what is kept.

The law of this file: nothing of a person is shown here but their pseudonym and how much there is; what is handed over goes into a
file, after a fresh proof of who asks, and leaves a trace that the person sees. Numbers are sent in a body, never in an address.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.retention.sweeping import sweep
from checkpoint.retention.terms import BY_KIND, TERMS, OutOfBounds, set_terms, terms
from checkpoint.ui import texts
from checkpoint.web.access import ADMINISTRATOR, Rule, caller_of
from checkpoint.web.dossier import Dossier, gathered, packed
from checkpoint.web.house import House, house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.reads import noted
from checkpoint.web.visitor import visitor_of


def in_use(house: House, dossier: Dossier) -> bool:
    """Whether a person is on a pass that counts, or will: gates compare the name with whoever sits in the cab."""
    return any(each["until"] > house.now() for each in dossier.passes)


def _page(
    request: Request,
    *,
    found: Dossier | None = None,
    asked: bool = False,
    dry: bool = False,
    mistake: str = "",
    status: int = 200,
) -> Response:
    house = house_of(request)
    kept = terms(house.store)
    record = next((record for record in house.chores.reports() if record.name == "retention"), None)
    return render(
        request,
        "people.html",
        status=status,
        terms=TERMS,
        days={kind: length.days for kind, length in kept.items()},
        record=record,
        last=counted(record.last_report) if record is not None else {},
        swept=sweep(house.store, house.now(), dry=True) if dry else None,
        found=found,
        counting=found is not None and in_use(house, found),
        asked=asked,
        mistake=mistake,
    )


def counted(report: str) -> dict[str, int]:
    """What a sweep's report (`positions=12 links=0 ...`) says has left, by the kinds that have a term."""
    counts = dict(pair.split("=", 1) for pair in report.split() if "=" in pair)
    named = [term.kind for term in TERMS if counts.get(term.kind, "").isdecimal()]
    return {kind: int(counts[kind]) for kind in named if counts[kind] != "0"}


async def page(request: Request) -> Response:
    """The terms, what the last sweep did, and the form that finds a person; `?dry=1` counts what would leave now."""
    return await run_in_threadpool(lambda: _page(request, dry=request.query_params.get("dry") == "1"))


async def keep(request: Request) -> Response:
    """Put other terms in force."""
    form = await request.form()

    def work() -> Response:
        t = texts(language_of(request))
        try:
            days = {kind: int(str(form[kind])) for kind in BY_KIND if kind in form}
            set_terms(house_of(request).store, days)
        except OutOfBounds as wrong:
            said = t(
                "people.fault.term", what=t(f"retention.kind.{wrong.term.kind}"), least=wrong.term.least, most=wrong.term.most
            )
            return _page(request, mistake=said, status=422)
        except ValueError:
            return _page(request, mistake=t("people.fault.days"), status=422)
        _written(request, "terms-changed")
        return RedirectResponse("/people", 303)

    return await run_in_threadpool(work)


async def find(request: Request) -> Response:
    """Find a person by pseudonym or ID number: how much there is, and what can be done."""
    form = await request.form()
    wanted = str(form.get("who", "")).strip()[:60]

    def work() -> Response:
        store = house_of(request).store
        person = store.registry.person_of_number(wanted) or wanted
        return _page(request, found=gathered(store, person), asked=True)

    return await run_in_threadpool(work)


def _dossier(request: Request) -> Dossier:
    found = gathered(house_of(request).store, request.path_params["person"])
    if found is None:
        raise Problem(404, "not-found")
    return found


async def export(request: Request) -> Response:
    """Everything about a person as a file."""

    def work() -> Response:
        dossier = _dossier(request)
        noted(request, "export", [dossier.person])
        _written(request, "person-exported", dossier.person)
        headers = {"Content-Disposition": f'attachment; filename="{dossier.person}.zip"', "Cache-Control": "no-store"}
        return Response(packed(house_of(request).store, dossier), media_type="application/zip", headers=headers)

    return await run_in_threadpool(work)


async def erase(request: Request) -> Response:
    """Erase name, number and phone of a person who is on no pass that counts; what happened stays, under the pseudonym."""

    def work() -> Response:
        house, dossier = house_of(request), _dossier(request)
        if in_use(house, dossier):
            raise Problem(409, "person-counts")
        house.store.registry.erase_person(dossier.person)
        house.store.overwrite()
        _written(request, "person-erased", dossier.person)
        return _page(request, found=gathered(house.store, dossier.person), asked=True)

    return await run_in_threadpool(work)


def _written(request: Request, what: str, detail: str = "") -> None:
    registry, caller = house_of(request).store.registry, caller_of(request)
    registry.audit(what, actor=caller.account or caller.by, address=visitor_of(request).address, detail=detail)


WHO = (ADMINISTRATOR,)
ROUTES = (
    Rule("/people", ("GET",), page, WHO),
    Rule("/people/terms", ("POST",), keep, WHO, step_up=True),
    Rule("/people/find", ("POST",), find, WHO),
    Rule("/people/{person}/export", ("POST",), export, WHO, step_up=True),
    Rule("/people/{person}/erase", ("POST",), erase, WHO, step_up=True),
)
