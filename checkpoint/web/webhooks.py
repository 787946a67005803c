"""Webhooks at the desk of whoever answers for the programs at their other end: the list, and one with all that was sent to it."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkpoint.messages.events import FOR_ROLE
from checkpoint.store.registry import Webhook
from checkpoint.ui import texts
from checkpoint.web import once
from checkpoint.web import webhooks_data as data
from checkpoint.web.access import ADMINISTRATOR, CARRIER, COORDINATOR, LABORATORY, Rule, caller_of
from checkpoint.web.house import house_of
from checkpoint.web.page import language_of, render
from checkpoint.web.problems import Problem
from checkpoint.wish import Faulty, one_form

FOR_PROGRAMS = (COORDINATOR, CARRIER, LABORATORY)
MOST_SHOWN = 100


def _list(request: Request, *, mistakes: dict[str, str] | None = None, url: str = "", status: int = 200) -> Response:
    house, caller = house_of(request), caller_of(request)
    everybody = caller.role == ADMINISTRATOR
    return render(
        request,
        "webhooks.html",
        status=status,
        hooks=[(hook, data.state_of(hook)) for hook in data.own(house, caller)],
        events=FOR_ROLE[COORDINATOR if everybody else caller.role],
        roles=FOR_PROGRAMS if everybody else (),
        mistakes=mistakes or {},
        url=url,
    )


async def page(request: Request) -> Response:
    """The webhooks, and the form for a new one."""
    return await run_in_threadpool(_list, request)


async def make(request: Request) -> Response:
    """Make a webhook; its secret is shown on its page, this once."""
    form = await request.form()
    given = {key: one_form(str(value))[:600] for key, value in form.items()}
    events = [str(event)[:60] for event in form.getlist("event")]

    def work() -> Response:
        house, caller, t = house_of(request), caller_of(request), texts(language_of(request))
        everybody = caller.role == ADMINISTRATOR
        role = given.get("role", "") if everybody else caller.role
        office = given.get("office", "") if everybody else data.office_of(caller)
        office = office if role in (CARRIER, LABORATORY) else ""
        url = given.get("url", "")
        try:
            made, secret = data.make(house, url=url, events=events, role=role, office=office, by=caller.by)
        except Faulty as error:
            mistakes = {fault.path.removeprefix("$."): t(fault.key, **fault.values) for fault in error.faults}
            return _list(request, mistakes=mistakes, url=url, status=422)
        except data.TooManyWebhooks:
            raise Problem(409, "too-many-webhooks", most=data.MOST) from None
        return once.lead_to(house, f"/webhooks/{made.id}", secret)

    return await run_in_threadpool(work)


def _hook(request: Request) -> Webhook:
    found = data.one(house_of(request), caller_of(request), request.path_params["webhook"])
    if found is None:
        raise Problem(404, "no-webhook")
    return found


async def one(request: Request) -> Response:
    """One webhook: how it stands, what was sent to it and what came of that."""

    def work() -> Response:
        hook, secret = _hook(request), once.secret_of(request)
        sent = house_of(request).store.registry.outgoing(hook.id, 2**53, MOST_SHOWN)
        return render(
            request,
            "webhook.html",
            hook=hook,
            state=data.state_of(hook),
            secret=secret if secret and secret == hook.secrets[0] else "",
            deliveries=[data.delivery(each) for each in sent],
        )

    return await run_in_threadpool(work)


async def change(request: Request) -> Response:
    """Pause it, resume it, or remove it."""

    def work() -> Response:
        hook, registry = _hook(request), house_of(request).store.registry
        match request.path_params["what"]:
            case "pause":
                registry.pause_webhook(hook.id, "asked")
            case "resume":
                registry.resume_webhook(hook.id)
            case "remove":
                data.remove(house_of(request), hook, caller_of(request).by)
                return RedirectResponse("/webhooks", 303)
            case _:
                raise Problem(404, "not-found")
        return RedirectResponse(f"/webhooks/{hook.id}", 303)

    return await run_in_threadpool(work)


async def renew(request: Request) -> Response:
    """Give it a new secret, and show that once."""

    def work() -> Response:
        house, hook = house_of(request), _hook(request)
        secret, _ = data.renew(house, hook, caller_of(request).by)
        return once.lead_to(house, f"/webhooks/{hook.id}", secret)

    return await run_in_threadpool(work)


WHO = (ADMINISTRATOR, *FOR_PROGRAMS)
ROUTES = (
    Rule("/webhooks", ("GET",), page, WHO),
    Rule("/webhooks", ("POST",), make, WHO, step_up=True),
    Rule("/webhooks/{webhook}", ("GET",), one, WHO),
    Rule("/webhooks/{webhook}/secret", ("POST",), renew, WHO, step_up=True),
    Rule("/webhooks/{webhook}/{what}", ("POST",), change, WHO),
)
