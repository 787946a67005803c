"""Who may come in: registration (0x0100) and authentication (0x0102).

The law of this file: the standard has no secret in a registration, so what opens it is a coordinator's word, for a while. The
device that registers then is the one by its maker's and its own number; it alone may register again later, because a terminal
may lose its code on the road. Every registration and every refusal is written down for the coordinator to see. What proves a
terminal is the code that it was given: 100 random bits, kept hashed, the last one good until the new one is used. One that asks
again within minutes of being given a code that it has not used was not answered: it is given the same.

Everything here may wait for the database: it is called in a thread.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from checkpoint.core.passes import normal_plate
from checkpoint.decoders.jt808 import Authentication, Registration
from checkpoint.decoders.jt808.platform import NO_TERMINAL, NO_VEHICLE, REGISTERED, TERMINAL_TAKEN
from checkpoint.intake import Intake
from checkpoint.store import Store
from checkpoint.store.registry import Terminal

# Refusals of one number are counted, and written down this often at most: each costs a commit.
NOTED_EVERY = timedelta(minutes=1)
MOST_COUNTED = 10_000
GIVEN_AGAIN = timedelta(minutes=2)
_MOST_CHARS = 60


class Admitted(NamedTuple):
    """The answer to a registration, as 0x8100 has it."""

    result: int
    code: str = ""


class Admission:
    """Lets terminals in, or not. From several threads."""

    def __init__(self, store: Store, intake: Intake, now: Callable[[], datetime]) -> None:
        self._store, self._intake, self._now = store, intake, now
        self._lock = Lock()
        self._registering = Lock()
        # Number -> who was given which code last, and when. Whether it is good, the registry knows.
        self._given: dict[str, tuple[tuple[str, str], str, datetime]] = {}
        # Number and why -> when it was last written down, and how often it was refused since.
        self._noted: dict[tuple[str, str], tuple[datetime, int]] = {}

    def register(self, device: str, said: Registration) -> Admitted:
        """A terminal wants to be known."""
        with self._registering:
            return self._registered(device, said)

    def _registered(self, device: str, said: Registration) -> Admitted:
        now, terminal = self._now(), self._store.registry.terminal(device)
        if terminal is None:
            self._knocked(device, "unknown", _described(said))
            return Admitted(NO_TERMINAL)
        open_now = terminal.open_until is not None and now < terminal.open_until
        which = (clean(said.maker), clean(said.terminal_id))
        same = (terminal.maker, terminal.terminal_id) == which
        if terminal.revoked_at is not None:
            return self._refused(device, "revoked", said, NO_TERMINAL)
        if not open_now and terminal.registered_at is None:
            return self._refused(device, "closed", said, NO_TERMINAL)
        if not open_now and not same:
            return self._refused(device, "other-device", said, TERMINAL_TAKEN)
        if self._intake.vehicle_of(device, now) is None:
            return self._refused(device, "no-vehicle", said, NO_VEHICLE)
        given = self._given.get(device)
        registry = self._store.registry
        lately = given is not None and given[0] == which and now - given[2] < GIVEN_AGAIN
        if given is not None and lately and registry.terminal_awaits(device, hashed(given[1])):
            return Admitted(REGISTERED, given[1])
        code = new_code()
        registry.terminal_registered(
            device,
            hashed(code),
            edition=said.version,
            maker=clean(said.maker),
            model=clean(said.model),
            terminal_id=clean(said.terminal_id),
            plate_said=plate_of(said),
        )
        if len(self._given) >= MOST_COUNTED:
            self._given.clear()
        self._given[device] = (which, code, now)
        return Admitted(REGISTERED, code)

    def authenticate(self, device: str, said: Authentication) -> Terminal | None:
        """The terminal, when it shows a code of ours; it is then written down as connected."""
        registry = self._store.registry
        if not registry.terminal_proved(device, hashed(said.code)):
            if registry.terminal(device) is None:
                self._knocked(device, "unknown", "")
            else:
                self._note(device, "wrong-code", "")
            return None
        registry.terminal_connected(device)
        return registry.terminal(device)

    def unproved(self, device: str) -> None:
        """A number sent positions without having proved itself."""
        if self._store.registry.terminal(device) is None:
            self._knocked(device, "unproved", "")
        else:
            self._note(device, "unproved", "")

    def _refused(self, device: str, why: str, said: Registration, result: int) -> Admitted:
        self._note(device, why, _described(said))
        return Admitted(result)

    def _note(self, device: str, why: str, detail: str) -> None:
        if times := self._due(device, why):
            self._store.registry.terminal_refused(device, why, detail, times)

    def _knocked(self, device: str, why: str, said: str) -> None:
        if times := self._due(device, why):
            self._store.registry.terminal_knocked(device, why, said, times)

    def _due(self, device: str, why: str) -> int:
        """How often this happened since it was last written down; 0: not yet to be written down again."""
        now = self._now()
        with self._lock:
            if len(self._noted) >= MOST_COUNTED:
                self._noted.clear()
            at, times = self._noted.get((device, why), (None, 0))
            if at is not None and now - at < NOTED_EVERY:
                self._noted[device, why] = (at, times + 1)
                return 0
            self._noted[device, why] = (now, 0)
            return times + 1


def new_code() -> str:
    """What a terminal authenticates with: letters and digits, short enough for every terminal's memory."""
    return base64.b32encode(secrets.token_bytes(13)).decode().rstrip("=").lower()[:20]


def hashed(code: str) -> str:
    """How the registry knows a code. A copy of the database opens nothing."""
    return hashlib.sha256(code.encode()).hexdigest()


def plate_of(said: Registration) -> str:
    """The plate in a registration as we write plates; as it came when it is none."""
    try:
        return normal_plate(said.plate)
    except ValueError:
        return clean(said.plate)


def clean(text: str) -> str:
    """A text of a terminal's that can be shown and stored."""
    return "".join(c for c in text if c.isprintable())[:_MOST_CHARS]


def _described(said: Registration) -> str:
    return " · ".join(filter(None, (clean(said.maker), clean(said.model), clean(said.terminal_id), plate_of(said))))
