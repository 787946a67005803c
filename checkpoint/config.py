"""What an installation may set, and what time it is.

The law of this file: the environment is read once, by `load`; every setting is one row of `SETTINGS`, cast at the door;
what cannot be cast is complained of by the setting's own name, all complaints at once. Nothing else in the program reads
the environment, and nothing else asks the machine for the time.

`SETTINGS` is also what the README's table is checked against.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from checkpoint import keeping
from checkpoint.database_url import DatabaseUrl, is_database_url

PREFIX = "CHECKPOINT_"
Now = Callable[[], datetime]


class Misconfigured(ValueError):
    """Settings that cannot be used; `problems` holds one text for each, beginning with the setting's name."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


# -- time ---------------------------------------------------------------------------------------------------------------


def utc_now() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


def steady_of(now: Now) -> Callable[[], float]:
    """The steady count that goes with a clock, in seconds: the machine's own, hurried when the clock is."""
    return now.steady_s if isinstance(now, Clock) else monotonic


class Clock:
    """A clock that runs `speed` times as fast as the machine's from `start` on; until then they agree.

    Two processes given the same start and speed show the same time: that is how a demonstration is hurried.
    """

    def __init__(self, start: datetime, speed: float = 1.0, now: Now = utc_now, count: Callable[[], float] = monotonic) -> None:
        if start.tzinfo is None:
            raise ValueError("an instant with its zone is wanted")
        if not 0 < speed <= 3600:
            raise ValueError("a speed above 0, at most 3600, is wanted")
        self.start, self.speed, self._now, self._count = start.astimezone(UTC), speed, now, count

    def __call__(self) -> datetime:
        """The time this clock shows."""
        elapsed = self._now() - self.start
        return self.start + (elapsed * self.speed if elapsed > timedelta() else elapsed)

    def steady_s(self) -> float:
        """The machine's steady count, which nobody can set, hurried like the clock: the two go on side by side."""
        return self._count() * self.speed

    def wall(self) -> datetime:
        """The time that people's own clocks show."""
        return self._now()

    def real_s(self, shown_s: float) -> float:
        """How many of the machine's seconds pass while this clock shows so many."""
        return shown_s / self.speed

    def __str__(self) -> str:
        """As the setting `CHECKPOINT_CLOCK` has it."""
        return f"{self.start.isoformat()}*{self.speed:g}"


# -- settings -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: its name without the prefix, how its text is cast, its default as text, and what it is for."""

    name: str
    cast: Callable[[str], object]
    default: str
    purpose: str
    secret: bool = False  # its text may hold a password: a complaint does not repeat it

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.name


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError("a port from 1 to 65535 wanted")
    return int(text)


def _optional_port(text: str) -> int | None:
    return _port(text) if text else None


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ValueError("a number from 1 to 100000 wanted")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 3600:
        raise ValueError("seconds from 0 to 3600 wanted")
    return int(text)


def _host(text: str) -> str:
    if not text or any(c.isspace() or c == "/" for c in text):
        raise ValueError("a host name or address wanted")
    return text


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError("a folder wanted, and this is a file")
    return path


def _database(text: str) -> Path | DatabaseUrl | None:
    if not text:
        return None
    if is_database_url(text):
        return DatabaseUrl(text)
    path = Path(text).expanduser()
    if path.is_dir():
        raise ValueError("a file wanted, and this is a folder")
    return path


def _optional_folder(text: str) -> Path | None:
    return _folder(text) if text else None


_SPANS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _span(text: str) -> timedelta:
    number, _, unit = text.partition(" ")
    if not number.isascii() or not number.isdecimal() or not 1 <= int(number) <= 1_000 or unit not in _SPANS:
        raise ValueError("a time such as 30 min, 1 h or 1 d wanted")
    return int(number) * _SPANS[unit]


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as http://127.0.0.1:8000 wanted")
    return text.rstrip("/")


def _optional_url(text: str) -> str:
    return _url(text) if text else ""


