"""The courier: reads on in the record, lays what somebody wants to be told of into the outbox, and sends it until it is taken.

The law of this file:

* Nothing is lost: the outbox is made from the ledger by number, in one transaction with how far it was read. Nothing is told
  twice under two names: an event is named by the fact and the webhook. It may be told twice under one name, when the answer to
  the first time was lost; the receiver knows it by that.
* One process sends: the elected one. Each webhook is sent to by itself, a few at a time, so that one that is slow holds up no
  other. A webhook that fails is asked with one event only, and more and more rarely; what is behind waits.
* What is refused again and again is given up after about four days; a webhook that took nothing for a day, or says that it is
  gone, is paused. What waits for it stays, and goes out when somebody resumes it.
* Time, chance and the wire are passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event, Thread

from checkpoint.messages import events, signing
from checkpoint.messages.sending import Sender, Sent
from checkpoint.store import StorageFailed, Store
from checkpoint.store.registry import Outgoing, Webhook

log = logging.getLogger(__name__)

_S, _MIN, _H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# After which waits it is tried again; about four days in all.
WAITS = (5 * _S, 30 * _S, 2 * _MIN, 10 * _MIN, 30 * _MIN, _H, 3 * _H, 6 * _H, 12 * _H, 24 * _H, 24 * _H, 24 * _H)
# Each is longer or shorter by up to this share: a receiver that comes back is not met by everybody at once.
JITTER = 0.2
PAUSED_AFTER = timedelta(hours=24)
KEPT = timedelta(days=30)
SECRET_OVERLAPS = timedelta(hours=24)
GONE = 410
AT_ONCE, EACH_ROUND, FACTS_AT_ONCE = 4, 50, 500
ROUND_EVERY_S, STOP_S = 2.0, 25.0


class Courier:
    """Sends on a thread of its own between `start` and `stop`. `round` does the same at once, on the caller's."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime],
        elected: Callable[[], bool],
        sender: Sender,
        chance: Callable[[], float],
        wall: Callable[[], datetime] | None = None,
    ) -> None:
        # What receivers' clocks show: a demonstration's own runs ahead of theirs, and what is signed would be refused.
        self._wall = wall or now
        self._store, self._now, self._elected = store, now, elected
        self._sender, self._chance = sender, chance
        self._ending = Event()
        self._thread: Thread | None = None
        self._swept_at: datetime | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is on the wire, then stop. What is stuck there is left behind: it is sent again under its name."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._ending.wait(ROUND_EVERY_S):
            try:
                self.round()
            except StorageFailed as error:
                log.warning("the outbox cannot be read or written now: %s", error)
            except Exception:
                log.exception("the courier could not finish its round")

    def round(self) -> int:
        """Lay out what is new and send what is due, if this process is the elected one. Returns how much was taken."""
        if not self._elected():
            return 0
        self._lay_out()
        self._sweep()
        now = self._now()
        waiting = [hook for hook in self._store.registry.webhooks() if _may_be_tried(hook, now)]
        if not waiting:
            return 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="courier") as pool:
            return sum(pool.map(self._serve, waiting))

    # -- laying out -----------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Read on in the record: every fact that somebody wants to be told of has a row in the outbox."""
        registry = self._store.registry
        read_to = registry.outbox_read_to()
        last = self._store.last_number()
        if read_to > last:  # the record was brought back from a backup, and its numbers begin again
            read_to = last
        hooks = registry.webhooks()
        if not hooks:
            return
        read_to = max(read_to, min(last, *(hook.since for hook in hooks)))
        while not self._ending.is_set() and (learnt := self._store.facts_after(read_to, FACTS_AT_ONCE)):
            rows = [
                (hook.id, recorded.number, events.event_of(recorded.fact))
                for recorded in learnt
                for hook in hooks
                if recorded.number > hook.since and events.concerns(self._store, recorded.fact, hook)
            ]
            read_to = learnt[-1].number
            registry.put_out(rows, read_to)

    def _sweep(self) -> None:
        now = self._now()
        if self._swept_at is None or now - self._swept_at > _H:
            self._swept_at = now
            self._store.registry.sweep_outbox(now - KEPT)

    # -- sending --------------------------------------------------------------------------------------------------------

    def _serve(self, hook: Webhook) -> int:
        """Send to one webhook what is due; only one event while it fails."""
        taken = 0
        most = 1 if hook.failures else EACH_ROUND
        for outgoing in self._store.registry.outgoing_due(hook.id, self._now(), most):
            if self._ending.is_set() or not self._send(hook, outgoing):
                break
            taken += 1
        return taken

    def _send(self, hook: Webhook, outgoing: Outgoing) -> bool:
        registry = self._store.registry
        learnt = self._store.facts_after(outgoing.number - 1, 1)
        if not learnt or learnt[0].number != outgoing.number:
            # Its term was over before it could be sent: there is nothing to tell of any more.
            registry.outgoing_failed(outgoing, None, "removed", None)
            return True
        fact = learnt[0].fact
        name, body = events.message_id(hook.id, fact), events.body_of(self._store, fact)
        sent = self._sender.send(hook.url, signing.headers(hook.secrets, name, self._wall(), body), body)
        if sent.taken:
            assert sent.status is not None
            registry.outgoing_sent(outgoing, sent.status)
            if hook.failures:
                registry.webhook_answered(hook.id)
            return True
        self._not_taken(hook, outgoing, sent)
        return False

    def _not_taken(self, hook: Webhook, outgoing: Outgoing, sent: Sent) -> None:
        registry, now = self._store.registry, self._now()
        log.info("webhook %s: %s %s, attempt %d", hook.id, sent.why, sent.status, outgoing.attempts + 1)
        due_at = now + self._wait(outgoing.attempts) if outgoing.attempts < len(WAITS) else None
        registry.outgoing_failed(outgoing, sent.status, sent.why, due_at)
        registry.webhook_failed(hook.id, now + self._wait(min(hook.failures, len(WAITS) - 1)))
        if sent.status == GONE:
            registry.pause_webhook(hook.id, "gone")
        elif hook.failing_since is not None and now - hook.failing_since >= PAUSED_AFTER:
            registry.pause_webhook(hook.id, "failing")

    def _wait(self, attempts: int) -> timedelta:
        return WAITS[attempts] * (1 + JITTER * (2 * self._chance() - 1))


def _may_be_tried(hook: Webhook, now: datetime) -> bool:
    return hook.paused_at is None and (hook.next_at is None or hook.next_at <= now)
