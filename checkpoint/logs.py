"""What is logged, and how: one line an event, in UTC, with the id of the request it belongs to.

The law of this file: a log names no person, plate, place, address or token. So a request is logged by the pattern of its
route, a caller by their role, and an exception by its type and where it was raised: its message may quote what somebody sent.
Only what speaks of the machine (`OSError` and those named `plain`) is quoted, without file names.

Server and kiosk log alike: `log_to_stderr` once at the start, `Logged` around the application.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from time import perf_counter
from types import TracebackType
from typing import Final, NamedTuple

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Network = IPv4Network | IPv6Network
HEADER: Final = "X-Request-Id"
# As proxies make them: so many hexadecimal digits, or a UUID. Nothing that could be a name rides in here.
_ID = re.compile(r"[0-9a-f]{16,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUEST: ContextVar[str] = ContextVar("request_id", default="")
_log = logging.getLogger("checkpoint.request")
_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
NO_ROUTE = "no route"


# -- lines --------------------------------------------------------------------------------------------------------------


def log_to_stderr(style: str, level: int = logging.INFO, plain: tuple[type[BaseException], ...] = ()) -> None:
    """Log to standard error as `text` for terminals or as `json` for machines. `plain`: exceptions whose message is ours."""
    quoted: tuple[type[BaseException], ...] = (OSError, *plain)
    lines: logging.Formatter = _Json(quoted) if style == "json" else _Text(quoted)
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(lines)
    out.addFilter(_with_request)
    logging.basicConfig(level=level, handlers=[out], force=True)
    for chatty in ("httpx", "httpcore"):  # they would write down every address
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _with_request(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id = _REQUEST.get()
    return True


def _told(raised: _Raised, quoted: tuple[type[BaseException], ...]) -> str:
    """An exception and what caused it: types, places in the source, and only messages that speak of the machine."""
    error, parts = raised[1], []
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        said = ""
        if isinstance(error, quoted):
            # The first line only: PostgreSQL quotes values in those that follow.
            said = (error.strerror or "" if isinstance(error, OSError) else str(error)).partition("\n")[0]
        parts.append(
            "".join(f"  {frame.name} ({frame.filename}:{frame.lineno})\n" for frame in frames)
            + type(error).__name__
            + (f": {said}" if said else "")
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused\n".join(reversed(parts))


class _Text(logging.Formatter):
    """Lines for a terminal."""

    converter = staticmethod(time.gmtime)

    def __init__(self, quoted: tuple[type[BaseException], ...]) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self._quoted = quoted

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line, with the request it belongs to at its end."""
        number = getattr(record, "request_id", "")
        return super().formatMessage(record) + (f" [{number}]" if number else "")

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the library's name
        """See `_told`."""
        return _told(ei, self._quoted)


class _Json(JsonFormatter):
    """Lines for whatever gathers logs: one JSON object each, its keys always the same."""

    converter = staticmethod(time.gmtime)

    def __init__(self, quoted: tuple[type[BaseException], ...]) -> None:
        super().__init__(
            ["asctime", "levelname", "name", "message", "request_id"],
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "error"},
            datefmt="%Y-%m-%dT%H:%M:%S",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's, for terminals
        )
        self._quoted = quoted

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the library's name
        """The instant, to the millisecond."""
        return f"{super().formatTime(record, datefmt)}.{record.msecs:03.0f}Z"

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the library's name
        """See `_told`."""
        return _told(ei, self._quoted)


# -- requests -----------------------------------------------------------------------------------------------------------


class Answered(NamedTuple):
    """One request as it is logged and counted. `status` 0: the one who asked went away before an answer began."""

    method: str
    route: str
    status: int
    seconds: float
    role: str


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """An address, or None. One of IPv4 that a socket of IPv6 shows (`::ffff:203.0.113.9`) is the one of IPv4."""
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def is_within(host: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of some networks; what is no address lies in none."""
    address = address_of(host)
    return address is not None and any(address in network for network in networks)


class Logged:
    """ASGI middleware, the outermost: who really asks, an id for each request, and one line when it is over.

    A proxy is believed only when it is one of `proxies`: then `X-Forwarded-For` says who asks, `X-Forwarded-Proto` how, and
    its request id is kept. The id is `request.state.request_id`, goes out with the answer, and stands on every line logged
    meanwhile, in threads too. Requests for a route in `quiet` leave a line only when something was wrong with them.
    """

    def __init__(
        self,
        app: ASGIApp,
        proxies: Sequence[Network] = (),
        quiet: frozenset[str] = frozenset(),
        seen: Callable[[Answered], None] | None = None,
    ) -> None:
        self.app, self.proxies, self.quiet, self.seen = app, proxies, quiet, seen
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number = ""
        if self.proxies and scope["client"] is not None and is_within(scope["client"][0], self.proxies):
            number = self._introduced(scope)
        elif not self._warned and any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
            self._warned = True
            _log.warning("a proxy that CHECKPOINT_PROXIES does not name speaks for others, and is not believed")
        number = number or secrets.token_hex(8)
        header, status, begun = (b"x-request-id", number.encode()), 0, perf_counter()
        scope.setdefault("state", {})["request_id"] = number
        _REQUEST.set(number)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append(header)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._over(scope, status, perf_counter() - begun)

    def _introduced(self, scope: Scope) -> str:
        """Take a proxy's word for who asks and how. Returns its id for the request, when it has a proper one."""
        headers = dict(scope["headers"])
        # The last address that is no proxy of ours: what stands before it anybody may have written.
        for said in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            host = said.strip()
            if address_of(host) is None:
                break
            scope["client"] = (host, 0)
            if not is_within(host, self.proxies):
                break
        proto = headers.get(b"x-forwarded-proto", b"")
        if proto in (b"http", b"https"):
            scope["scheme"] = proto.decode()
        number = headers.get(b"x-request-id", b"").decode("latin-1").lower()
        return number if _ID.fullmatch(number) else ""

    def _over(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or NO_ROUTE
        role = getattr(scope["state"].get("caller"), "role", "") or "-"
        answered = Answered(method=scope["method"], route=route, status=status, seconds=seconds, role=role)
        if self.seen is not None:
            self.seen(answered)
        level = logging.DEBUG if route in self.quiet and 0 < status < 400 else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(
                level,
                "%s %s %d %.1f ms %s",
                answered.method,
                route,
                status,
                seconds * 1000,
                role,
                extra={
                    "method": answered.method,
                    "route": route,
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    "role": role,
                },
            )
