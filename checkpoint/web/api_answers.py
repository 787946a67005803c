"""What programs are answered when they have something done: small values with names, so that the API's document shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from checkpoint.intake import ResultTaken


class SessionOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A session's token, for `Authorization: Bearer`."""

    token: str


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is over; there is nothing to say of it."""


class AccountAdded(msgspec.Struct, frozen=True, kw_only=True):
    """An account, and the one-time link (and its token) with which its owner chooses a passphrase, until it expires."""

    id: str
    invitation: str
    link: str
    expires: datetime


class InvitationAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The account that can sign in from now on."""

    id: str


class PassAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The number of a request for a pass."""

    request: str


class PassGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that was granted: `link` opens it on the driver's phone, once (null: a phone has opened it), `sheet` is the text
    of the paper pass."""

    pass_id: str
    link: str | None
    sheet: str


class PassReissued(msgspec.Struct, frozen=True, kw_only=True):
    """A pass in a new generation, and the link for another phone."""

    pass_id: str
    generation: int
    link: str | None


class RequestRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was refused."""

    request: str
    state: Literal["refused"] = "refused"


class PassEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that was revoked."""

    pass_id: str
    state: Literal["revoked"] = "revoked"


class LoopTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a loop that is published."""

    loop: str
    version: int


class DeviceTaken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device and the vehicle it reports for, in the form in which they are kept. A tracker that was made for it has a `key` of
    its own, the `address` to send to, a `link` that Traccar Client scans, and one each that opens Traccar Client or OwnTracks on
    the phone and sets it up."""

    device: str
    vehicle: str
    key: str = ""
    address: str = ""
    link: str = ""
    traccar: str = ""
    owntracks: str = ""


class KioskPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time token with which a kiosk enrols for a station, until it expires."""

    kiosk: str
    token: str
    expires: datetime


class StaffTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A member of staff: the pseudonym and the name."""

    id: str
    name: str


class ResultsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each result, in the order they came."""

    results: tuple[ResultTaken, ...]


class WarningTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A warning that was answered."""

    warning: str
    state: Literal["answered"] = "answered"


class PositionTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a phone's app that is held: how many positions it gave, and why one gave none (`trouble`, else empty)."""

    device: str
    fixes: int
    trouble: str


class KeyRenewed(msgspec.Struct, frozen=True, kw_only=True):
    """A kiosk's key was renewed: the new one opens from now on, the old one nothing more."""

    kiosk: str
    server_time: datetime
