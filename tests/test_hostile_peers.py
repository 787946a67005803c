"""Peers that do not get on, on a real socket: they are let go of, and nobody else notices."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from checkpoint.headers import HEADERS, headers_of
from checkpoint.ports import listen
from checkpoint.serving import Server
from checkpoint.wire import Connection, Wire
from tests.test_headers import graded

LARGE = b"x" * (1 << 20)


async def _length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _endless(_: Request) -> Response:
    def parts() -> Iterator[bytes]:
        for _ in range(200):
            yield LARGE

    return StreamingResponse(parts())


async def _early(_: Request) -> Response:
    return PlainTextResponse("too large", 413)


APP = Starlette(
    routes=[
        Route("/", _length, methods=["GET", "POST"]),
        Route("/endless", _endless),
        Route("/early", _early, methods=["POST"]),
    ]
)


@contextmanager
def peers(wire: Wire) -> Iterator[int]:
    """A server with that wire, as it runs in earnest; yields its port."""
    taken = listen("127.0.0.1", 0)
    begun = threading.Event()
    server = Server(APP, wire, begun=begun.set, ending=lambda: None)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    try:
        assert begun.wait(15)
        yield taken.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
    assert not thread.is_alive()


def say(port: int, text: bytes) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), 15)
    peer.sendall(text)
    return peer


def heard(peer: socket.socket) -> bytes:
    """Everything until the server ends the connection."""
    said = b""
    try:
        while part := peer.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    peer.close()
    return said


def test_those_who_dribble_a_head_or_a_body_are_let_go_while_others_are_served() -> None:
    with peers(Wire(headers=headers_of(secure=True), head_s=1, body_grace_s=1)) as port:
        slow = [say(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(40)]
        silent = [say(port, b"") for _ in range(5)]
        bodies = [say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nbegun") for _ in range(5)]
        later = say(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert later.recv(65536).startswith(b"HTTP/1.1 200")
        later.sendall(b"GET / HTTP/1.1\r\n")  # the second request of a connection is no better
        for _ in range(4):
            for peer in slow:
                try:
                    peer.sendall(b"a")
                except OSError:
                    continue
            assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"
            time.sleep(0.1)
        for peer in [*silent, *bodies, later]:
            assert heard(peer).startswith(b"HTTP/1.1 408 ")
        for peer in slow:
            assert heard(peer)[:13] in (b"HTTP/1.1 408 ", b""), "who spoke on after the end may hear nothing"
        late = say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nbegun")
        said = heard(late)
        assert said.startswith(b"HTTP/1.1 408 ")
        lines = [line.partition(b": ") for line in said.split(b"\r\n")[1:] if line]
        graded(httpx.Response(408, headers=[(n, v) for n, _, v in lines] + [(b"x-request-id", b"none")]), "")  # type: ignore[arg-type]


def test_a_slow_line_that_gets_on_is_waited_for() -> None:
    with peers(Wire(head_s=1, body_grace_s=2)) as port:
        peer = say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\nConnection: close\r\n\r\n")
        for _ in range(6):  # for longer than the grace, at more than the rate
            peer.sendall(b"x" * 1000)
            time.sleep(0.5)
        assert heard(peer).endswith(b"6000")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 33_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 120 + b"\r\n", 431),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 90_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_is_too_long_or_no_http_is_refused_without_words_and_with_the_headers(strict: int, text: bytes, status: int) -> None:
    said = heard(say(strict, text))
    assert said.startswith(b"HTTP/1.1 %d " % status), said[:80]
    assert b"content-security-policy: default-src 'none'" in said.lower()
    assert said.lower().count(b"\r\nx-content-type-options: ") == 1
    assert len(HEADERS) < said.count(b"\r\n")
    assert said.endswith(b"\r\n\r\n")
    assert httpx.get(f"http://127.0.0.1:{strict}/").text == "0"


@pytest.fixture(scope="module")
def strict() -> Iterator[int]:
    with peers(Wire(headers=headers_of(secure=False))) as port:
        yield port


def test_requests_behind_each_other_on_one_connection_are_all_answered(strict: int) -> None:
    peer = say(strict, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert heard(peer).count(b"HTTP/1.1 200 ") == 6


def test_who_never_reads_the_answer_is_let_go_and_so_is_who_never_ends_a_body_that_was_refused() -> None:
    wire = Wire(head_s=1, stalled_s=1)
    with peers(wire) as port:
        deaf = say(port, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        talker = say(port, b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert heard(talker).startswith(b"HTTP/1.1 413")
        deadline = time.monotonic() + 15
        while wire.open and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not wire.open
        deaf.close()


def test_an_address_has_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(each=3)
    wire.exempt = ()
    monkeypatch.setattr("uvicorn.protocols.http.httptools_impl.get_local_addr", lambda _: ("192.0.2.7", 8000))
    with peers(wire) as port:
        held = [say(port, b"GET / HTTP/1.1\r\n") for _ in range(3)]
        deadline = time.monotonic() + 15
        while wire.counts["127.0.0.1"] < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert heard(socket.create_connection(("127.0.0.1", port), 15)) == b""
        held.pop().close()
        while wire.counts["127.0.0.1"] > 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "0"
        for peer in held:
            peer.close()


class Held:
    """A connection as the wire sees it."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.aborted, self.server = wire, False, ("192.0.2.7", 8000)

    def abort(self) -> None:
        self.aborted = True
        self.wire.lost(self)  # type: ignore[arg-type]


def test_when_all_are_taken_whoever_has_most_gives_one_up() -> None:
    wire = Wire(most=6, each=100)

    def come(address: str) -> tuple[Held, bool]:
        held = Held(wire)
        return held, wire.admits(held, address)  # type: ignore[arg-type]

    kiosk, _ = come("198.51.100.1")
    flood = [come("203.0.113.9")[0] for _ in range(5)]
    newcomer, admitted = come("198.51.100.2")
    assert admitted, "somebody else's flood keeps nobody out"
    assert [held.aborted for held in flood] == [False] * 4 + [True]
    assert not kiosk.aborted
    assert not come("203.0.113.9")[1]
    wire.lost(newcomer)  # type: ignore[arg-type]
    assert come("203.0.113.9")[1], "where there is room there is room"
    assert issubclass(wire.protocol(), Connection)
