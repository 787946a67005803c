"""Where events are sent to, and what waits to be sent: one row of the outbox for an event and a webhook that wants it.

The law of this file: how far the record was read and the rows made from it are one transaction, so that nothing is left out and
nothing is put in twice. A row leaves the outbox a month after it was sent or given up; one that waits, never. A webhook's secret
signs what we send, so it must be readable to us, and is encrypted; the one before goes on signing beside it for a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec

from checkpoint.store.database import instant, micros
from checkpoint.store.registry.shelf import Shelf, new_id
from checkpoint.store.tables import Outbox, Settings, Webhooks

_READ_TO = "outbox_read_to"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that events are sent to, for an office. It is told of what was learnt after number `since`.

    `failures` counts failed sendings in a row, the first of them at `failing_since`; nothing is tried before `next_at`.
    """

    id: str
    url: str
    events: tuple[str, ...]
    role: str
    office: str
    secrets: tuple[str, ...]
    made_by: str
    created_at: datetime
    since: int
    failures: int = 0
    failing_since: datetime | None = None
    next_at: datetime | None = None
    paused_at: datetime | None = None
    paused_why: str = ""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to a webhook: the fact's number, how often it was tried, what came of it last."""

    webhook: str
    number: int
    event: str
    due_at: datetime
    attempts: int = 0
    tried_at: datetime | None = None
    status: int | None = None
    why: str = ""
    sent_at: datetime | None = None
    given_up_at: datetime | None = None


