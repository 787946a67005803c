"""The line to the server: what was seen goes up, what is known comes down. It may be dead for hours.

The law of this file:

* Pushing sends the oldest facts first and forgets exactly those the answer names. A lost request, a lost answer and a
  doubled delivery all end the same way: the facts are sent again, and the server knows them by their ids.
* An answer counts only when it has the form of our server's answer: a hotel's sign-in page with status 200 is no answer.
* One fact never blocks the others: a batch that the server will not look at is halved until the fact is alone; then
  the others go first, and it is tried again after them.
* Pulling follows the cursor page by page; the lists count as fresh from the moment the last page was asked for.
* A server that says it holds less than it once answered for was brought back from a backup: it is sent what it lost of ours,
  and told back what it told us.

* A key is renewed by writing the next one down first: when the answer is lost, the kiosk tries the next one before it says
  that it was locked out.

A key that no longer opens (401) is told apart from a dead line: then somebody must enrol this kiosk anew.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoint.core import enrolling
from checkpoint.core.facts import Fact, Malformed, decode
from checkpoint.version import VERSION
from kiosk.kept import Enrolment, NoRoom, Told, Waiting
from kiosk.offset import ClockOffset
from kiosk.outbox import Outbox
from kiosk.returning import Returning
from kiosk.wire import Enrolled, Page, Renewed, Returned, Taken, entry

_log = logging.getLogger(__name__)

BATCH = 200
BATCH_BYTES = 512 * 1024
PAGE = 500
PUSH_EVERY_S, PULL_EVERY_S = 5.0, 5.0
BACK_OFF_S = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
LOCKED_OUT_S = 60.0
KEY_LASTS = timedelta(days=30)
NOT_YET = timedelta(days=1)
"""How long to wait before asking a server again that does not know how to renew a key: one of an older version."""
TIMEOUT = httpx.Timeout(20.0, connect=5.0)
MAX_ANSWER_BYTES = 64 * 1024 * 1024
HISTORY = timedelta(days=14)
DROP_EVERY = timedelta(days=1)
CLOCK_IN_DOUBT_S = 3600.0

State = Literal["unknown", "up", "down", "locked-out"]


_Answer = TypeVar("_Answer", Taken, Page, Returned, Renewed)


class LineDown(Exception):
    """The server was not reached, or what answered was not our server. The text is for the log."""


class LockedOut(Exception):
    """The server does not know this kiosk's key (any more): it must be enrolled anew."""


class NotEnrolled(Exception):
    """Enrolling did not work; `why` is the end of a catalogue key (`kiosk.enrol.<why>`)."""

    def __init__(self, why: Literal["bad-address", "unreachable", "bad-token", "too-many"]) -> None:
        self.why = why
        super().__init__(why)


class _WouldNotLook(Exception):
    """The server refused the request as a whole (4xx)."""


@dataclass(frozen=True, kw_only=True)
class LinkState:
    """How the line stands, since when it was last good, and what to add to this clock for the server's (None: unknown)."""

    state: State
    reached_at: datetime | None
    offset_s: float | None


