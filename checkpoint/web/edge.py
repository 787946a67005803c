"""The edge of one server: whom it believes, and by which names it may be called.

The law of this file: a request that calls us by a foreign name is refused before anything reads it. A name that somebody else
owns and points at our address (DNS rebinding) would otherwise make their page one of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from checkpoint.logs import Network, address_of
from checkpoint.web.limits import Limits
from checkpoint.web.problems import Problem

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`proxies`: whose word counts for who asks. `hosts`: the names we may be called by, small letters, without a port;
    None where nobody else's page can reach us, as in tests. `limits`: how much may be asked; without bounds as it stands.
    `metrics_token`: with it figures are told from elsewhere too. `tls`: this process does https itself."""

    proxies: tuple[Network, ...] = ()
    hosts: frozenset[str] | None = None
    metrics_token: str = ""
    tls: bool = False
    limits: Limits = field(default_factory=lambda: Limits(0))


class Called:
    """ASGI middleware: refuses what calls us by a name that is not ours."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and self.hosts is not None:
            said = [value for name, value in scope["headers"] if name == b"host"]
            if len(said) != 1 or not self._ours(name_of(said[0].decode("latin-1")), scope):
                raise Problem(421, "wrong-host")
        await self.app(scope, receive, send)

    def _ours(self, name: str, scope: Scope) -> bool:
        assert self.hosts is not None
        if name in self.hosts:
            return True
        # The very address that the request came in at is nobody else's name for us: probes and kiosks call us by it.
        return bool(name) and scope.get("server") is not None and _same_address(name, scope["server"][0])


@lru_cache(256)  # asked for every request, and nearly always of the same name
def name_of(host: str) -> str:
    """A Host header's name in small letters, without its port and brackets; empty when it is no host at all."""
    try:
        parts = urlsplit(f"//{host}")
        named = parts.hostname or ""
        plain = parts.netloc == host and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    return named.lower().rstrip(".") if plain else ""


def _same_address(name: str, address: str) -> bool:
    named = address_of(name)
    return named is not None and named == address_of(address)
