"""Which backups stay.

The law of this file, all of it: `24 hourly, 14 daily, 8 weekly, 12 monthly` means that of each of the last 24 hours that have
a backup the newest one stays, and so for 14 days, 8 weeks (from Monday) and 12 months, all in UTC. The newest always stays.
What no clause keeps, goes. It decides by times alone and touches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
}
_CLAUSE = re.compile(r"(\d{1,4}) (hourly|daily|weekly|monthly)")
DEFAULT = "24 hourly, 14 daily, 8 weekly, 12 monthly"
Keep = Mapping[str, int]


def parse(text: str) -> Keep:
    """A rule by its text. Raises `ValueError`."""
    found: dict[str, int] = {}
    for clause in text.split(","):
        matched = _CLAUSE.fullmatch(clause.strip())
        if matched is None or matched[2] in found:
            raise ValueError(f"a rule such as {DEFAULT} wanted")
        found[matched[2]] = int(matched[1])
    return found


def kept(taken: Iterable[datetime], keep: Keep) -> set[datetime]:
    """Those of the times whose backups stay."""
    times = sorted({at.astimezone(UTC) for at in taken}, reverse=True)
    stay = set(times[:1])
    for name, count in keep.items():
        newest: dict[tuple[int, ...], datetime] = {}
        for at in times:
            newest.setdefault(PERIODS[name](at), at)
        stay.update(list(newest.values())[:count])
    return stay
