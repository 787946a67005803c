"""What the kiosk's file keeps, as values: who the kiosk is, who may sign on, and how its own facts stand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FIRST_PREV = "0" * 64


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Who this kiosk is: its id, its station, the server's address, the key it calls with, and its signing key (hex)."""

    kiosk: str
    station: str
    server: str
    bearer: str
    private_key: str

    @property
    def witness(self) -> str:
        """How facts name this kiosk."""
        return f"kiosk:{self.kiosk}"

    def signature(self, head: Head) -> str:
        """The kiosk's own mark (Ed25519, hex) under the end of its chain."""
        return self.signed(f"{head.seq}|{head.hash}")

    def signed(self, said: str) -> str:
        """The kiosk's own mark under what it says of itself."""
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.private_key))
        return key.sign(f"{self.kiosk}|{said}".encode()).hex()


class StaffMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign on here; `pin` and `badge` are sealed (`core.pins`, `core.badges`), an empty badge is none."""

    id: str
    name: str
    pin: str
    badge: str = ""


class NoRoom(RuntimeError):
    """The kiosk's disk is full: this was not written down."""


@dataclass(frozen=True)
class Head:
    """The end of the chain: the last number and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Waiting:
    """An own fact the server has not said it holds (`again`: it did, and has lost it); `body` is its exact JSON."""

    seq: int
    id: str
    prev: str
    hash: str
    body: bytes
    again: bool = False


class Told(NamedTuple):
    """A fact of the feed: its number there, its exact JSON, its place in its witness's chain, and the server's stamp (empty
    from a server of an earlier version)."""

    number: int
    body: bytes
    seq: int = 0
    prev: str = ""
    stamp: str = ""


@dataclass(frozen=True)
class SetAside:
    """An own fact the server keeps but could not take for what it says; `why` is its word for it."""

    seq: int
    id: str
    why: str
    detail: str
    at: datetime


@dataclass(frozen=True)
class Depth:
    """How much waits, since when the oldest has, how much the server set aside, how much it refused to look at so far."""

    waiting: int
    oldest_at: datetime | None
    aside: int
    refused: int


class Forked(Exception):
    """The server holds another chain under this kiosk's name. The text is for the log."""


@dataclass(frozen=True)
class Broken:
    """The first place where the chain does not hold."""

    seq: int
    why: str


def chained(prev: str, seq: int, body: bytes) -> str:
    """The hash of a fact in its witness's chain, hex."""
    return hashlib.sha256(bytes.fromhex(prev) + seq.to_bytes(8) + body).hexdigest()
