"""A kiosk as the server sees one: it numbers, chains and signs what it tells. For tests of the ledger and the intake."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoint.core.facts import Entered, Fact, What, decode, encode
from checkpoint.store import Entry

PLATE, PASS = "浙C12345", "330304-0000017"


def fact(
    fact_id: str, at: datetime, what: What | None = None, *, witness: str = "desk:coordinator", station: str = "sampling-1"
) -> Fact:
    """A fact; that the truck came, unless it says otherwise."""
    return Fact(
        id=fact_id, at=at, witness=witness, what=what or Entered(vehicle=PLATE, pass_id=PASS), by="staff-1", station=station
    )


class FakeKiosk:
    """Keeps a chain of its own, and can be made to lie."""

    def __init__(self, kiosk: str = "k-1", station: str = "sampling-1") -> None:
        self.id, self.station, self.key = kiosk, station, Ed25519PrivateKey.generate()
        self.seq, self.hash = 0, "0" * 64

    @property
    def witness(self) -> str:
        return f"kiosk:{self.id}"

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def tell(self, fact_id: str, at: datetime, what: What | None = None, **more: Any) -> dict[str, Any]:
        """The next link of the chain as it goes over the wire."""
        return self.link(encode(fact(fact_id, at, what, witness=more.pop("witness", self.witness), **more)).decode())

    def link(self, raw: str) -> dict[str, Any]:
        """The next link of the chain around any text."""
        prev, self.seq = self.hash, self.seq + 1
        self.hash = hashlib.sha256(bytes.fromhex(prev) + self.seq.to_bytes(8) + raw.encode()).hexdigest()
        return {"seq": self.seq, "prev": prev, "hash": self.hash, "fact": raw}

    def head(self, seq: int | None = None, own: str | None = None) -> dict[str, Any]:
        """The head of the chain, signed."""
        seq, own = self.seq if seq is None else seq, self.hash if own is None else own
        signature = self.key.sign(f"{self.id}|{seq}|{own}".encode()).hex()
        return {"seq": seq, "hash": own, "signature": signature}

    def body(self, *links: dict[str, Any], head: dict[str, Any] | None = None, sent_at: str | None = None) -> bytes:
        """A batch. The facts stand in it byte for byte."""
        entries = ",".join(
            f'{{"seq":{link["seq"]},"prev":"{link["prev"]}","hash":"{link["hash"]}","fact":{link["fact"]}}}' for link in links
        )
        sent = f',"sent_at":"{sent_at}"' if sent_at else ""
        return f'{{"entries":[{entries}],"head":{json.dumps(head or self.head())}{sent}}}'.encode()

    def entry(self, link: dict[str, Any]) -> Entry:
        """A link as the ledger takes it."""
        raw = link["fact"].encode()
        return Entry(witness=self.witness, raw=raw, fact=decode(raw), seq=link["seq"], prev=link["prev"], hash=link["hash"])
