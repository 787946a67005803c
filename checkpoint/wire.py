"""Hostile peers: what a connection may cost before a request has even begun.

The law of this file: whoever holds a connection must get on. The head of a request comes within `HEAD_S` and `HEAD_BYTES`, its
body at `BODY_BYTES_A_SECOND` on the average after some grace, and an answer is taken within `STALLED_S`; an address has `EACH`
connections, all together have `ALL`. When all are taken, whoever has most gives one up. Nothing is read into memory beyond
these. An answer that is made here has no words: whoever gets it is no reader.

uvicorn does the rest. It is asked for nothing that it does not offer to a subclass.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from checkpoint.logs import Network, is_within

HEAD_S, HEAD_BYTES, URL_BYTES, HEAD_LINES = 10.0, 32 * 1024, 8 * 1024, 100
BODY_GRACE_S, BODY_BYTES_A_SECOND = 20.0, 500
STALLED_S = 60.0
EACH, ALL = 100, 4000
_OWN = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Wire:
    """Every connection of one server. `exempt`: proxies, which stand for many. `headers`: what every answer carries."""

    def __init__(
        self,
        exempt: Sequence[Network] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        head_s: float = HEAD_S,
        body_grace_s: float = BODY_GRACE_S,
        stalled_s: float = STALLED_S,
        each: int = EACH,
        most: int = ALL,
    ) -> None:
        self.exempt, self.headers = (*_OWN, *exempt), headers
        self.head_s, self.body_grace_s, self.stalled_s = head_s, body_grace_s, stalled_s
        self.each, self.most = each, most
        self.open: dict[Connection, str] = {}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()

    def protocol(self) -> type[Connection]:
        """The protocol of this wire's connections, for uvicorn."""
        return type("Connection", (Connection,), {"wire": self})

    def admits(self, connection: Connection, address: str) -> bool:
        """Take a connection in, or not."""
        own = connection.server is not None and connection.server[0] == address
        counted = not own and not is_within(address, self.exempt)
        if counted and self.counts[address] >= self.each:
            return False
        if len(self.open) >= self.most and not self._make_room(address):
            return False
        self.open[connection] = address if counted else ""
        if counted:
            self.counts[address] += 1
        return True

    def _make_room(self, address: str) -> bool:
        """End a connection of whoever has most. False when that is the one who asks."""
        greedy, held = max(self.counts.items(), key=lambda item: item[1], default=("", 0))
        if held <= self.counts[address] + 1 or greedy == address:
            return False
        # The newest of theirs: the oldest may be at work.
        victim = next(c for c in reversed(self.open) if self.open[c] == greedy)
        victim.abort()
        return True

    def lost(self, connection: Connection) -> None:
        """A connection is no more."""
        address = self.open.pop(connection, "")
        if address:
            self.counts[address] -= 1
            if not self.counts[address]:
                del self.counts[address]

    def sweep(self) -> None:
        """End what does not get on. Called every second or so."""
        for connection in list(self.open):
            connection.look()

    async def swept(self) -> None:
        """The same, as uvicorn calls it."""
        self.sweep()


class Connection(HttpToolsProtocol):
    """One connection."""

    wire: ClassVar[Wire]

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on as they are
        super().__init__(*args, **more)
        self._head_since: float | None = None
        self._head_bytes = 0
        self._body_since: float | None = None
        self._body_bytes = 0
        self._stalled_since: float | None = None
        self._over = False

    # -- beginning and end ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A peer has come."""
        super().connection_made(transport)
        if not self.wire.admits(self, self.client[0] if self.client else ""):
            self.abort()
            return
        self._head_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """A peer has gone."""
        self._over = True
        self.wire.lost(self)
        super().connection_lost(exc)

    def abort(self) -> None:
        """End it now."""
        self._over = True
        self.wire.lost(self)
        self.transport.abort()

    # -- what comes in --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes have come: counted while they belong to a head."""
        if self._over:
            return
        if self._head_since is None and self._body_since is None:
            self._head_since = self.loop.time()
        if self._head_since is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_since is not None and self._head_bytes > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins, perhaps right behind another."""
        super().on_message_begin()
        if self._head_since is None:
            self._head_since, self._head_bytes = self.loop.time(), 0

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._over:
            return
        if len(self.url) > URL_BYTES:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if len(self.headers) > HEAD_LINES or sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._head_since, self._head_bytes = None, 0
        self._body_since, self._body_bytes = self.loop.time(), 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._over:
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._over:
            self._body_since = None
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    # -- getting on -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """End the connection if its peer does not get on."""
        now, wire = self.loop.time(), self.wire
        if self.flow.write_paused:
            self._stalled_since = self._stalled_since or now
            if now - self._stalled_since > wire.stalled_s:
                self.wire.refused[0] += 1
                self.abort()
            return
        self._stalled_since = None
        if self._head_since is not None and now - self._head_since > wire.head_s:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._body_since is not None:
            if self.cycle.response_complete:
                # It was answered before it was whole (too large): the rest is not waited for.
                if now - self._body_since > wire.head_s:
                    self.abort()
            elif self.flow.read_paused:
                # It is we who do not read: the peer's time begins anew.
                self._body_since, self._body_bytes = now, 0
            elif now - self._body_since > wire.body_grace_s + self._body_bytes / BODY_BYTES_A_SECOND:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer without words, unless an answer has begun, and end."""
        if self._over:
            return
        self._over = True
        self.wire.refused[int(status)] += 1
        cycle = self.cycle
        # A cycle whose answer has begun must not be spoken into; one that waits for its body hears that nobody is there.
        if cycle is None or cycle.response_complete or not cycle.response_started:
            lines = [*self.wire.headers, (b"content-length", b"0"), (b"connection", b"close")]
            head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
            self.transport.write(head + b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n")
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
