"""What goes over the wire between kiosk and server.

The law of this file: a server may be a version older or newer than we are. What has a default is what an older one does not
say; what we do not know of a newer one's answer is passed over; and what we say more than an older one knows stands where it
reads past it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from kiosk.kept import StaffMember, Told, Waiting


class SetAside(msgspec.Struct, frozen=True):
    """A fact that the server keeps, but not as what it says."""

    id: str
    why: str = ""
    detail: str = ""


class HeldTo(msgspec.Struct, frozen=True):
    """The end of our chain as the server holds it."""

    seq: int
    hash: str


class Gap(msgspec.Struct, frozen=True):
    """Links of our chain that the server does not have, first to last."""

    first: int
    last: int


class Taken(msgspec.Struct, frozen=True):
    """What became of a batch."""

    held: tuple[str, ...]
    set_aside: tuple[SetAside, ...]
    server_time: datetime
    gaps: tuple[Gap, ...] = ()
    head: HeldTo | None = None


class ToldFact(msgspec.Struct, frozen=True):
    """A fact of the feed, and the server's stamp under it."""

    number: int
    fact: msgspec.Raw
    seq: int = 0
    prev: str = ""
    stamp: str = ""


class _Witnessed(msgspec.Struct, frozen=True):
    witness: str = ""


class Lost(msgspec.Struct, frozen=True):
    """The server lost facts: those with numbers after the one and before the other."""

    after: int
    before: int


class Named(msgspec.Struct, frozen=True):
    """Who a pseudonym is, and the server's stamp under that."""

    id: str
    name: str
    stamp: str = ""
    mark: str = ""


class Issuer(msgspec.Struct, frozen=True):
    """A key that seals passes."""

    key_id: str
    public_key: str


class Page(msgspec.Struct, frozen=True):
    """A page of the feed."""

    facts: tuple[ToldFact, ...]
    cursor: int
    more: bool
    server_time: datetime
    people: tuple[Named, ...]
    staff: tuple[StaffMember, ...]
    issuers: tuple[Issuer, ...]
    station: str
    kiosk: str
    gaps: tuple[Gap, ...] = ()
    head: HeldTo | None = None
    lost: tuple[Lost, ...] = ()
    installation: str = ""
    program: str = ""
    revoked: tuple[str, ...] = ()
    renew: bool = False


class Renewed(msgspec.Struct, frozen=True):
    """The server knows our next key."""

    kiosk: str
    server_time: datetime


class ReturnedOne(msgspec.Struct, frozen=True):
    """What became of a fact told back."""

    number: int
    state: str


class Returned(msgspec.Struct, frozen=True):
    """What became of what was told back."""

    facts: tuple[ReturnedOne, ...]
    server_time: datetime


class Enrolled(msgspec.Struct, frozen=True):
    """What a token was traded for."""

    kiosk: str
    station: str
    key: str
    installation: str = ""
    former_head: HeldTo | None = None


def entry(waiting: Waiting) -> dict[str, object]:
    """A fact as it is sent: that the server held it once is said of what it did."""
    sent: dict[str, object] = {
        "seq": waiting.seq, "prev": waiting.prev, "hash": waiting.hash, "fact": msgspec.Raw(waiting.body),
    }  # fmt: skip
    return sent | {"again": True} if waiting.again else sent


def told_back(told: Told) -> dict[str, object]:
    """A fact as it is told back."""
    fact = msgspec.Raw(told.body)
    return {"number": told.number, "seq": told.seq, "prev": told.prev, "stamp": told.stamp, "fact": fact}


def witness_of(body: bytes) -> str:
    """Whose fact it is, also of a kind that this version of the program cannot read."""
    try:
        return msgspec.json.decode(body, type=_Witnessed).witness
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return ""
