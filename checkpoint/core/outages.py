"""When nobody listened here: silence is a fact about a device, and not about us.

The law of this file: an outage of ours is what the record can show of it, from the last sign that we listened to the first one
after. What lies in it is not counted as silence; and once we listen again, a device has its own rhythm's time to speak. Who
was silent before an outage began stays silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple


class Outage(NamedTuple):
    """From when until when nobody listened."""

    began: datetime
    ended: datetime


def silent_at(since: datetime, after: timedelta, again: timedelta, outages: Iterable[Outage]) -> datetime:
    """When a device that spoke last at `since` has been silent for so long while we listened; not before it had the time
    `again` to speak after an outage. `outages` in the order of time."""
    at = since + after
    for outage in outages:
        if since < outage.ended and outage.began < at:
            at = max(at + (outage.ended - max(outage.began, since)), outage.ended + again)
    return at
