"""The wire and the files of version 0.1.0, frozen: what that version said, heard, and left on the disk.

`messages.json` holds one kiosk's whole conversation with its server, byte for byte, as they spoke it; `server.sql` and
`kiosk.sql` their two databases in the middle of it, with four facts still waiting at the kiosk. The structs below are how the
programs of that version read what came: what has no default here they could not do without, and what is not here they
passed over (but in `Enrol`, which refused what it did not know).

Nothing here is ever changed. When the next version is out, its folder is put beside, and this one goes a version later.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
CONVERSATION: dict[str, Any] = json.loads((HERE / "messages.json").read_text(encoding="utf-8"))
SPOKEN: list[dict[str, Any]] = CONVERSATION["spoken"]
# So many exchanges had been when the databases were left as they are here.
THEN: int = CONVERSATION["marks"]["upgrade"]
NOW = datetime.fromisoformat(CONVERSATION["now"])
PASS: str = CONVERSATION["number"]
MASTER_KEY = "ab" * 32


def database(name: str, to: Path) -> Path:
    """One of the two databases, as a file."""
    there = sqlite3.connect(to)
    there.executescript((HERE / f"{name}.sql").read_text(encoding="utf-8"))
    there.close()
    return to


# -- how a kiosk read its server ------------------------------------------------------------------------------------------


class Aside(msgspec.Struct, frozen=True):
    id: str
    why: str = ""
    detail: str = ""


class Taken(msgspec.Struct, frozen=True):
    held: tuple[str, ...]
    set_aside: tuple[Aside, ...]
    server_time: datetime


class Told(msgspec.Struct, frozen=True):
    number: int
    fact: msgspec.Raw


class Named(msgspec.Struct, frozen=True):
    id: str
    name: str


class StaffMember(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    pin: str


class Issuer(msgspec.Struct, frozen=True):
    key_id: str
    public_key: str


class Page(msgspec.Struct, frozen=True):
    facts: tuple[Told, ...]
    cursor: int
    more: bool
    server_time: datetime
    people: tuple[Named, ...]
    staff: tuple[StaffMember, ...]
    issuers: tuple[Issuer, ...]
    station: str
    kiosk: str


class Enrolled(msgspec.Struct, frozen=True):
    kiosk: str
    station: str
    key: str


# -- how a server read its kiosks -----------------------------------------------------------------------------------------


class Enrol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token: str
    public_key: str


class Sent(msgspec.Struct, frozen=True):
    seq: int
    prev: str
    hash: str
    fact: msgspec.Raw


class Head(msgspec.Struct, frozen=True):
    seq: int
    hash: str
    signature: str


class Batch(msgspec.Struct, frozen=True):
    entries: tuple[msgspec.Raw, ...] = ()
    head: Head | None = None
    sent_at: datetime | None = None