class Link:
    """Pushes and pulls, in two threads of its own once started. `learnt` is called with the facts the server told."""

    def __init__(
        self,
        outbox: Outbox,
        now: Callable[[], datetime],
        learnt: Callable[[list[Fact]], None],
        *,
        transport: httpx.BaseTransport | None = None,
        steady: Callable[[], float] = time.monotonic,
        history: Callable[[datetime], timedelta] = lambda _: HISTORY,
    ) -> None:
        self._outbox, self._now, self._learnt = outbox, now, learnt
        self._history = history
        self._transport = transport
        self._client = _client(transport)
        self._offset = ClockOffset(outbox, now, steady)
        self._state: State = "unknown"
        self._reached_at: datetime | None = None
        self._batch = BATCH
        self._answers = 0
        self._returning = Returning(outbox, self._tell_back, lambda: self._push_wake.set())
        self._stop = threading.Event()
        self._push_wake, self._pull_wake = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def state(self) -> LinkState:
        """How the line stands now."""
        return LinkState(state=self._state, reached_at=self._reached_at, offset_s=self._offset.seconds)

    def enrol(self, token: str, server: str) -> Enrolment:
        """Spend a one-time token to become a kiosk of that server. Raises `NotEnrolled`."""
        before = self._outbox.enrolment
        enrolment, got = _enrol(token, server, before.kiosk if before is not None else "", self._transport)
        known = got.installation and got.installation == self._outbox.setting("installation")
        self._outbox.enrol(enrolment, got.former_head.seq if known and got.former_head is not None else None)
        self._state = "unknown"
        self.hurry()
        return enrolment

    # -- up ---------------------------------------------------------------------------------------------------------------

    def push_once(self) -> int:
        """Send one batch; returns how many facts the server answered for. Raises `LineDown`, `LockedOut`."""
        enrolment = self._outbox.enrolment
        batch = _within(self._outbox.waiting(self._batch), BATCH_BYTES)
        if enrolment is None or not batch:
            return 0
        try:
            answer = self._ask(enrolment, "POST", "/api/v1/facts", Taken, self._parcel(enrolment, batch))
        except _WouldNotLook as refusal:
            self._make_smaller(batch, str(refusal))
            return 0
        self._batch = min(BATCH, self._batch * 2)
        sent = {entry.id for entry in batch}
        held = [fact_id for fact_id in answer.held if fact_id in sent]
        aside = {a.id: (a.why, a.detail) for a in answer.set_aside if a.id in sent}
        self._outbox.answered(held, aside)
        self._answers += 1
        self._returning.compare(answer.head, answer.gaps)
        if not held and not aside:
            raise LineDown("the answer names none of the facts sent")
        return len(held) + len(aside)

    def _parcel(self, enrolment: Enrolment, batch: list[Waiting]) -> bytes:
        head = self._outbox.head()
        return msgspec.json.encode(
            {
                "entries": [entry(e) for e in batch],
                "head": {"seq": head.seq, "hash": head.hash, "signature": enrolment.signature(head)},
                "sent_at": self._now(),
            }
        )

    def _make_smaller(self, batch: list[Waiting], why: str) -> None:
        if len(batch) > 1:
            self._batch = max(1, len(batch) // 2)
            return
        self._batch = BATCH
        self._outbox.refused(batch[0].id)
        _log.error("the server would not look at fact %s: %s", batch[0].seq, why)
        depth = self._outbox.depth()
        if depth.refused == depth.waiting:
            raise LineDown("the server would look at nothing that waits")

    # -- down -------------------------------------------------------------------------------------------------------------

    def pull_once(self) -> bool:
        """Read one page of the feed; returns whether there is more. Raises `LineDown`, `LockedOut`."""
        enrolment = self._outbox.enrolment
        if enrolment is None:
            return False
        asked, answers = self._now(), self._answers
        try:
            page = self._ask(enrolment, "GET", f"/api/v1/feed?after={self._outbox.cursor}&limit={PAGE}", Page)
        except _WouldNotLook as refusal:
            raise LineDown(f"no feed for this kiosk: {refusal}") from None
        if page.kiosk != enrolment.kiosk:
            raise LineDown("the feed is another kiosk's")
        told = [Told(one.number, bytes(one.fact), one.seq, one.prev, one.stamp) for one in page.facts]
        people = [*page.people, *self._returning.names(page)]
        self._outbox.take(
            told,
            page.cursor,
            people={person.id: person.name for person in people},
            stamps={person.id: (person.stamp, person.mark) for person in people},
            staff=page.staff,
            issuers=self._returning.issuers(page),
            complete_at=None if page.more else asked,
        )
        self._learnt(list(readable(one.body for one in told)))
        self._remember(page)
        if answers == self._answers:  # else the page may be older than what was answered meanwhile
            self._returning.compare(page.head, page.gaps)
        self._returning.tell_back(page)
        if not page.more:
            self._renew_when_due(enrolment, asked, wanted=page.renew)
            self._drop_what_is_old(asked)
        return page.more

    def _tell_back(self, parcel: bytes) -> Returned | None:
        enrolment = self._outbox.enrolment
        if enrolment is None:
            return None
        try:
            return self._ask(enrolment, "POST", "/api/v1/returned", Returned, parcel)
        except _WouldNotLook as refusal:
            _log.error("the server would not look at what it told us: %s", refusal)
            return None

    def _remember(self, page: Page) -> None:
        """Which installation this is, and which program it runs."""
        for name, value in (("installation", page.installation), ("server_program", page.program)):
            if value != self._outbox.setting(name):
                self._outbox.keep(**{name: value})

    def _drop_what_is_old(self, now: datetime) -> None:
        """Once a day, what the server has had for long leaves this machine; not while this clock is in doubt."""
        offset_s, last = self._offset.seconds, self._outbox.setting("dropped_at")
        if offset_s is None or abs(offset_s) > CLOCK_IN_DOUBT_S or (last and now < datetime.fromisoformat(last) + DROP_EVERY):
            return
        gone = self._outbox.drop_before(now - self._history(now))
        self._outbox.keep(dropped_at=now.isoformat())
        _log.info("%d facts that the server has had for long were dropped", gone)

    # -- the key ----------------------------------------------------------------------------------------------------------

    def _renew_when_due(self, enrolment: Enrolment, now: datetime, *, wanted: bool) -> None:
        since = self._outbox.setting("key_since")
        if not since:  # an older version did not note it
            self._outbox.keep(key_since=now.isoformat())
            since = now.isoformat()
        not_before = self._outbox.setting("renew_not_before")
        if not_before and now < datetime.fromisoformat(not_before):
            return
        if wanted or now - datetime.fromisoformat(since) >= KEY_LASTS:
            self.renew_key(enrolment, now)

    def renew_key(self, enrolment: Enrolment, now: datetime) -> None:
        """Call with a new key from now on; the chain and the key that signs it stay. Raises `LineDown`, `LockedOut`."""
        key = self._outbox.setting("next_key") or secrets.token_urlsafe(32)
        self._outbox.keep(next_key=key)
        hashed = hashlib.sha256(key.encode()).hexdigest()
        asked = msgspec.json.encode({"key_hash": hashed, "signature": enrolment.signed(f"key|{hashed}")})
        try:
            answer = self._ask(enrolment, "POST", "/api/v1/kiosk/key", Renewed, asked)
        except (_WouldNotLook, LineDown) as refusal:
            self._outbox.keep(renew_not_before=(now + NOT_YET).isoformat())
            _log.warning("the key was not renewed: %s", refusal)
            return
        if answer.kiosk == enrolment.kiosk:
            self._outbox.renew(msgspec.structs.replace(enrolment, bearer=key), now)

    def _other_keys(self, enrolment: Enrolment) -> list[str]:
        """What may open when this key does not: the one the other loop got meanwhile; the next one, whose answer was lost; the
        former one, for a server that was brought back from a backup."""
        held = self._outbox.enrolment
        now = held.bearer if held is not None and held.kiosk == enrolment.kiosk else ""
        return [key for key in (now, self._outbox.setting("next_key"), self._outbox.setting("former_key")) if key]

    def _found_the_key(self, enrolment: Enrolment, now: datetime) -> None:
        """Another key opened: it is ours from now on; the former one is renewed soon again."""
        held = self._outbox.enrolment
        if held is not None and held.bearer != enrolment.bearer:
            former = enrolment.bearer == self._outbox.setting("former_key")
            self._outbox.renew(enrolment, now - KEY_LASTS if former else now)

    # -- the wire ---------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        enrolment: Enrolment,
        method: str,
        path: str,
        form: type[_Answer],
        content: bytes | None = None,
        tried: frozenset[str] = frozenset(),
    ) -> _Answer:
        headers = {"Authorization": f"Bearer {enrolment.bearer}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        asked = self._now()
        try:
            response = self._client.request(method, enrolment.server + path, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._down(f"not reached: {type(error).__name__}") from None
        answered = self._now()
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            for bearer in self._other_keys(enrolment):
                if bearer not in tried | {enrolment.bearer}:
                    other = msgspec.structs.replace(enrolment, bearer=bearer)
                    return self._ask(other, method, path, form, content, tried | {enrolment.bearer})
            self._state = "locked-out"
            raise LockedOut
        if response.is_client_error and response.status_code not in _PASSING:
            raise _WouldNotLook(f"status {response.status_code}")
        if response.status_code != HTTPStatus.OK:
            raise self._down(f"status {response.status_code}")
        try:
            answer = msgspec.json.decode(response.content, type=form)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise self._down(f"not our server's answer: {error}") from None
        if answer.server_time.tzinfo is not None:
            self._offset.compare(answer.server_time, asked, answered)
        self._state, self._reached_at = "up", answered
        if tried:
            self._found_the_key(enrolment, answered)
        return answer

    def _down(self, why: str) -> LineDown:
        self._state = "down"
        return LineDown(why)

    # -- the two loops ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to push and to pull."""
        for name, turn, wake, every_s in (
            ("push", lambda: self.push_once() > 0, self._push_wake, PUSH_EVERY_S),
            ("pull", self.pull_once, self._pull_wake, PULL_EVERY_S),
        ):
            thread = threading.Thread(target=self._keep_at, args=(turn, wake, every_s), name=f"kiosk-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def nudge(self) -> None:
        """Something was recorded: push without waiting for the next turn, unless the line is known to be dead."""
        if self._state != "down":
            self._push_wake.set()

    def hurry(self) -> None:
        """Push and pull now, whatever the back-off says."""
        self._push_wake.set()
        self._pull_wake.set()

    def stop(self) -> None:
        """End both loops and close the line; what is under way may finish."""
        self._stop.set()
        self.hurry()
        for thread in self._threads:
            thread.join(timeout=TIMEOUT.connect)
        self._client.close()

    def _keep_at(self, turn: Callable[[], bool], wake: threading.Event, every_s: float) -> None:
        failures = 0
        while not self._stop.is_set():
            wake.clear()
            try:
                pause_s = 0.0 if turn() else every_s
                failures = 0
            except LineDown as down:
                pause_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                _log.info("the line is down: %s; again in %.0f s", down, pause_s)
            except LockedOut:
                pause_s = LOCKED_OUT_S
                _log.warning("the server does not know this kiosk: enrol it anew")
            except NoRoom:
                pause_s = BACK_OFF_S[-1]
                _log.warning("the disk is full: what the server tells has to wait")
            except Exception:  # noqa: BLE001 (a mistake of ours: loud, and the line lives on)
                pause_s = BACK_OFF_S[-1]
                _log.exception("a turn of the link failed")
            if pause_s and not self._stop.is_set():
                wake.wait(pause_s)


# Of the client errors these say nothing about what was sent: not now, too many, too slow; and a proxy asking for itself.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_FOUND,
                      HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})  # fmt: skip


def _client(transport: httpx.BaseTransport | None) -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, transport=transport, headers={"User-Agent": f"checkpoint-kiosk/{VERSION}"})


