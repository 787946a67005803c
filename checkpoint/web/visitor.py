"""Where a request comes from, as coarsely as a list of sessions and a count of failures need it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.requests import Request

# What a user agent calls itself, the first that fits: many call themselves several things.
_BROWSERS = (
    ("MicroMessenger", "wechat"), ("Edg", "edge"), ("OPR", "opera"), ("Firefox", "firefox"), ("FxiOS", "firefox"),
    ("CriOS", "chrome"), ("Chrome", "chrome"), ("Safari", "safari"),
)  # fmt: skip
_SYSTEMS = (
    ("HarmonyOS", "harmony"), ("OpenHarmony", "harmony"), ("Android", "android"), ("iPhone", "ios"), ("iPad", "ios"),
    ("Windows", "windows"), ("Mac OS", "macos"), ("CrOS", "chromeos"), ("Linux", "linux"),
)  # fmt: skip
BROWSERS = tuple(dict.fromkeys(name for _, name in _BROWSERS))
SYSTEMS = tuple(dict.fromkeys(name for _, name in _SYSTEMS))
PROGRAM = "program"


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who stands at the door, before we know their name: the network they come from, what they hold in their hand (browser
    and system, or `program`), and what a browser shows that has signed in before."""

    address: str = ""
    device: str = ""
    known: str = ""


def visitor_of(request: Request, known: str = "") -> Visitor:
    """Where this request comes from."""
    client = request.client.host if request.client else ""
    return Visitor(address=network(client), device=device(request.headers.get("user-agent", "")), known=known)


def network(address: str) -> str:
    """The network of an address: its /24, or /48 where addresses are long. Others' words for an address are kept short."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "".join(c for c in address if c.isprintable())[:40]
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False))


def device(user_agent: str) -> str:
    """Browser and system as two words of ours, such as `firefox linux`; `program` for what is no browser."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} {system}".strip() if browser else PROGRAM
