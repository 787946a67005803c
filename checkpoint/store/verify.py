"""Walking the record again: is everything there, and is it what was told?

The law of this file: nothing that is derived is believed. Hashes, seals, ids, times, kinds and the index of subjects are
made again from the bytes and compared; each chain must run from 1 to its head without a hole that was not written down,
and pass through the head that its witness signed; what was set aside is sealed and counted. A row that is no row of ours is
named, and never stops the walk. The reading is one snapshot.

What it claims: no row was changed, removed, added or moved by somebody without the key file. Of a fact that left when its
term was over it claims no more than that its link is in its place and that it left by our own hand: what it said, nobody
knows. Somebody who puts an older copy of the whole database back is found only where a kiosk has signed further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import peewee
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from checkpoint.core.facts import Fact, Malformed, decode, subjects
from checkpoint.store.database import Database, StorageFailed, instant, micros
from checkpoint.store.keys import Keys, Proof
from checkpoint.store.ledger import ZERO, Gap, aside_place, link_hash, received_place, removal_seal, row_seal
from checkpoint.store.seals import ASIDE_SEALED, aside_count, aside_seal, gap_seal, head_seal

MOST_PROBLEMS = 50
_KINDS: dict[str, type] = {
    "seq": int, "prev": bytes, "hash": bytes, "number": int, "id": str, "kind": str, "at": int, "recorded_at": int, "raw": bytes,
}  # fmt: skip


_HEAD = "witness, seq, hash, links, chains_itself, signed_seq, signed_hash, signature, seal"


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


def verify(database: Database, keys: Keys, public_keys: Callable[[], Mapping[str, bytes]]) -> Verification:
    """Walk the record. `public_keys` reads the raw Ed25519 keys of witnesses that sign their heads: that they cannot be read
    is a problem like others, and is told with them."""
    with database.snapshot():
        return walked(database, keys, public_keys)


def walked(database: Database, keys: Keys, public_keys: Callable[[], Mapping[str, bytes]]) -> Verification:
    """The same within a snapshot, or a transaction, that the caller holds."""
    walk = _Walk(database, keys, public_keys)
    found = tuple(islice(walk.problems(), MOST_PROBLEMS))
    try:
        facts_count = int(database.rows("SELECT count(*) FROM facts")[0][0])
    except StorageFailed:
        facts_count = 0  # and that is among the problems
    return Verification(
        facts_count=facts_count, witnesses=walk.links, waiting=tuple(walk.waiting), problems=found, left_count=walk.left_count
    )


class _Walk:
    def __init__(self, database: Database, keys: Keys, public_keys: Callable[[], Mapping[str, bytes]]) -> None:
        self._db = database
        self._keys = keys
        self._ask_for_keys = public_keys
        self._public_keys: Mapping[str, bytes] = {}
        self.links: dict[str, int] = {}
        self.waiting: list[Gap] = []
        self.left_count = 0

    def problems(self) -> Iterator[Problem]:
        return _whatever_it_is("", self._everything())

    def _everything(self) -> Iterator[Problem]:
        yield from _whatever_it_is("", self._signers())
        self._heads = {row[0]: row[1:] for row in self._db.rows(f"SELECT {_HEAD} FROM heads")}
        self._gaps: dict[str, list[Gap]] = {}
        yield from self._written_gaps()
        told = {w for (w,) in self._db.rows("SELECT DISTINCT witness FROM facts")}
        told |= {w for (w,) in self._db.rows("SELECT DISTINCT witness FROM aside WHERE linked = 1")}
        for witness in sorted(told | self._heads.keys() | self._gaps.keys(), key=str):
            yield from _whatever_it_is(witness, self._chain(witness))
        yield from _whatever_it_is("", self._asides())
        yield from _whatever_it_is("", self._orphans())
        yield from _whatever_it_is("", self._flaws())

    def _signers(self) -> Iterator[Problem]:
        self._public_keys = self._ask_for_keys()
        yield from ()

    def _written_gaps(self) -> Iterator[Problem]:
        rows = self._db.rows("SELECT witness, first_seq, last_seq, noticed_at, seal FROM gaps ORDER BY witness, first_seq")
        for witness, first, last, noticed_at, seal in rows:
            if not self._keys.proves(seal, partial(_gap_seal, (witness, first, last, noticed_at))):
                yield Problem(witness=str(witness), seq=_number(first), what="a gap was written down from outside")
                continue
            gap = Gap(witness=witness, first=first, last=last, noticed_at=instant(noticed_at))
            self._gaps.setdefault(witness, []).append(gap)
            self.waiting.append(gap)

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
            if head is not None and seq == head[4]:
                signed[seq] = own
            expected, before = seq + 1, own
        self.links[witness] = links
        while (gap := gaps.pop(expected, None)) is not None:  # and what followed it is gone
            expected, before = gap.last + 1, b""
        found = list(self._head(witness, expected - 1, before, links, signed))
        found += [Problem(witness=witness, seq=gap.first, what="a gap is written down where none is") for gap in gaps.values()]
        yield from sorted(found, key=lambda problem: problem.seq)

    def _links(self, witness: str) -> Iterator[dict[str, Any]]:
        """The links of a chain in their order, facts and those set aside, read as they are walked."""
        rows = self._db.walk(
            "SELECT seq, prev, hash, number, id, kind, at, recorded_at, raw, received, seal, removed_at, NULL, 1 FROM facts"
            " WHERE witness = ? UNION ALL"
            " SELECT seq, prev, hash, number, fact_id, '', 0, received_at, raw, NULL, removal, removed_at, digest, 0 FROM aside"
            " WHERE witness = ? AND linked = 1 ORDER BY 1",
            (witness, witness),
        )
        names = (
            "seq",
            "prev",
            "hash",
            "number",
            "id",
            "kind",
            "at",
            "recorded_at",
            "raw",
            "received",
            "seal",
            "left",
            "digest",
            "held",
        )
        for values in rows:
            row = dict(zip(names, values, strict=True))
            if not row["held"] and isinstance(row["raw"], bytes) and isinstance(row["digest"], bytes) and row["left"] is None:
                row["raw"] = self._keys.unlock(row["raw"], aside_place(row["digest"]))
            if isinstance(row["received"], bytes):
                row["received"] = self._keys.unlock(row["received"], received_place(row["number"]))
            yield row

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
        *values, seal = head
        seq, head_hash, head_links, _, signed_seq, signed_hash, signature = values
        if not self._keys.proves(seal, lambda proof: head_seal(proof, witness, *values)):
            yield Problem(witness=witness, seq=_number(seq), what="the end of the chain was written from outside")
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

    def _asides(self) -> Iterator[Problem]:
        """What was set aside, with or without a place in a chain: each row as it was written, and none gone."""
        count = 0
        for *values, seal in self._db.walk(f"SELECT {ASIDE_SEALED}, seal FROM aside ORDER BY number"):
            count += 1
            number, witness, seq = values[0], values[8], values[9]
            if not isinstance(values[-1], bytes) or not self._keys.proves(seal, partial(_aside_seal, values)):
                what = f"number {number} of what was set aside was changed or written from outside"
                yield Problem(witness=str(witness or ""), seq=_number(seq), what=what)
        held = aside_count(self._db, self._keys)
        if held is None:
            yield Problem(witness="", seq=0, what="the count of what was set aside was written from outside")
        elif held != count:
            yield Problem(witness="", seq=0, what=f"{count} were set aside by what is here, {held} by what was written down")

    def _flaws(self) -> Iterator[Problem]:
        """An index that does not fit its rows would hide some of them from everybody but this walk."""
        for flaw in self._db.flaws():
            yield Problem(witness="", seq=0, what=f"the database itself is damaged: {flaw}")

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


def _whatever_it_is(witness: str, problems: Iterator[Problem]) -> Iterator[Problem]:
    """Problems, and one more when rows are so odd that they cannot even be compared, or cannot be read off the disk."""
    try:
        yield from problems
    except (TypeError, ValueError, AttributeError, OverflowError, StorageFailed, peewee.DatabaseError) as error:
        yield Problem(witness=str(witness), seq=0, what=f"cannot be walked: {error}")


def _gap_seal(row: tuple[Any, ...], proof: Proof) -> bytes:
    return gap_seal(proof, *row)


def _aside_seal(row: list[Any], proof: Proof) -> bytes:
    return aside_seal(proof, row)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _problem(witness: str, row: Mapping[str, Any], what: str) -> Problem:
    seq, number = (row[name] if isinstance(row[name], int) else 0 for name in ("seq", "number"))
    return Problem(witness=witness, seq=seq, number=number, fact_id=str(row["id"]), what=what)
