"""Who is on duty at the desk: signed on with a PIN that is checked here, signed off when nobody acts.

Staff who left the list are signed off at once. Five wrong PINs make a minute's pause, counted for each name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from checkpoint.core import pins
from kiosk.outbox import StaffMember

SIGNED_ON_FOR = timedelta(minutes=20)
PIN_TRIES, PIN_PAUSE = 5, timedelta(minutes=1)


class Duty:
    """`staff` gives the list as it stands; names are pseudonyms."""

    def __init__(self, staff: Callable[[], Mapping[str, StaffMember]]) -> None:
        self._staff = staff
        self._signed_on = ""
        self._active_at: datetime | None = None
        self._wrong: dict[str, tuple[int, datetime]] = {}

    def sign_on(self, staff_id: str, pin: str, now: datetime) -> Literal["", "pin", "pin-pause"]:
        """Sign on; returns nothing, or why not. Takes a while: hashing is slow on purpose."""
        wrong, last = self._wrong.get(staff_id, (0, now))
        if wrong >= PIN_TRIES and now - last < PIN_PAUSE:
            return "pin-pause"
        member = self._staff().get(staff_id)
        if member is None or not pins.fits(pin, member.pin):
            self._wrong[staff_id] = (wrong % PIN_TRIES + 1, now)
            return "pin"
        self._wrong.pop(staff_id, None)
        self._signed_on, self._active_at = staff_id, now
        return ""

    def sign_off(self) -> None:
        """Nobody is on duty."""
        self._signed_on = ""

    def acted(self, now: datetime) -> None:
        """Whoever is on duty did something."""
        self._active_at = now

    def who(self, now: datetime) -> str | None:
        """Who is on duty, or None."""
        idle = self._active_at is None or now - self._active_at >= SIGNED_ON_FOR
        if self._signed_on not in self._staff() or idle:
            self._signed_on = ""
        return self._signed_on or None
