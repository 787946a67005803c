"""Walking the record again: is everything there, and is it what was told?

The law of this file: nothing that is derived is believed. Hashes, seals, ids, times, kinds and the index of subjects are
made again from the bytes and compared; each chain must run from 1 to its head without a hole that was not written down,
and pass through the head that its witness signed. The reading is one snapshot.

What it claims: no row was changed, removed, added or moved by somebody without the key file. Of a fact that left when its
term was over it claims no more than that its link is in its place and that it left by our own hand: what it said, nobody
knows. Somebody who puts an older copy of the whole database back is found only where a kiosk has signed further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from checkpoint.core.facts import Fact, Malformed, decode, subjects
from checkpoint.store.database import Database, instant, micros
from checkpoint.store.keys import Keys
from checkpoint.store.ledger import ZERO, Gap, link_hash, removal_seal, row_seal, seal_of

MOST_PROBLEMS = 50
_KINDS: dict[str, type] = {
    "seq": int, "prev": bytes, "hash": bytes, "number": int, "id": str, "kind": str, "at": int, "recorded_at": int, "raw": bytes,
}  # fmt: skip


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the record is not what it was. `what` says how; `number` and `fact_id` are empty for what is gone."""

    witness: str
    seq: int
    number: int = 0
    fact_id: str = ""
    what: str

    def __str__(self) -> str:
        """One line for a person at a terminal."""
        place = f"fact {self.number} ({self.fact_id}), " if self.number else ""
        return f"{place}{self.witness or 'nobody'} link {self.seq}: {self.what}"


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What walking the record found. `witnesses` counts the links held by witness, `waiting` what has not come yet, `left_count`
    the links of which only the hash is here.

    `problems` are ordered by witness and link, at most `MOST_PROBLEMS`; `first` is the first.
    """

    facts_count: int
    witnesses: dict[str, int]
    waiting: tuple[Gap, ...]
    problems: tuple[Problem, ...]
    left_count: int = 0

    @property
    def ok(self) -> bool:
        """Whether all that was ever held is there, unchanged. What has not come yet is not lost."""
        return not self.problems

    @property
    def first(self) -> Problem | None:
        """The first bad or missing link."""
        return self.problems[0] if self.problems else None


def head_message(witness: str, seq: int, own: bytes | str) -> bytes:
    """What a kiosk signs: `<kiosk>|<seq>|<hash hex>`."""
    return f"{witness.removeprefix('kiosk:')}|{seq}|{own if isinstance(own, str) else own.hex()}".encode()


def verify(database: Database, keys: Keys, public_keys: Mapping[str, bytes]) -> Verification:
    """Walk the record. `public_keys` are the raw Ed25519 keys of witnesses that sign their heads."""
    with database.snapshot():
        walk = _Walk(database, keys, public_keys)
        found = tuple(islice(walk.problems(), MOST_PROBLEMS))
        facts_count = int(database.rows("SELECT count(*) FROM facts")[0][0])
    return Verification(
        facts_count=facts_count, witnesses=walk.links, waiting=tuple(walk.waiting), problems=found, left_count=walk.left_count
    )


class _Walk:
    def __init__(self, database: Database, keys: Keys, public_keys: Mapping[str, bytes]) -> None:
        self._db = database
        self._keys = keys
        self._public_keys = public_keys
        self.links: dict[str, int] = {}
        self.waiting: list[Gap] = []
        self.left_count = 0

    def problems(self) -> Iterator[Problem]:
        self._heads = {row[0]: row[1:] for row in self._db.rows("SELECT * FROM heads")}
        self._gaps: dict[str, list[Gap]] = {}
        for witness, first, last, noticed_at in self._db.rows("SELECT * FROM gaps ORDER BY witness, first_seq"):
            gap = Gap(witness=witness, first=first, last=last, noticed_at=instant(noticed_at))
            self._gaps.setdefault(witness, []).append(gap)
            self.waiting.append(gap)
        told = {w for (w,) in self._db.rows("SELECT DISTINCT witness FROM facts")}
        told |= {w for (w,) in self._db.rows("SELECT DISTINCT witness FROM aside WHERE linked = 1")}
        for witness in sorted(told | self._heads.keys() | self._gaps.keys()):
            yield from self._chain(witness)
        yield from self._orphans()

    def _chain(self, witness: str) -> Iterator[Problem]:
        expected, before, links = 1, ZERO, 0
        gaps = {gap.first: gap for gap in self._gaps.get(witness, ())}
        signed: dict[int, bytes] = {}
        head = self._heads.get(witness)
        for row in self._links(witness):
            links += 1
            sound = all(isinstance(row[name], kind) for name, kind in _KINDS.items())
            if not sound or not isinstance(row["received"], bytes | None):
                # SQLite keeps what it is given; ours are always of these kinds.
                yield _problem(witness, row, "holds something of another kind than we write")
                continue
            seq, prev, own = row["seq"], row["prev"], row["hash"]
            while expected < seq:
                gap = gaps.pop(expected, None)
                if gap is None or gap.last >= seq:
                    missing = f"{expected} is missing" if seq == expected + 1 else f"{expected} to {seq - 1} are missing"
                    yield Problem(witness=witness, seq=expected, what=missing)
                    expected = seq
                else:
                    expected = gap.last + 1
                before = b""
            yield from self._row(witness, row)
            if before and prev != before:
                yield _problem(witness, row, "does not follow the link before it")
            if head is not None and seq == head[5]:
                signed[seq] = own
            expected, before = seq + 1, own
        self.links[witness] = links
        for gap in gaps.values():
            yield Problem(witness=witness, seq=gap.first, what="a gap is written down where none is")
        yield from self._head(witness, expected - 1, before, links, signed)

    def _links(self, witness: str) -> Iterator[dict[str, Any]]:
        """The links of a chain in their order, facts and those set aside, read as they are walked."""
        rows = self._db.walk(
            "SELECT seq, prev, hash, number, id, kind, at, recorded_at, raw, received, seal, removed_at, 1 FROM facts"
            " WHERE witness = ? UNION ALL"
            " SELECT seq, prev, hash, number, fact_id, '', 0, received_at, raw, NULL, removal, removed_at, 0 FROM aside"
            " WHERE witness = ? AND linked = 1 ORDER BY 1",
            (witness, witness),
        )
        names = ("seq", "prev", "hash", "number", "id", "kind", "at", "recorded_at", "raw", "received", "seal", "left", "held")
        for row in rows:
            yield dict(zip(names, row, strict=True))

    def _row(self, witness: str, row: dict[str, Any]) -> Iterator[Problem]:
        if row["left"] is not None:
            yield from self._left(witness, row)
            return
        if link_hash(row["prev"], row["seq"], row["raw"]) != row["hash"]:
            yield _problem(witness, row, "the bytes or the link were changed: the hash does not fit")
            return
        if not row["held"]:
            return
        try:
            fact = decode(row["raw"])
        except Malformed as error:
            yield _problem(witness, row, f"cannot be read: {error}")
            return
        if (fact.id, type(fact.what).__name__, micros(fact.at)) != (row["id"], row["kind"], row["at"]):
            yield _problem(witness, row, "id, kind or time beside the bytes is not what they say")
        if not self._keys.proves(
            row["seal"],
            lambda proof: row_seal(
                proof,
                row["number"], row["id"], witness, row["seq"], row["hash"],
                row["kind"], row["at"], row["recorded_at"], row["received"],
            ),
        ):  # fmt: skip
            yield _problem(witness, row, "the seal does not fit: the row was written or moved from outside")
        yield from self._subjects(witness, row, fact)

    def _left(self, witness: str, row: dict[str, Any]) -> Iterator[Problem]:
        """A link whose body left: nothing of it is here, and it was our own hand that took it."""
        self.left_count += 1
        if row["raw"] or row["received"] is not None or row["kind"] or row["at"]:
            yield _problem(witness, row, "left, and is still here in part")
        if not self._keys.proves(
            row["seal"],
            lambda proof: removal_seal(
                proof,
                row["number"], row["id"], witness, row["seq"], row["prev"], row["hash"], row["recorded_at"], row["left"],
            ),
        ):  # fmt: skip
            yield _problem(witness, row, "was removed from outside")

    def _subjects(self, witness: str, row: dict[str, Any], fact: Fact) -> Iterator[Problem]:
        for subject in sorted(subjects(fact)):
            if not self._db.rows("SELECT 1 FROM subjects WHERE subject = ? AND number = ?", (subject, row["number"])):
                yield _problem(witness, row, f"is not found by its subject {subject}")

    def _head(self, witness: str, last: int, own: bytes, links: int, signed: Mapping[int, bytes]) -> Iterator[Problem]:
        head = self._heads.get(witness)
        if head is None:
            if links:
                yield Problem(witness=witness, seq=last, what="the end of the chain was removed")
            return
        seq, head_hash, head_links, chains_itself, seal, signed_seq, signed_hash, signature = head
        if not self._keys.proves(seal, lambda proof: seal_of(proof, witness, seq, head_hash, head_links, chains_itself)):
            yield Problem(witness=witness, seq=seq, what="the end of the chain was written from outside")
        elif last < seq:
            what = f"{last + 1} is missing" if seq == last + 1 else f"{last + 1} to {seq} are missing"
            yield Problem(witness=witness, seq=last + 1, what=what)
        elif (last, own, links) != (seq, head_hash, head_links):
            yield Problem(witness=witness, seq=last, what=f"{links} links are here, {head_links} were held")
        if signed_seq is not None and witness in self._public_keys:
            key = Ed25519PublicKey.from_public_bytes(self._public_keys[witness])
            try:
                key.verify(signature, head_message(witness, signed_seq, signed_hash))
            except (InvalidSignature, TypeError, AttributeError):
                yield Problem(witness=witness, seq=signed_seq, what="the witness did not sign this head")
            if signed_seq in signed and signed[signed_seq] != signed_hash:
                yield Problem(witness=witness, seq=signed_seq, what="is not the link that the witness signed")

    def _orphans(self) -> Iterator[Problem]:
        """Rows of the index that no fact gives."""
        rows = self._db.rows(
            "SELECT s.subject, s.number FROM subjects s LEFT JOIN facts f ON f.number = s.number WHERE f.number IS NULL LIMIT ?",
            (MOST_PROBLEMS,),
        )
        for subject, number in rows:
            yield Problem(witness="", seq=0, number=number, what=f"the index names {subject} for a fact that is not here")
        counts = dict(self._db.rows("SELECT number, count(*) FROM subjects GROUP BY number"))
        for number, witness, seq, fact_id, raw in self._db.walk("SELECT number, witness, seq, id, raw FROM facts"):
            try:
                wanted = len(subjects(decode(raw))) if raw else 0
            except (Malformed, TypeError):
                continue  # named above
            if counts.get(number, 0) > wanted:
                yield Problem(
                    witness=witness, seq=seq, number=number, fact_id=fact_id, what="is found by a subject it does not name"
                )


def _problem(witness: str, row: Mapping[str, Any], what: str) -> Problem:
    seq, number = (row[name] if isinstance(row[name], int) else 0 for name in ("seq", "number"))
    return Problem(witness=witness, seq=seq, number=number, fact_id=str(row["id"]), what=what)