def _within(batch: list[Waiting], limit_bytes: int) -> list[Waiting]:
    """As many of the batch as fit, at least one."""
    taken: list[Waiting] = []
    size = 0
    for one in batch:
        size += len(one.body) + 200
        if taken and size > limit_bytes:
            break
        taken.append(one)
    return taken


def readable(bodies: Iterable[bytes]) -> Iterator[Fact]:
    """The facts this version of the program can read. The others stay in the file for one that can."""
    for body in bodies:
        try:
            yield decode(body)
        except Malformed as malformed:
            _log.error("a fact of the feed cannot be read here: %s", malformed)


def enrol(token: str, server: str, *, transport: httpx.BaseTransport | None = None) -> Enrolment:
    """Spend a one-time token at a server; the kiosk's signing key is made here and never leaves. Raises `NotEnrolled`.

    `token` is what was typed, pasted or scanned: where it names a server itself, that one is meant.
    """
    return _enrol(token, server, "", transport)[0]


def _enrol(token: str, server: str, formerly: str, transport: httpx.BaseTransport | None) -> tuple[Enrolment, Enrolled]:
    try:
        said = enrolling.read(token)
    except enrolling.NoEnrolment:
        raise NotEnrolled("bad-token") from None
    token, address = said.token, (said.server or server).strip().rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise NotEnrolled("bad-address")
    if not token.isascii():
        raise NotEnrolled("bad-token")
    key = Ed25519PrivateKey.generate()
    asked = {"token": token, "public_key": key.public_key().public_bytes_raw().hex()}
    try:
        with _client(transport) as client:
            # In the address, not in the body: a server of an earlier version refuses bodies with more than it knows.
            response = client.post(address + "/api/v1/enrol" + (f"?formerly={formerly}" if formerly else ""), json=asked)
    except (httpx.HTTPError, httpx.InvalidURL):
        raise NotEnrolled("unreachable") from None
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise NotEnrolled("too-many")
    if response.is_client_error and response.status_code != HTTPStatus.NOT_FOUND:
        raise NotEnrolled("bad-token")
    try:
        if response.is_error:
            raise NotEnrolled("unreachable")
        got = msgspec.json.decode(response.content, type=Enrolled)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise NotEnrolled("unreachable") from None
    enrolment = Enrolment(
        kiosk=got.kiosk, station=got.station, server=address, bearer=got.key, private_key=key.private_bytes_raw().hex()
    )
    return enrolment, got
