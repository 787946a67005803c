"""Where a PostgreSQL database is: `postgresql://user:password@host:port/name?option=value`.

The law of this file: whoever shows it, shows it without its password; only `secret` has it, and that goes to the
database's own library and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("postgresql", "postgres")
_HIDDEN = "***"


@dataclass(frozen=True)
class DatabaseUrl:
    """An address as it was given. Raises `ValueError`, without the password, when it is none."""

    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.secret)
            sound = parts.scheme in SCHEMES and len(parts.path) > 1 and not parts.fragment
            _ = parts.port
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("an address such as postgresql://user@host:5432/checkpoint wanted")

    def hide(self, text: str) -> str:
        """A text about this address with its password made unreadable, however it stands there."""
        for password in sorted(_passwords(self.secret), key=len, reverse=True):
            text = text.replace(password, _HIDDEN)
        return text

    def __str__(self) -> str:
        """Without its password."""
        return self.hide(self.secret)


def is_database_url(text: str) -> bool:
    """Whether a text means such an address, sound or not."""
    return text.partition(":")[0].lower() in SCHEMES


def _passwords(url: str) -> set[str]:
    parts = urlsplit(url)
    found = {parts.netloc.rpartition("@")[0].partition(":")[2]}
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() in ("password", "sslpassword"):
            found.add(value)
    found |= {value for name, value in parse_qsl(parts.query) if name.lower() in ("password", "sslpassword")}
    return {form for password in found if password for form in (password, unquote(password))}
