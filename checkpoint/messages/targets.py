"""Where an event may be sent to: not into our own house.

The law of this file: whoever makes a webhook writes an address, and the server goes there from inside the network it stands in.
So an address is https, without a password in it; its name is looked up by us, every time, and unless the installation says
otherwise every answer must be a public address. The connection is made to the very address that was looked at: a name that
answers one thing to the question and another to the connection gains nothing. No redirect is followed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

Resolve = Callable[[str, int], Sequence[str]]
MAX_URL_CHARS = 500


class Unfit(ValueError):
    """Nothing is sent there; `key` is the end of the catalogue's `webhooks.unfit.<key>`."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class Place:
    """Where to connect: the address that was looked at, the port, and what the other end is called."""

    scheme: str
    host: str
    address: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address as a client dials it, without asking for the name again."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{address}:{self.port}{self.path}"

    @property
    def called(self) -> str:
        """The Host header: the name, with the port where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


_PORTS = {"https": 443, "http": 80}
# What a network translates into IPv4 (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")
# Translated within one network (RFC 8215), and IPv4 in dresses that nobody should wear any more (RFC 4291, RFC 2765).
_NEVER = tuple(map(IPv6Network, ("64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")))


def looked_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as this machine finds them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


@dataclass(frozen=True)
class Targets:
    """What this installation sends to. `inside`: also by http, and into private networks, for receivers that stand beside it."""

    inside: bool = False
    resolve: Resolve = looked_up

    def parsed(self, url: str) -> SplitResult:
        """An address as it may be kept. Raises `Unfit`."""
        if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
            raise Unfit("address")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Unfit("address") from None
        if parts.scheme not in _PORTS or not parts.hostname or port == 0:
            raise Unfit("address")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise Unfit("address")
        if parts.scheme != "https" and not self.inside:
            raise Unfit("https")
        return parts

    def place(self, url: str) -> Place:
        """Where to connect for an address, now. Raises `Unfit`."""
        parts = self.parsed(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        addresses = self.resolve(host, port)
        if not addresses:
            raise Unfit("unknown")
        if not self.inside and not all(_public(address) for address in addresses):
            raise Unfit("inside")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Place(parts.scheme, host, addresses[0], port, path)


def _public(text: str) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if any(address in network for network in _NEVER):
            return False
        # An IPv4 address in another dress goes where the IPv4 address goes.
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            address = inner
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not address.is_multicast and not site_local
