"""Webhooks by program: an office's own, made, read, renewed, paused, resumed, removed; and what was sent to each."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.store.registry import Webhook
from checkpoint.web import webhooks_data as data
from checkpoint.web.access import CARRIER, COORDINATOR, LABORATORY, Rule, caller_of
from checkpoint.web.api import Command, answer, body_of, faulty
from checkpoint.web.house import house_of
from checkpoint.web.paging import Behind, Query, cursor_of, paged, query_of, seen
from checkpoint.web.problems import Problem
from checkpoint.wish import Faulty


class WebhookWish(Command, frozen=True):
    """Where to send which events."""

    url: str
    events: tuple[str, ...]


class WebhookMade(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and the secret that its events are signed with; it is shown this once."""

    webhook: str
    url: str
    events: tuple[str, ...]
    secret: str


class SecretRenewed(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret; until then the one before signs beside it."""

    webhook: str
    secret: str
    old_until: datetime


class WebhookRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that is sent nothing any more."""

    webhook: str
    state: Literal["removed"] = "removed"


class DeliveriesQuery(Query, frozen=True):
    """Which of what was sent: page by page, the newest first."""


def _one(request: Request) -> Webhook:
    """The webhook asked for, if it is the caller's. Raises `Problem`."""
    found = data.one(house_of(request), caller_of(request), request.path_params["webhook"])
    if found is None:
        raise Problem(404, "no-webhook")
    return found


async def make(request: Request) -> Response:
    """Make a webhook for one's own office."""
    asked, caller = await body_of(request, WebhookWish), caller_of(request)

    def work() -> Response:
        try:
            made, secret = data.make(
                house_of(request),
                url=asked.url,
                events=asked.events,
                role=caller.role,
                office=data.office_of(caller),
                by=caller.by,
            )
        except Faulty as error:
            raise faulty(request, error) from None
        except data.TooManyWebhooks:
            raise Problem(409, "too-many-webhooks", most=data.MOST) from None
        return answer(WebhookMade(webhook=made.id, url=made.url, events=made.events, secret=secret))

    return await run_in_threadpool(work)


async def webhooks(request: Request) -> Response:
    """The webhooks of one's own office."""

    def work() -> Response:
        return paged(request, [data.read(hook) for hook in data.own(house_of(request), caller_of(request))], None)

    return await run_in_threadpool(work)


async def webhook(request: Request) -> Response:
    """One webhook."""
    return await run_in_threadpool(lambda: seen(request, data.read(_one(request))))


async def remove(request: Request) -> Response:
    """Send nothing to it any more."""

    def work() -> Response:
        hook = _one(request)
        data.remove(house_of(request), hook, caller_of(request).by)
        return answer(WebhookRemoved(webhook=hook.id))

    return await run_in_threadpool(work)


async def renew(request: Request) -> Response:
    """Give it a new secret."""

    def work() -> Response:
        hook = _one(request)
        secret, until = data.renew(house_of(request), hook, caller_of(request).by)
        return answer(SecretRenewed(webhook=hook.id, secret=secret, old_until=until))

    return await run_in_threadpool(work)


async def pause(request: Request) -> Response:
    """Let what is for it wait."""

    def work() -> Response:
        house_of(request).store.registry.pause_webhook(_one(request).id, "asked")
        return answer(data.read(_one(request)))

    return await run_in_threadpool(work)


async def resume(request: Request) -> Response:
    """Send again, beginning with what waited."""

    def work() -> Response:
        house_of(request).store.registry.resume_webhook(_one(request).id)
        return answer(data.read(_one(request)))

    return await run_in_threadpool(work)


async def deliveries(request: Request) -> Response:
    """What was and is to be sent to it, the newest first."""
    query = query_of(request, DeliveriesQuery)
    behind = cursor_of(request, query, Behind)

    def work() -> Response:
        before = behind.number if behind is not None else 2**53
        found = house_of(request).store.registry.outgoing(_one(request).id, before, query.limit + 1)
        page = found[: query.limit]
        return paged(request, [data.delivery(each) for each in page], Behind(page[-1].number) if len(found) > len(page) else None)

    return await run_in_threadpool(work)


_OWNERS = (COORDINATOR, CARRIER, LABORATORY)
_ONE = "/api/v1/webhooks/{webhook}"
ROUTES = (
    Rule("/api/v1/webhooks", ("GET",), webhooks, _OWNERS),
    Rule("/api/v1/webhooks", ("POST",), make, _OWNERS, step_up_people=True),
    Rule(_ONE, ("GET",), webhook, _OWNERS),
    Rule(_ONE, ("DELETE",), remove, _OWNERS),
    Rule(_ONE + "/secret", ("POST",), renew, _OWNERS, step_up_people=True),
    Rule(_ONE + "/pause", ("POST",), pause, _OWNERS),
    Rule(_ONE + "/resume", ("POST",), resume, _OWNERS),
    Rule(_ONE + "/deliveries", ("GET",), deliveries, _OWNERS),
)