def _logs(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("text or json wanted")
    return text


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _megabytes(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 7:
        raise ValueError("a number of megabytes wanted")
    return int(text)


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 <= factor <= 1000:
        raise ValueError("a number from 0 to 1000 wanted")
    return factor


def _token(text: str) -> str:
    if text and (len(text) < 16 or not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError("at least 16 letters, digits and signs wanted, or nothing")
    return text


def _pem(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError("a file wanted, and there is none")
    return path


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(_host(part.strip().lower()) for part in text.split(",") if part.strip())


def _passphrase(text: str) -> str:
    if text and len(text) < 15:
        raise ValueError("a passphrase of 15 characters or more wanted")
    return text


def _second_factor(text: str) -> str:
    if text not in ("", "required", "offered"):
        raise ValueError("`required` or `offered` wanted")
    return text


def _webhooks(text: str) -> str:
    if text not in ("public", "any"):
        raise ValueError("`public` or `any` wanted")
    return text


def _clock(text: str) -> Now:
    if not text:
        return utc_now
    start, _, speed = text.partition("*")
    try:
        return Clock(datetime.fromisoformat(start), float(speed or "1"))
    except ValueError as error:
        raise ValueError(f"an instant and a speed wanted, such as 2026-05-01T08:00:00Z*10 ({error})") from None


SETTINGS: tuple[Setting, ...] = (
    Setting(name="DATA", cast=_folder, default="data", purpose="folder of the server's ledger, registry and keys"),
    Setting(
        name="DATABASE",
        cast=_database,
        default="",
        purpose="file of a SQLite database, or address of a PostgreSQL one (`postgresql://...`);"
        " `checkpoint.db` in the data folder when empty",
        secret=True,
    ),
    Setting(
        name="HEADROOM_MB",
        cast=_megabytes,
        default="256",
        purpose="megabytes that stay free on the database's disk: with less, positions are refused first, scans last; 0: never",
    ),
    Setting(name="HOST", cast=_host, default="127.0.0.1", purpose="address the server listens on"),
    Setting(name="PORT", cast=_port, default="8000", purpose="port the server listens on"),
    Setting(
        name="PUBLIC_URL",
        cast=_optional_url,
        default="",
        purpose="address under which phones reach the server, for links; host and port when empty",
    ),
    Setting(
        name="FRONT_END",
        cast=_folder,
        default=str(Path("front-end", "node_modules")),
        purpose="folder of the installed front-end packages; a relative one is looked for in the virtual environment",
    ),
    Setting(name="KIOSK_HOST", cast=_host, default="127.0.0.1", purpose="address the kiosk's page listens on"),
    Setting(name="KIOSK_PORT", cast=_port, default="8100", purpose="port of the kiosk's page"),
    Setting(
        name="KIOSK_DATA", cast=_folder, default=str(Path("data", "kiosk")), purpose="folder of the kiosk's outbox, lists and key"
    ),
    Setting(name="KIOSK_TOKEN", cast=str, default="", purpose="one-time token that enrols the kiosk at its first start"),
    Setting(
        name="SERVER_URL", cast=_url, default="http://127.0.0.1:8000", purpose="address under which the kiosk reaches the server"
    ),
    Setting(
        name="FIRST_PASSWORD",
        cast=_passphrase,
        default="",
        secret=True,
        purpose="for demonstrations: passphrase of the accounts `administrator`, `coordinator` and `laboratory` that a first "
        "start makes; a one-time link begins a real installation when empty",
    ),
    Setting(
        name="SECOND_FACTOR",
        cast=_second_factor,
        default="",
        purpose="`required` or `offered` to administrators and coordinators; required when empty, but offered beside "
        "`CHECKPOINT_FIRST_PASSWORD`",
    ),
    Setting(
        name="PROXIES",
        cast=_networks,
        default="",
        purpose="addresses or networks of the proxies before the server, with commas between: only they are believed who asks",
    ),
    Setting(
        name="HOSTS",
        cast=_hosts,
        default="",
        purpose="further names by which server or kiosk may be called, with commas between; its own address and that of"
        " `CHECKPOINT_PUBLIC_URL` need not be said",
    ),
    Setting(
        name="RATES",
        cast=_factor,
        default="1",
        purpose="how many times as often as usual one caller may ask; `0`: without bounds, for measuring",
    ),
    Setting(
        name="METRICS_TOKEN",
        cast=_token,
        default="",
        secret=True,
        purpose="bearer token that opens `/metrics` from other machines; without one only this machine and an administrator"
        " see it",
    ),
    Setting(
        name="TLS_CERTIFICATE",
        cast=_pem,
        default="",
        purpose="certificate with its chain (PEM), for a server or kiosk that does https itself; a renewed one is taken up",
    ),
    Setting(name="TLS_KEY", cast=_pem, default="", purpose="its key (PEM)"),
    Setting(name="LAN_PORT", cast=_port, default="8200", purpose="port of the page that hands out the local root (`--lan`)"),
    Setting(
        name="TERMINALS_PORT",
        cast=_optional_port,
        default="",
        purpose="port on which trucks' own terminals are heard (JT/T 808); empty: none are",
    ),
    Setting(name="TERMINALS_HOST", cast=_host, default="127.0.0.1", purpose="address on which they are heard"),
    Setting(
        name="TERMINALS_EVERY",
        cast=_seconds,
        default="10",
        purpose="seconds between positions, as terminals are told once they have proved themselves; `0`: as each is set",
    ),
    Setting(name="TERMINALS_MOST", cast=_count, default="4000", purpose="connections of terminals at most"),
    Setting(
        name="WEBHOOKS",
        cast=_webhooks,
        default="public",
        purpose="where webhooks may go: `public` addresses by https, or `any`, also by http and into private networks",
    ),
    Setting(name="LOGS", cast=_logs, default="text", purpose="how server and kiosk log: `text` for people, `json` for machines"),
    Setting(
        name="BACKUPS",
        cast=_optional_folder,
        default="",
        purpose="folder into which the server takes backups in a rhythm, better on another disk; empty: none are taken",
    ),
    Setting(name="BACKUP_EVERY", cast=_span, default="1 h", purpose="their rhythm: a number and `min`, `h` or `d`"),
    Setting(name="BACKUP_KEEP", cast=keeping.parse, default=keeping.DEFAULT, purpose="which of them stay"),
    Setting(
        name="CLOCK",
        cast=_clock,
        default="",
        purpose="a hurried clock for demonstrations, `<instant>*<speed>`: from the instant on, time runs so many times as fast",
    ),
)


def supervisor() -> str:
    """The socket of whoever began this process and wants to hear of it (systemd's own variable); empty: nobody."""
    return os.environ.get("NOTIFY_SOCKET", "")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings, cast. One field a setting, under its name in small letters; `now` is the clock to use."""

    data: Path
    database: Path | DatabaseUrl
    headroom_mb: int
    host: str
    port: int
    public_url: str
    front_end: Path
    kiosk_host: str
    kiosk_port: int
    kiosk_data: Path
    kiosk_token: str
    server_url: str
    first_password: str
    second_factor: bool
    proxies: tuple[IPv4Network | IPv6Network, ...]
    hosts: tuple[str, ...]
    rates: float
    metrics_token: str
    tls_certificate: Path | None
    tls_key: Path | None
    lan_port: int
    terminals_port: int | None
    terminals_host: str
    terminals_every: int
    terminals_most: int
    webhooks: str
    logs: str
    backups: Path | None
    backup_every: timedelta
    backup_keep: keeping.Keep
    now: Now

    @property
    def key_folder(self) -> Path:
        """Where the key file lies: beside a SQLite database, in the data folder for a PostgreSQL one."""
        return self.data if isinstance(self.database, DatabaseUrl) else self.database.parent


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read the settings from the environment (or a mapping in its place).

    Raises `Misconfigured` naming every setting that cannot be used, and every `CHECKPOINT_` variable that is none of ours:
    a misspelt setting is otherwise a setting that silently does nothing.
    """
    given = os.environ if environ is None else environ
    found: dict[str, object] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        text = given.get(setting.variable, "").strip() or setting.default
        try:
            found[setting.name.lower()] = setting.cast(text)
        except ValueError as error:
            problems.append(f"{setting.variable}: {error}" + ("" if setting.secret else f", got {text!r}"))
    if (found.get("tls_certificate") is None) != (found.get("tls_key") is None):
        problems.append("CHECKPOINT_TLS_KEY: wanted with CHECKPOINT_TLS_CERTIFICATE, and only with it")
    known = {setting.variable for setting in SETTINGS}
    problems += [f"{name}: no such setting" for name in sorted(given) if name.startswith(PREFIX) and name not in known]
    if problems:
        raise Misconfigured(tuple(problems))
    data = found["data"]
    assert isinstance(data, Path)
    found["database"] = found["database"] or data / "checkpoint.db"
    if found["backups"] is not None and isinstance(found["database"], DatabaseUrl):
        raise Misconfigured((f"{PREFIX}BACKUPS: a PostgreSQL database is backed up by its own tools (README): leave it empty",))
    front_end = found["front_end"]
    assert isinstance(front_end, Path)
    found["front_end"] = front_end if front_end.is_absolute() else Path(sys.prefix, front_end)
    host, port = found["host"], found["port"]
    found["public_url"] = found["public_url"] or f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
    found["second_factor"] = found["second_factor"] == "required" or not (found["second_factor"] or found["first_password"])
    found["now"] = found.pop("clock")
    return Config(**found)  # type: ignore[arg-type]  # each was cast by its own row above
