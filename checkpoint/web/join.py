"""The page that a one-time link opens: who is invited chooses a passphrase; the first administrator, names too."""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.store.registry import Account, NameTaken
from checkpoint.ui import texts
from checkpoint.web import passphrases
from checkpoint.web.access import ANYONE, Rule
from checkpoint.web.api import answer
from checkpoint.web.house import house_of
from checkpoint.web.invitations import Unfitting, accept, beside_a_factor, invited
from checkpoint.web.limits import GUESSES
from checkpoint.web.page import language_of, render
from checkpoint.web.passphrases import Unfit
from checkpoint.web.problems import Problem
from checkpoint.web.visitor import visitor_of


def _page(
    request: Request, account: Account, given: dict[str, str], mistakes: dict[str, str] | None = None, status: int = 200
) -> Response:
    house = house_of(request)
    beside = beside_a_factor(house, account.role)
    return render(
        request,
        "join.html",
        status=status,
        account=account,
        given=given,
        mistakes=mistakes or {},
        least=passphrases.BESIDE_CHARS if beside else passphrases.ALONE_CHARS,
        most=passphrases.MOST_CHARS,
        beside=beside,
        strength=f"{request.url.path}/strength",
    )


async def page(request: Request) -> Response:
    """What the link opens, before anything is used up."""
    account = await run_in_threadpool(invited, house_of(request), request.path_params["token"])
    return _page(request, account, {}) if account is not None else render(request, "join.html", status=410, account=None)


async def join(request: Request) -> Response:
    """Choose the passphrase: the link is used up, and the sign-in page comes next."""
    house, t, token = house_of(request), texts(language_of(request)), request.path_params["token"]
    form = await request.form()
    name, display, passphrase = (str(form.get(key, ""))[: passphrases.MOST_TYPED] for key in ("name", "display", "passphrase"))
    address = visitor_of(request).address
    account = await run_in_threadpool(invited, house, token)
    given, mistakes = {"name": name[:60], "display": display[:60]}, {}
    try:
        work = partial(accept, house, token, passphrase, address, name=name, display=display)
        if account is not None and await run_in_threadpool(work) is not None:
            return RedirectResponse("/sign-in?joined", 303)
    except Unfitting as unfit:
        mistakes = {unfit.field: t(unfit.key, number=unfit.number)}
    except Unfit as unfit:
        mistakes = {"passphrase": t(unfit.key, number=unfit.number)}
    except NameTaken:
        mistakes = {"name": t("accounts.fault.taken")}
    if account is None or not mistakes:
        return render(request, "join.html", status=410, account=None)
    return _page(request, account, given, mistakes, 422)


async def strength(request: Request) -> Response:
    """How strong a passphrase is that whoever holds this link is about to choose."""
    house, token = house_of(request), request.path_params["token"]
    given = str((await request.form()).get("passphrase", ""))[: passphrases.MOST_CHARS]

    def work() -> str:
        account = invited(house, token)
        if account is None:
            raise Problem(410, "link-used")
        return passphrases.strength(given, (account.name, account.display, account.office))

    return answer({"strength": await run_in_threadpool(work)})


ROUTES = (
    Rule("/join/{token}", ("GET",), page, (ANYONE,)),
    Rule("/join/{token}", ("POST",), join, (ANYONE,), body_bytes=16 * 1024, rate=GUESSES),
    Rule("/join/{token}/strength", ("POST",), strength, (ANYONE,), body_bytes=4 * 1024),
)
