"""Webhooks as their owners see them, whichever page or program they use: made, listed, renewed, paused, resumed, removed.

The law of this file: an office has its own and sees no others; an administrator sees every one, and makes them for any office.
A secret is given once, when it is made or renewed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.messages import signing
from checkpoint.messages.courier import SECRET_OVERLAPS
from checkpoint.messages.events import FOR_ROLE
from checkpoint.messages.targets import Unfit
from checkpoint.store.registry import Outgoing, Webhook
from checkpoint.web.access import ADMINISTRATOR, CARRIER, LABORATORY, Caller
from checkpoint.web.house import House
from checkpoint.wish import MAX_NAME_CHARS, Fault, Faulty

MOST = 20
State = Literal["active", "failing", "paused"]


class TooManyWebhooks(RuntimeError):
    """An office has as many as it may have."""


class WebhookRead(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as it stands."""

    webhook: str
    url: str
    events: tuple[str, ...]
    state: State
    failing_since: datetime | None
    paused_at: datetime | None
    paused_why: str | None
    created_at: datetime


class DeliveryRead(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to a webhook: how often it was tried, and what came of it last."""

    event: str
    fact: int
    state: Literal["waiting", "sent", "given-up"]
    attempts: int
    due_at: datetime | None
    tried_at: datetime | None
    status: int | None
    why: str | None


def office_of(caller: Caller) -> str:
    """The office whose programs a caller answers for; empty for a role that has one desk."""
    return caller.who if caller.role in (CARRIER, LABORATORY) else ""


def own(house: House, caller: Caller) -> list[Webhook]:
    """The webhooks that are the caller's to see."""
    if caller.role == ADMINISTRATOR:
        return house.store.registry.webhooks()
    return house.store.registry.webhooks(caller.role, office_of(caller))


def one(house: House, caller: Caller, webhook: str) -> Webhook | None:
    """One of them, or None."""
    return next((hook for hook in own(house, caller) if hook.id == webhook), None)


def make(house: House, *, url: str, events: Iterable[str], role: str, office: str, by: str) -> tuple[Webhook, str]:
    """A new webhook and its secret. Raises `Faulty`, `TooManyWebhooks`."""
    faults, wanted = [], tuple(dict.fromkeys(events))
    if role not in FOR_ROLE or (role in (CARRIER, LABORATORY) and not 1 <= len(office) <= MAX_NAME_CHARS):
        faults.append(Fault("$.office", "tokens.office-wanted"))
    elif not wanted or not set(wanted) <= set(FOR_ROLE[role]):
        faults.append(Fault("$.events", "webhooks.events-wanted", events=" ".join(FOR_ROLE[role])))
    try:
        house.targets.place(url)
    except Unfit as unfit:
        faults.append(Fault("$.url", f"webhooks.unfit.{unfit.key}"))
    if faults:
        raise Faulty(faults)
    registry = house.store.registry
    if len(registry.webhooks(role, office)) >= MOST:
        raise TooManyWebhooks
    secret = signing.secret_of(secrets.token_bytes(signing.SECRET_BYTES))
    made = registry.add_webhook(url, wanted, role=role, office=office, secret=secret, made_by=by, since=house.store.last_number())
    registry.audit("webhook-made", actor=by, detail=made.id)
    return made, secret


def renew(house: House, webhook: Webhook, by: str) -> tuple[str, datetime]:
    """A new secret, and until when the one before signs beside it."""
    secret, until = signing.secret_of(secrets.token_bytes(signing.SECRET_BYTES)), house.now() + SECRET_OVERLAPS
    house.store.registry.renew_webhook_secret(webhook.id, secret, until)
    house.store.registry.audit("webhook-renewed", actor=by, detail=webhook.id)
    return secret, until


def remove(house: House, webhook: Webhook, by: str) -> None:
    """Send nothing to it ever again."""
    if house.store.registry.remove_webhook(webhook.id):
        house.store.registry.audit("webhook-removed", actor=by, detail=webhook.id)


def read(hook: Webhook) -> WebhookRead:
    """A webhook as programs read it."""
    return WebhookRead(
        webhook=hook.id,
        url=hook.url,
        events=hook.events,
        state=state_of(hook),
        failing_since=hook.failing_since,
        paused_at=hook.paused_at,
        paused_why=hook.paused_why or None,
        created_at=hook.created_at,
    )


def state_of(hook: Webhook) -> State:
    """The one word for it."""
    return "paused" if hook.paused_at is not None else "failing" if hook.failures else "active"


def delivery(outgoing: Outgoing) -> DeliveryRead:
    """An event on its way as programs read it."""
    waiting = outgoing.sent_at is None and outgoing.given_up_at is None
    return DeliveryRead(
        event=outgoing.event,
        fact=outgoing.number,
        state="waiting" if waiting else "sent" if outgoing.sent_at is not None else "given-up",
        attempts=outgoing.attempts,
        due_at=outgoing.due_at if waiting else None,
        tried_at=outgoing.tried_at,
        status=outgoing.status,
        why=outgoing.why or None,
    )
