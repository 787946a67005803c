"""Who is on duty at the desk: signed on with a badge or a PIN that is checked here, signed off when nobody acts.

Staff who left the list are signed off at once. Five wrong PINs make a minute's pause, counted for each name. Where the station
wants both, a badge opens the way for a PIN for two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from checkpoint.core import badges, pins
from kiosk.kept import StaffMember

SIGNED_ON_FOR = timedelta(minutes=20)
PIN_TRIES, PIN_PAUSE = 5, timedelta(minutes=1)
PIN_AFTER_BADGE = timedelta(minutes=2)


class Duty:
    """`staff` gives the list as it stands; names are pseudonyms."""

    def __init__(self, staff: Callable[[], Mapping[str, StaffMember]]) -> None:
        self._staff = staff
        self._signed_on = ""
        self._active_at: datetime | None = None
        self._wrong: dict[str, tuple[int, datetime]] = {}
        self._shown: tuple[str, datetime] | None = None

    def owner(self, badge: str) -> StaffMember | None:
        """Whose badge this is, or None."""
        return next((member for member in self._staff().values() if badges.fits(badge, member.badge)), None)

    def show_badge(self, badge: str, now: datetime, *, pin_too: bool) -> Literal["", "badge", "badge-half", "pin-wanted"]:
        """Somebody shows a badge: signs its owner on, or asks for the PIN; returns nothing, or why nobody is signed on."""
        if badges.normal(badge) is None:
            return "badge-half"
        member = self.owner(badge)
        if member is None:
            return "badge"
        if pin_too:
            self._shown = (member.id, now)
            return "pin-wanted"
        self._signed_on, self._active_at = member.id, now
        return ""

    def badge_shown(self, now: datetime) -> str:
        """Whose badge was shown and waits for the PIN, or the empty text."""
        if self._shown is None or now - self._shown[1] >= PIN_AFTER_BADGE or self._shown[0] not in self._staff():
            return ""
        return self._shown[0]

    def sign_on(
        self, staff_id: str, pin: str, now: datetime, *, badge_first: bool = False
    ) -> Literal["", "pin", "pin-pause", "badge-first"]:
        """Sign on with a PIN; returns nothing, or why not. Takes a while: hashing is slow on purpose."""
        if badge_first and self.badge_shown(now) != staff_id:
            return "badge-first"
        wrong, last = self._wrong.get(staff_id, (0, now))
        if wrong >= PIN_TRIES and now - last < PIN_PAUSE:
            return "pin-pause"
        member = self._staff().get(staff_id)
        if member is None or not pins.fits(pin, member.pin):
            self._wrong[staff_id] = (wrong % PIN_TRIES + 1, now)
            return "pin"
        self._wrong.pop(staff_id, None)
        self._shown = None
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
