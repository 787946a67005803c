"""Accounts as administrators see them: who may come in, invited, disabled, reset; and what was done about it.

A link is on one page, once. Nobody disables or resets themselves: the last administrator would lock everybody out.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.store.registry import Account, NameTaken
from checkpoint.ui import texts
from checkpoint.web.access import ADMINISTRATOR, WITH_ACCOUNT, Rule, caller_of
from checkpoint.web.house import house_of
from checkpoint.web.invitations import INVITATION_LASTS, Unfitting, invite, link_of, new_token
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.web.visitor import visitor_of

AT_ONCE = 100


def _page(
    request: Request,
    *,
    link: str = "",
    linked: Account | None = None,
    given: dict[str, str] | None = None,
    mistake: str = "",
    status: int = 200,
) -> Response:
    house, registry = house_of(request), house_of(request).store.registry
    accounts, kinds = registry.accounts(), registry.factor_kinds()
    return render(
        request,
        "accounts.html",
        status=status,
        accounts=accounts,
        kinds=kinds,
        sessions={account.id: len(registry.sessions_of(account.id)) for account in accounts},
        roles=WITH_ACCOUNT,
        carriers=sorted({account.office for account in accounts if account.office}),
        own=caller_of(request).account,
        link=link,
        linked=linked,
        lasts=INVITATION_LASTS,
        until=house.now() + INVITATION_LASTS,
        given=given or {},
        mistake=mistake,
    )


async def page(request: Request) -> Response:
    """All accounts, and the form that invites."""
    return await run_in_threadpool(_page, request)


async def add(request: Request) -> Response:
    """Invite somebody; the link is shown now and never again."""
    form = await request.form()
    given = {key: str(form.get(key, ""))[:200] for key in ("name", "display", "role", "office")}

    def work() -> Response:
        house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
        try:
            account, token = invite(house, **given, by=caller.account or caller.by, address=visitor_of(request).address)
        except Unfitting as unfit:
            return _page(request, given=given, mistake=t(unfit.key, number=unfit.number), status=422)
        except NameTaken:
            return _page(request, given=given, mistake=t("accounts.fault.taken"), status=409)
        return _page(request, link=link_of(house.public_url, token), linked=account)

    return await run_in_threadpool(work)


def _other(request: Request) -> Account:
    """The account that is named, which is not one's own."""
    account = house_of(request).store.registry.account(request.path_params["account"])
    if account is None:
        raise Problem(404, "not-found")
    if account.id == caller_of(request).account:
        raise Problem(409, "own-account")
    return account


def _audit(request: Request, what: str, account: Account, detail: str = "") -> None:
    registry, caller = house_of(request).store.registry, caller_of(request)
    address = visitor_of(request).address
    registry.audit(what, account=account.id, actor=caller.account or caller.by, address=address, detail=detail)


async def reset(request: Request) -> Response:
    """Take passphrase, factors and sessions from an account, and show the link with which it begins again."""

    def work() -> Response:
        house, account = house_of(request), _other(request)
        if account.disabled_at is not None:
            raise Problem(409, "disabled-account")
        house.store.registry.reset_account(account.id)
        token = new_token(house, account)
        _audit(request, "account-reset", account)
        return _page(request, link=link_of(house.public_url, token), linked=account)

    return await run_in_threadpool(work)


async def disable(request: Request) -> Response:
    """Let an account in no more; its sessions end."""

    def work() -> Response:
        account = _other(request)
        if house_of(request).store.registry.disable_account(account.id):
            _audit(request, "account-disabled", account)
        return RedirectResponse("/accounts", 303)

    return await run_in_threadpool(work)


async def enable(request: Request) -> Response:
    """Let an account in again."""

    def work() -> Response:
        account = _other(request)
        if house_of(request).store.registry.enable_account(account.id):
            _audit(request, "account-enabled", account)
        return RedirectResponse("/accounts", 303)

    return await run_in_threadpool(work)


async def end_sessions(request: Request) -> Response:
    """Sign somebody out everywhere."""

    def work() -> Response:
        account = _other(request)
        ended = house_of(request).store.registry.end_sessions(account.id)
        _audit(request, "sessions-ended", account, str(ended))
        return RedirectResponse("/accounts", 303)

    return await run_in_threadpool(work)


async def audit(request: Request) -> Response:
    """What was done, the newest first."""
    before, account = (request.query_params.get(key, "")[:60] for key in ("before", "account"))

    def work() -> Response:
        registry = house_of(request).store.registry
        rows = registry.audited(AT_ONCE + 1, before=before, account=account)
        names = registry.names({each for row in rows for each in (row.account, row.actor)} | {account})
        more = rows[AT_ONCE - 1].id if len(rows) > AT_ONCE else ""
        return render(request, "audit.html", rows=rows[:AT_ONCE], names=names, more=more, account=account)

    return await run_in_threadpool(work)


WHO = (ADMINISTRATOR,)
ROUTES = (
    Rule("/accounts", ("GET",), page, WHO),
    Rule("/accounts", ("POST",), add, WHO, step_up=True),
    Rule("/accounts/{account}/reset", ("POST",), reset, WHO, step_up=True),
    Rule("/accounts/{account}/disable", ("POST",), disable, WHO, step_up=True),
    Rule("/accounts/{account}/enable", ("POST",), enable, WHO, step_up=True),
    Rule("/accounts/{account}/sessions/end", ("POST",), end_sessions, WHO, step_up=True),
    Rule("/audit", ("GET",), audit, WHO),
)
