"""An instant as recorders write it -> UTC: ISO 8601, `yyyy-MM-dd HH:mm:ss` and its Chinese kin, seconds, milliseconds or
microseconds since 1970.

The law of this file: a time without its zone is refused unless its zone was declared. A guess of eight hours would put a
truck on another leg.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_WRITTEN = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ,]\s*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})秒?)?(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?:19|20)\d{12}")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class NotATime(ValueError):
    """The value says no instant between 1990 and 2100."""


class ZoneWanted(ValueError):
    """The value says a time, but not in which zone."""


def instant(value: object, zone: tzinfo | None) -> datetime:
    """The instant a value says; `zone` is what a time without one is in. Raises `NotATime`, `ZoneWanted`."""
    if isinstance(value, bool) or value is None:
        raise NotATime
    if isinstance(value, int | float):
        return _since_1970(float(value))
    text = str(value).strip()
    if len(text) > 60:
        raise NotATime
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:]}"
    written = _WRITTEN.fullmatch(text)
    if written is not None:
        return _of_written(written, zone)
    try:
        number = float(text)
    except ValueError:
        raise NotATime from None
    return _since_1970(number)


def _since_1970(number: float) -> datetime:
    size = abs(number)
    scale = 1.0 if size < 1e11 else 1e3 if size < 1e14 else 1e6
    try:
        at = datetime.fromtimestamp(number / scale, UTC)
    except (ValueError, OverflowError, OSError):
        raise NotATime from None
    return _held(at)


def _of_written(written: re.Match[str], zone: tzinfo | None) -> datetime:
    year, month, day, hour, minute, second, fraction, said = written.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    if said is None and zone is None:
        raise ZoneWanted
    where = zone if said is None else _zone(said)
    try:
        at = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro, tzinfo=where
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotATime from None
    return _held(at)


def _zone(said: str) -> tzinfo:
    if said[0] not in "+-":
        return UTC
    hours, minutes = int(said[1:3]), int(said[-2:]) if len(said) > 3 else 0
    if hours > 23 or minutes > 59:
        raise NotATime
    return timezone((1 if said[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _held(at: datetime) -> datetime:
    if not _EARLIEST <= at < _LATEST:
        raise NotATime
    return at