class WebhooksShelf(Shelf):
    """Webhooks and their outbox."""

    def add_webhook(
        self, url: str, events: Collection[str], *, role: str, office: str, secret: str, made_by: str, since: int
    ) -> Webhook:
        """A new webhook."""
        made = Webhook(
            id=new_id("hook"),
            url=url,
            events=tuple(events),
            role=role,
            office=office,
            secrets=(secret,),
            made_by=made_by,
            created_at=self._now(),
            since=since,
        )
        insert = Webhooks.insert(
            id=made.id,
            url=url,
            events=" ".join(made.events),
            role=role,
            office=office,
            secret=self._keys.encrypt(secret, f"webhooks.secret:{made.id}"),
            made_by=made_by,
            created_at=micros(made.created_at),
            since=since,
            failures=0,
            paused_why="",
        )
        self._write(lambda: insert.execute(self._db))
        return made

    def webhook(self, webhook: str) -> Webhook | None:
        """The webhook of that id, unless it was removed, or None."""
        row = self._one(Webhooks.select().where(Webhooks.id == webhook, Webhooks.removed_at.is_null()))
        return self._webhook(row) if row is not None else None

    def webhooks(self, role: str | None = None, office: str | None = None) -> list[Webhook]:
        """All webhooks, or those of a role and an office; the oldest first."""
        query = Webhooks.select().where(Webhooks.removed_at.is_null()).order_by(Webhooks.created_at, Webhooks.id)
        if role is not None:
            query = query.where(Webhooks.role == role)
        if office is not None:
            query = query.where(Webhooks.office == office)
        return [self._webhook(row) for row in self._all(query)]

    def renew_webhook_secret(self, webhook: str, secret: str, until: datetime) -> bool:
        """Give a webhook a new secret; the one before signs beside it until then. False when there is no such webhook."""

        def work() -> bool:
            found = self.webhook(webhook)
            if found is None:
                return False
            change = Webhooks.update(
                secret=self._keys.encrypt(secret, f"webhooks.secret:{webhook}"),
                old_secret=self._keys.encrypt(found.secrets[0], f"webhooks.old_secret:{webhook}"),
                old_until=micros(until),
            )
            return bool(change.where(Webhooks.id == webhook).execute(self._db))

        return self._write(work)

    def pause_webhook(self, webhook: str, why: str) -> bool:
        """Send nothing more to a webhook for now; what is for it waits. False when it was paused before or is not there."""

        def work() -> bool:
            change = Webhooks.update(paused_at=self._micros(), paused_why=why)
            return bool(change.where(Webhooks.id == webhook, Webhooks.paused_at.is_null()).execute(self._db))

        return self._write(work)

    def resume_webhook(self, webhook: str) -> bool:
        """Send again, beginning with what waited, at once. False when it was not paused."""

        def work() -> bool:
            change = Webhooks.update(paused_at=None, paused_why="", failures=0, failing_since=None, next_at=None)
            resumed = bool(change.where(Webhooks.id == webhook, Webhooks.paused_at.is_null(False)).execute(self._db))
            if resumed:
                waiting = (Outbox.webhook == webhook) & Outbox.sent_at.is_null() & Outbox.given_up_at.is_null()
                Outbox.update(due_at=self._micros()).where(waiting).execute(self._db)
            return resumed

        return self._write(work)

    def remove_webhook(self, webhook: str) -> bool:
        """Send nothing to a webhook ever again. False when it is not there."""

        def work() -> bool:
            removed = Webhooks.update(removed_at=self._micros()).where(Webhooks.id == webhook, Webhooks.removed_at.is_null())
            done = bool(removed.execute(self._db))
            Outbox.delete().where(Outbox.webhook == webhook).execute(self._db)
            return done

        return self._write(work)

    def webhook_answered(self, webhook: str) -> None:
        """A webhook took something: its failures are forgotten."""
        change = Webhooks.update(failures=0, failing_since=None, next_at=None)
        self._write(lambda: change.where(Webhooks.id == webhook, Webhooks.failures > 0).execute(self._db))

    def webhook_failed(self, webhook: str, next_at: datetime) -> None:
        """A webhook took nothing: nothing is tried before then."""
        now = self._micros()

        def work() -> None:
            Webhooks.update(failing_since=now).where(Webhooks.id == webhook, Webhooks.failing_since.is_null()).execute(self._db)
            change = Webhooks.update(failures=Webhooks.failures + 1, next_at=micros(next_at))
            change.where(Webhooks.id == webhook).execute(self._db)

        self._write(work)

    def _webhook(self, row: dict[str, Any]) -> Webhook:
        def when(name: str) -> datetime | None:
            return instant(row[name]) if row[name] is not None else None

        secrets = [self._keys.decrypt(bytes(row["secret"]), f"webhooks.secret:{row['id']}")]
        if row["old_until"] is not None and self._micros() < row["old_until"]:
            secrets.append(self._keys.decrypt(bytes(row["old_secret"]), f"webhooks.old_secret:{row['id']}"))
        return Webhook(
            id=row["id"],
            url=row["url"],
            events=tuple(row["events"].split()),
            role=row["role"],
            office=row["office"],
            secrets=tuple(secrets),
            made_by=row["made_by"],
            created_at=instant(row["created_at"]),
            since=row["since"],
            failures=row["failures"],
            failing_since=when("failing_since"),
            next_at=when("next_at"),
            paused_at=when("paused_at"),
            paused_why=row["paused_why"],
        )

    # -- the outbox ---------------------------------------------------------------------------------------------------

    def outbox_read_to(self) -> int:
        """The number of the last fact that the outbox was made from."""
        row = self._one(Settings.select(Settings.value).where(Settings.name == _READ_TO))
        return int(row["value"]) if row is not None else 0

    def put_out(self, rows: Iterable[tuple[str, int, str]], read_to: int) -> None:
        """Lay (webhook, number, event) into the outbox, and note how far the record was read, in one."""
        now = self._micros()
        wanted = [{"webhook": w, "number": n, "event": e, "due_at": now, "attempts": 0, "why": ""} for w, n, e in rows]
        mark = Settings.insert(name=_READ_TO, value=str(read_to))

        def work() -> None:
            for row in wanted:
                Outbox.insert(**row).on_conflict_ignore().execute(self._db)
            mark.on_conflict(conflict_target=[Settings.name], update={"value": str(read_to)}).execute(self._db)

        self._write(work)

    def outgoing_due(self, webhook: str, now: datetime, limit: int) -> list[Outgoing]:
        """What is to be sent to a webhook now, the longest due first."""
        waiting = (Outbox.webhook == webhook) & Outbox.sent_at.is_null() & Outbox.given_up_at.is_null()
        query = Outbox.select().where(waiting, Outbox.due_at <= micros(now)).order_by(Outbox.due_at, Outbox.number)
        return [_outgoing(row) for row in self._all(query.limit(limit))]

    def outgoing(self, webhook: str, before: int, limit: int) -> list[Outgoing]:
        """What was or is to be sent to a webhook, of facts before a number, the newest first."""
        query = Outbox.select().where(Outbox.webhook == webhook, Outbox.number < before)
        return [_outgoing(row) for row in self._all(query.order_by(Outbox.number.desc()).limit(limit))]

    def outgoing_overdue(self, before: datetime) -> int:
        """How much was due before then at webhooks that are neither paused nor failing: of that there should be none."""
        well = Webhooks.select(Webhooks.id).where(
            Webhooks.paused_at.is_null(), Webhooks.removed_at.is_null(), Webhooks.failures == 0
        )
        waiting = Outbox.sent_at.is_null() & Outbox.given_up_at.is_null() & Outbox.webhook.in_(well)
        return len(self._all(Outbox.select(Outbox.number).where(waiting, Outbox.due_at < micros(before)).limit(1000)))

    def outgoing_sent(self, outgoing: Outgoing, status: int) -> None:
        """An event was taken by its webhook."""
        self._tried(outgoing, status=status, why="", sent_at=self._micros())

    def outgoing_failed(self, outgoing: Outgoing, status: int | None, why: str, due_at: datetime | None) -> None:
        """An event was not taken: it is due again then, or (None) given up."""
        later = {"due_at": micros(due_at)} if due_at is not None else {"given_up_at": self._micros()}
        self._tried(outgoing, status=status, why=why, **later)

    def _tried(self, outgoing: Outgoing, **values: object) -> None:
        change = Outbox.update(attempts=Outbox.attempts + 1, tried_at=self._micros(), **values)
        place = (Outbox.webhook == outgoing.webhook) & (Outbox.number == outgoing.number)
        self._write(lambda: change.where(place).execute(self._db))

    def sweep_outbox(self, before: datetime) -> int:
        """Forget what was sent or given up before then. Returns how much it was."""
        over = (Outbox.sent_at < micros(before)) | (Outbox.given_up_at < micros(before))
        return int(self._write(lambda: Outbox.delete().where(over).execute(self._db)))


def _outgoing(row: dict[str, Any]) -> Outgoing:
    def when(name: str) -> datetime | None:
        return instant(row[name]) if row[name] is not None else None

    return Outgoing(
        webhook=row["webhook"],
        number=row["number"],
        event=row["event"],
        due_at=instant(row["due_at"]),
        attempts=row["attempts"],
        tried_at=when("tried_at"),
        status=row["status"],
        why=row["why"],
        sent_at=when("sent_at"),
        given_up_at=when("given_up_at"),
    )
