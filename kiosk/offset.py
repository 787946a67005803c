"""How far the server's clock is ahead of this station's, and whether that is still known."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from kiosk.outbox import Outbox

SET_S = 2.0
"""A clock that differs by more than this from the machine's steady count was set by somebody."""
ROUGH_S = 5.0
"""Half a round trip longer than this makes a comparison too rough to use."""


class ClockOffset:
    """Compared in every answer of the server, kept over a restart.

    A clock that was set since the comparison (its time and the machine's steady count went different ways) has moved by
    that much. After a start the last comparison counts, unless the clock has gone back behind the moment of it: then
    nothing is known. A clock set forward while the machine was off cannot be told from one that ran on; the lists then
    look old, and that holds the verdict.
    """

    def __init__(self, outbox: Outbox, now: Callable[[], datetime], steady: Callable[[], float] = time.monotonic) -> None:
        self._outbox, self._now, self._steady = outbox, now, steady
        self._mark = (now(), steady())
        kept, compared_at = outbox.setting("offset_s"), outbox.setting("compared_at")
        self._offset_s = float(kept) if kept else None
        if compared_at and now() < datetime.fromisoformat(compared_at) - timedelta(seconds=SET_S):
            self._offset_s = None

    def compare(self, server_time: datetime, asked: datetime, answered: datetime) -> None:
        """Take in what the server's clock said between the asking and the answer."""
        half = (answered - asked) / 2
        if not timedelta() <= half <= timedelta(seconds=ROUGH_S):
            return
        self._offset_s = (server_time - asked - half).total_seconds()
        self._mark = (self._now(), self._steady())
        self._outbox.keep(offset_s=f"{self._offset_s:.3f}", compared_at=answered.isoformat())

    @property
    def seconds(self) -> float | None:
        """What must be added to this clock to have the server's, or None when that is not known."""
        if self._offset_s is None:
            return None
        then, count = self._mark
        jumped = (self._now() - then).total_seconds() - (self._steady() - count)
        return round(self._offset_s - (jumped if abs(jumped) > SET_S else 0.0), 3)
