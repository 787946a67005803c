"""The other end of a webhook: a real server on a socket that takes, refuses, hangs, drops the line or sends one elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

import msgspec

# What the other end does, one after the other; the last of them for good. A number is a status; the words say the rest.
TAKES, FAILS, GONE = "200", "500", "410"
HANGS, DRIPS, DROPS, FLOODS, REDIRECTS = "hangs", "drips", "drops", "floods", "redirects"


class Heard(NamedTuple):
    """One event as it came: its headers (names in small letters), its bytes."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found


class Receiver:
    """What came, in the order in which it came, and what is done about the next."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.address = ""
        self.wandered = 0
        self.ending = Event()
        self._lock = Lock()
        self._does: list[str] = [TAKES]

    def does(self, *what: str) -> None:
        """What it does next, one event after the other; the last for good."""
        self._does = list(what)

    def took(self) -> list[str]:
        """The ids of what came, each once, in the order in which it first came."""
        return list(dict.fromkeys(each.id for each in self.heard))

    def next(self, heard: Heard) -> str:
        with self._lock:
            self.heard.append(heard)
            return self._does.pop(0) if len(self._does) > 1 else self._does[0]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens on this machine until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            receiver.wandered += 1
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(receiver.next(Heard({k.lower(): v for k, v in self.headers.items()}, body)))

        def _answer(self, does: str) -> None:
            self.close_connection = True
            match does:
                case "hangs":
                    receiver.ending.wait(30)
                case "drops":
                    pass
                case "drips":
                    for letter in b"HTTP/1.1 200 OK\r\n" * 1000:
                        if receiver.ending.wait(0.05):
                            return
                        try:
                            self.wfile.write(bytes([letter]))
                        except OSError:
                            return
                case "floods":
                    self.send_response(200)
                    self.send_header("Content-Length", str(10**12))
                    self.end_headers()
                case "redirects":
                    self.send_response(302)
                    self.send_header("Location", f"{receiver.address}/elsewhere")
                    self.end_headers()
                case status:
                    self.send_response(int(status))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        receiver.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
