"""Single values as apps on phones write them: numbers as numbers or as text, instants in five ways, 0 and -1 for "not known".

The law of this file: anything can stand where a value is wanted, and comes out as the value or as None. Nothing is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW = 2**31  # a larger number counts milliseconds


def part(value: object) -> Mapping[str, Any]:
    """An object inside a message, or an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object, most: int = 200) -> str:
    """A text, cut; empty for anything else."""
    return value[:most] if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def positive(value: object) -> float | None:
    """As `number`; 0 and less are how devices say that they do not know."""
    found = number(value)
    return found if found is not None and found > 0 else None


def speed_kmh(value: object, kmh: float) -> float | None:
    """A speed in units of so many km/h; a negative one is unknown."""
    found = number(value)
    return found * kmh if found is not None and found >= 0 else None


def course_deg(value: object) -> float | None:
    """Degrees from north, 0 to 360."""
    found = number(value)
    return found % 360 if found is not None and 0 <= found <= 360 else None


def place(lat: object, lon: object) -> tuple[float, float] | None:
    """A latitude and a longitude that are on earth."""
    y, x = number(lat), number(lon)
    if y is None or x is None or not (-90 <= y <= 90 and -180 <= x <= 180):
        return None
    return y, x


def instant(value: object) -> datetime | None:
    """An instant from seconds, milliseconds or a date and time; without a zone it is UTC. None when it is none of them."""
    counted = number(value)
    try:
        if counted is not None:
            return _EPOCH + timedelta(seconds=counted if abs(counted) < _SECONDS_BELOW else counted / 1000)
        written = str(value).strip()
        if "T" in written:
            written = written.replace(" ", "+")  # a zone's plus that was not escaped arrives as a blank
        at = datetime.fromisoformat(written)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
