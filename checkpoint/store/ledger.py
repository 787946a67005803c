"""The ledger: facts by number, each in its witness's chain, found by whom they concern.

The law of this file:

* A fact is kept as the exact bytes that came, and never changed. The same id with the same bytes is repetition; with
  other bytes it is set aside, and both are kept.
* Each witness has one chain: `hash = SHA-256(prev + seq (8 bytes) + raw)`. A kiosk makes its own; for a witness that
  cannot chain the ledger does. Links may come out of order: a gap is written down, and filled when the missing come.
* What is set aside keeps its place in the chain when its hash fits: a bad fact leaves no hole.
* Every row is sealed with a key that is not in the database (`seals.py`).
* A fact whose term is over leaves (`removal.py`): its link stays, and nobody reads it any more.

Everything here that writes runs on the writer's thread, in its transaction.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from checkpoint.core.facts import Fact, Malformed, decode, encode, subjects
from checkpoint.store.database import Database, StorageFailed, instant, micros
from checkpoint.store.keys import Keys, Proof
from checkpoint.store.seals import count_aside, gap_seal, head_seal, seal_aside, seal_of

log = logging.getLogger(__name__)
ZERO = bytes(32)
# A sequence that jumps further than this is a mistake, not a gap.
LONGEST_GAP = 1_000_000
LARGEST_SEQ = 2**53
_LEFT = "left:"
# In bytes at most four times as long, which still fits into an index of PostgreSQL.
LONGEST_NAME = 600
_INSERT_FACT = (
    "INSERT INTO facts (number, id, witness, seq, prev, hash, kind, at, recorded_at, raw, received, seal)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
# Only when the fact was taken in, so that both can be asked for in one go.
_INSERT_SUBJECTS = (
    "INSERT INTO subjects (subject, number) SELECT named.column1, CAST(? AS BIGINT) FROM (VALUES {}) AS named"
    " WHERE EXISTS (SELECT 1 FROM facts WHERE number = ? AND id = ?)"
)
# SQLite takes more, but a list of this length is found as fast in two.
_AT_ONCE = 400


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something handed in to be kept: a fact as its exact bytes, or (`fact` None) what could not be read, and `why`.

    `seq`, `prev` and `hash` (hex) are the witness's own chain; without them the ledger chains. `received` is what came
    in when `raw` was made from it (a laboratory's message). `source` says who handed it in, when that is not the witness.
    `again` says that the record held it once: its witness sends it anew (`own`), or a kiosk that was told it (`told`).
    """

    witness: str
    raw: bytes
    fact: Fact | None
    why: str = ""
    detail: str = ""
    fact_id: str = ""
    seq: int | None = None
    prev: str = ""
    hash: str = ""
    received: bytes | None = None
    source: str = ""
    again: Literal["", "own", "told"] = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an entry. All three are durable: `held`, `repeated` (held before), `aside` with `why` and `detail`."""

    id: str
    state: Literal["held", "repeated", "aside"]
    why: str = ""
    detail: str = ""
    number: int = 0
    seq: int | None = None

    @property
    def held(self) -> bool:
        """Whether the fact is in the ledger."""
        return self.state != "aside"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as the ledger has it: its number in the order of learning, when we learnt it, and the exact bytes.

    `seq` and `prev` are its place in its witness's chain; `received` is what came in, as it is kept (`Store.handed_in` reads it).
    """

    number: int
    recorded_at: datetime
    fact: Fact
    raw: bytes
    seq: int = 0
    received: bytes | None = None
    prev: bytes = b""


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be taken in as a fact, whole. `why` is a catalogue key's end, `detail` for whoever mends it."""

    number: int
    source: str
    why: str
    detail: str
    fact_id: str
    received_at: datetime
    raw: bytes
    seq: int | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Links of a witness's chain that have not come: `first` to `last`, both missing."""

    witness: str
    first: int
    last: int
    noticed_at: datetime


class Head(NamedTuple):
    """The end of a witness's chain as it is held here."""

    seq: int
    hash: bytes


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that the record had lost and has again: who brought it, as its witness (`own`) or as what it was told (`told`)."""

    recorded: Recorded
    kiosk: str
    how: Literal["own", "told"]


class Signed(NamedTuple):
    """The head of its chain that a witness signed."""

    seq: int
    hash: str
    signature: bytes


class _Link(NamedTuple):
    prev: bytes
    hash: bytes
    number: int
    held: bool


class _Head(NamedTuple):
    seq: int
    hash: bytes
    links: int
    chains_itself: bool
    signed_seq: int | None = None
    signed_hash: bytes | None = None
    signature: bytes | None = None
    moved: bool = False


def received_place(number: int) -> str:
    """Where what came in is kept beside the fact that was made of it: locked, since nobody knows what else was in it."""
    return f"facts.received:{number}"


def aside_place(digest: bytes) -> str:
    """Where what could not be taken in is kept: locked, since it may be anything."""
    return f"aside.raw:{digest.hex()}"


def link_hash(prev: bytes, seq: int, raw: bytes) -> bytes:
    """The hash of a link of a chain, 32 bytes."""
    return hashlib.sha256(prev + seq.to_bytes(8) + raw).digest()


def row_seal(
    keys: Keys | Proof,
    number: int,
    fact_id: str,
    witness: str,
    seq: int,
    own: bytes,
    kind: str,
    at: int,
    recorded_at: int,
    received: bytes | None,
) -> bytes:
    """The seal over a row of the ledger; the bytes of the fact are in it by their link's hash."""
    mark = hashlib.sha256(received).digest() if received is not None else b""
    return seal_of(keys, number, fact_id, witness, seq, own, kind, at, recorded_at, mark)


def told_stamp(keys: Keys | Proof, witness: str, seq: int, prev: bytes, raw: bytes) -> str:
    """The stamp under a link that is told to kiosks, hex: over its witness, its place in the chain, and its exact bytes."""
    return keys.stamp("told", f"{witness}|{seq}|{link_hash(prev, seq, raw).hex()}".encode()).hex()


def left_id(fact_id: str) -> str:
    """What stays of the id of a fact that left: one way only, so that telling it again is recognised."""
    return _LEFT + hashlib.sha256(fact_id.encode()).hexdigest()[:40]


def removal_seal(
    keys: Keys | Proof,
    number: int,
    name: str,
    witness: str,
    seq: int,
    prev: bytes,
    own: bytes,
    recorded_at: int,
    removed_at: int,
) -> bytes:
    """The seal over a row whose body left; `name` is what stays of its id."""
    return seal_of(keys, "left", number, name, witness, seq, prev, own, recorded_at, removed_at)


def person_told(person: str, name: str, mark: str) -> bytes:
    """What is stamped of a person who is told; no link reads like it."""
    return f"person\x1f{person}\x1f{name}\x1f{mark}".encode()


class Ledger:
    """Reads on any thread; writes on the writer's."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db = database
        self._keys = keys
        # While entries are taken in: the ends of their chains as they are by now, to be written once at the end.
        self._ends: dict[str, _Head | None] | None = None

    # -- taking in ----------------------------------------------------------------------------------------------------

    def take(self, entries: Sequence[Entry], now: datetime, signed: Signed | None = None) -> list[Outcome]:
        """Take entries in, each for itself: one that fails is set aside and the others stand.

        `signed` is the head that their witness signed. Whether the signature is genuine is asked before, and by `verify`.
        """
        self._ends = {}
        try:
            outcomes = [self._take_alone(entry, now) for entry in entries]
            if signed is not None and entries:
                self._sign(entries[0].witness, signed)
            ends = self._ends
        finally:
            self._ends = None
        for witness, head in ends.items():
            if head is not None and head.moved:
                self._write_head(witness, head)
        return outcomes

    def _take_alone(self, entry: Entry, now: datetime) -> Outcome:
        assert self._ends is not None
        before = dict(self._ends)
        self._db.begin_part("entry")
        try:
            outcome = self._take(entry, now)
            self._db.settle()
        except StorageFailed:
            raise  # everybody in this commit must hear of it
        except Exception as error:
            # A mistake of ours about this one entry: its bytes are kept, the others stand, and we hear of it.
            log.exception("an entry of %s could not be taken in", entry.witness)
            self._db.undo_part("entry")
            self._ends = before
            return self._set_aside(entry, "not-taken", type(error).__name__, now)
        self._db.end_part("entry")
        return outcome

    def _take(self, entry: Entry, now: datetime) -> Outcome:
        head = self._head(entry.witness)
        if entry.seq is None:
            return self._take_unchained(entry, head, now)
        try:
            prev, own = bytes.fromhex(entry.prev), bytes.fromhex(entry.hash)
        except ValueError:
            prev = own = b""
        wrong = self._chain_problem(entry, entry.seq, prev, own, head)
        if wrong is not None:
            return wrong if isinstance(wrong, Outcome) else self._set_aside(entry, wrong[0], wrong[1], now)
        outcome = self._keep(entry, entry.seq, prev, own, now)
        self._advance(entry.witness, head, entry.seq, own, now)
        return outcome

    def _take_unchained(self, entry: Entry, head: _Head | None, now: datetime) -> Outcome:
        if entry.fact is None:
            return self._set_aside(entry, entry.why or "malformed", entry.detail, now)
        if head is not None and head.chains_itself:
            return self._set_aside(entry, "chain-missing", "this witness chains its facts itself", now)
        unfit = _unfit(entry.fact)
        if unfit:
            return self._set_aside(entry, "malformed", unfit, now)
        seq, prev = (head.seq + 1, head.hash) if head is not None else (1, ZERO)
        own = link_hash(prev, seq, entry.raw)
        number = self._insert(entry, entry.fact, seq, prev, own, now)
        if number is None:
            return self._known(entry, entry.fact, now)
        self._note_returned(entry, number, now)
        self._write_head(entry.witness, _Head(seq, own, seq, chains_itself=False))
        return Outcome(id=entry.fact.id, state="held", number=number, seq=seq)

    def _chain_problem(
        self, entry: Entry, seq: int, prev: bytes, own: bytes, head: _Head | None
    ) -> Outcome | tuple[str, str] | None:
        """What is wrong with a link's place in its chain (why, detail); an `Outcome` when it was held before; else None."""
        witness = entry.witness
        if head is not None and not head.chains_itself:
            return "not-chaining", "the ledger chains for this witness"
        if not 1 <= seq <= LARGEST_SEQ or len(prev) != 32 or link_hash(prev, seq, entry.raw) != own:
            return "hash-wrong", f"the hash of link {seq} does not fit its bytes"
        if head is not None and seq == head.seq + 1 and prev == head.hash:
            return None  # the common case: the next link, and nothing is held beyond the head
        there = self._link(witness, seq)
        if there is not None:
            if there.hash != own:
                return "seq-taken", f"another link {seq} is held"
            return self._outcome_of(there, seq, entry)
        before = _Link(b"", ZERO, 0, True) if seq == 1 else self._link(witness, seq - 1)
        if before is not None and before.hash != prev:
            return "chain-broken", f"link {seq} does not follow the link {seq - 1} that is held"
        after = self._link(witness, seq + 1)
        if after is not None and after.prev != own:
            return "chain-broken", f"link {seq} does not lead to the link {seq + 1} that is held"
        if seq - (head.seq if head is not None else 0) > LONGEST_GAP:
            return "seq-too-far", f"link {seq} is more than {LONGEST_GAP} ahead of what is held"
        return None

    def _keep(self, entry: Entry, seq: int, prev: bytes, own: bytes, now: datetime) -> Outcome:
        """Hold a link whose place in the chain is right: as a fact, or set aside with its place kept."""
        link = (entry.witness, seq, prev, own)
        if entry.fact is None:
            return self._set_aside(entry, entry.why or "malformed", entry.detail, now, link)
        unfit = _unfit(entry.fact)
        if unfit:
            return self._set_aside(entry, "malformed", unfit, now, link)
        number = self._insert(entry, entry.fact, seq, prev, own, now)
        if number is None:
            return self._set_aside(entry, "id-taken", "the same id is held at another place of the record", now, link)
        self._note_returned(entry, number, now)
        return Outcome(id=entry.fact.id, state="held", number=number, seq=seq)

    def _known(self, entry: Entry, fact: Fact, now: datetime) -> Outcome:
        """The answer to an entry whose id is held: told again, or another fact under its name."""
        number, witness, seq, prev, own = self._db.rows(
            "SELECT number, witness, seq, prev, hash FROM facts WHERE id IN (?, ?)", (fact.id, left_id(fact.id))
        )[0]
        # By the hash, not by the bytes: they may have left.
        if witness == entry.witness and link_hash(prev, seq, entry.raw) == own:
            return Outcome(id=fact.id, state="repeated", number=number, seq=seq)
        return self._set_aside(entry, "id-taken", "a fact with this id and other contents is held", now)

    def leap(self, fact: Fact, ahead: int, now: datetime) -> int:
        """Take in a fact of a witness that does not chain under a number so far ahead, from which the next ones count on."""
        head = self._head(fact.witness) or _Head(0, ZERO, 0, chains_itself=False)
        entry = entry_of(fact)
        own = link_hash(head.hash, head.seq + 1, entry.raw)
        number = self._insert(entry, fact, head.seq + 1, head.hash, own, now, ahead)
        if number is None:
            raise ValueError(f"fact {fact.id} is held already")
        self._write_head(fact.witness, _Head(head.seq + 1, own, head.seq + 1, chains_itself=False))
        return number

    def _note_returned(self, entry: Entry, number: int, now: datetime) -> None:
        if entry.again:
            who = entry.source or entry.witness
            values = (number, who.removeprefix("kiosk:"), entry.again, micros(now))
            self._db.run("INSERT INTO returned (number, kiosk, how, returned_at) VALUES (?, ?, ?, ?)", values)

    def _insert(self, entry: Entry, fact: Fact, seq: int, prev: bytes, own: bytes, now: datetime, ahead: int = 0) -> int | None:
        """Write a fact's row and its subjects; None when its id is held already, and nothing was written."""
        at, recorded_at = micros(fact.at), micros(now)
        kind = type(fact.what).__name__
        number, left = self._db.rows(
            "SELECT coalesce(max(number), 0) + 1, EXISTS (SELECT 1 FROM facts WHERE id = ?) FROM facts", (left_id(fact.id),)
        )[0]
        if left:
            return None
        number = int(number) + ahead
        seal = row_seal(self._keys, number, fact.id, entry.witness, seq, own, kind, at, recorded_at, entry.received)
        received = self._keys.lock(entry.received, received_place(number)) if entry.received is not None else None
        values = (number, fact.id, entry.witness, seq, prev, own, kind, at, recorded_at, entry.raw, received, seal)
        statements: list[tuple[str, Sequence[object]]] = [(_INSERT_FACT, values)]
        names = sorted(subjects(fact))
        if names:
            statements.append((_INSERT_SUBJECTS.format(", ".join(["(?)"] * len(names))), (number, *names, number, fact.id)))
        if not self._db.run_all(statements)[0]:
            return None
        return number

    def _set_aside(
        self, entry: Entry, why: str, detail: str, now: datetime, link: tuple[str, int, bytes, bytes] | None = None
    ) -> Outcome:
        source = entry.source or entry.witness
        fact_id = entry.fact.id if entry.fact is not None else entry.fact_id
        number = self.set_aside(source, entry.raw, why, detail, fact_id, entry.seq, now, link)
        return Outcome(id=fact_id, state="aside", why=why, detail=detail, number=number, seq=entry.seq)

    def set_aside(
        self,
        source: str,
        raw: bytes,
        why: str,
        detail: str,
        fact_id: str,
        seq: int | None,
        now: datetime,
        link: tuple[str, int, bytes, bytes] | None = None,
    ) -> int:
        """Keep something whole that could not be taken in. The same thing for the same reason is kept once."""
        digest = hashlib.sha256(f"{source}\x1f{why}\x1f{seq}\x1f".encode() + raw).digest()
        known = self._db.rows("SELECT number FROM aside WHERE digest = ?", (digest,))
        if known:
            return int(known[0][0])
        # A number that no chain has may be larger than a column holds.
        place = seq if seq is not None and 0 <= seq <= LARGEST_SEQ else None
        witness, place, prev, own = link or (None, place, None, None)
        source, detail, fact_id = (text.replace("\x00", "\ufffd") for text in (source, detail, fact_id))
        kept = self._keys.lock(raw, aside_place(digest))
        inserted = self._db.rows(
            "INSERT INTO aside (digest, source, why, detail, fact_id, received_at, raw, linked, witness, seq, prev, hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (digest, source, why, detail, fact_id, micros(now), kept, int(link is not None), witness, place, prev, own),
        )
        seal_aside(self._db, self._keys, int(inserted[0][0]))
        count_aside(self._db, self._keys, 1)
        return int(inserted[0][0])

    # -- chains -------------------------------------------------------------------------------------------------------

    def _head(self, witness: str) -> _Head | None:
        """The end of a chain for whoever writes."""
        if self._ends is None:
            return self._stored_head(witness)
        if witness not in self._ends:
            self._ends[witness] = self._stored_head(witness)
        return self._ends[witness]

    def _stored_head(self, witness: str) -> _Head | None:
        rows = self._db.rows(
            "SELECT seq, hash, links, chains_itself, signed_seq, signed_hash, signature FROM heads WHERE witness = ?", (witness,)
        )
        return _Head(*rows[0])._replace(chains_itself=bool(rows[0][3])) if rows else None

    def _write_head(self, witness: str, head: _Head) -> None:
        if self._ends is not None:
            self._ends[witness] = head._replace(moved=True)
            return
        values = (witness, *(int(part) if isinstance(part, bool) else part for part in head[:-1]))
        self._db.later(
            "INSERT INTO heads (witness, seq, hash, links, chains_itself, signed_seq, signed_hash, signature, seal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (witness) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, links = excluded.links,"
            " chains_itself = excluded.chains_itself, signed_seq = excluded.signed_seq, signed_hash = excluded.signed_hash,"
            " signature = excluded.signature, seal = excluded.seal",
            (*values, head_seal(self._keys, *values)),
        )

    def _advance(self, witness: str, head: _Head | None, seq: int, own: bytes, now: datetime) -> None:
        """A link was added: move the head on and write the gap down, or fill a gap behind it."""
        head = head or _Head(0, ZERO, 0, chains_itself=True)
        if seq > head.seq:
            if seq > head.seq + 1:
                self._write_gap(witness, head.seq + 1, seq - 1, micros(now))
            self._write_head(witness, head._replace(seq=seq, hash=own, links=head.links + 1, chains_itself=True))
            return
        rows = self._db.rows(
            "SELECT first_seq, last_seq, noticed_at FROM gaps WHERE witness = ? AND first_seq <= ? AND last_seq >= ?",
            (witness, seq, seq),
        )
        for first, last, noticed_at in rows:
            self._db.run("DELETE FROM gaps WHERE witness = ? AND first_seq = ?", (witness, first))
            if first < seq:
                self._write_gap(witness, first, seq - 1, noticed_at)
            if seq < last:
                self._write_gap(witness, seq + 1, last, noticed_at)
        self._write_head(witness, head._replace(links=head.links + 1))

    def _write_gap(self, witness: str, first: int, last: int, noticed_at: int) -> None:
        self._db.run(
            "INSERT INTO gaps (witness, first_seq, last_seq, noticed_at, seal) VALUES (?, ?, ?, ?, ?)",
            (witness, first, last, noticed_at, gap_seal(self._keys, witness, first, last, noticed_at)),
        )

    def _link(self, witness: str, seq: int) -> _Link | None:
        rows = self._db.rows(
            "SELECT prev, hash, number, 1 FROM facts WHERE witness = ? AND seq = ? UNION ALL"
            " SELECT prev, hash, number, 0 FROM aside WHERE witness = ? AND seq = ? AND linked = 1",
            (witness, seq, witness, seq),
        )
        return _Link(rows[0][0], rows[0][1], rows[0][2], bool(rows[0][3])) if rows else None

    def _outcome_of(self, link: _Link, seq: int, entry: Entry) -> Outcome:
        """What became of a link that was held before; its witness hears the name it told, though that may have left."""
        told = entry.fact.id if entry.fact is not None else entry.fact_id
        if link.held:
            fact_id = self._db.rows("SELECT id FROM facts WHERE number = ?", (link.number,))[0][0]
            name = told if fact_id.startswith(_LEFT) else fact_id
            return Outcome(id=name, state="repeated", number=link.number, seq=seq)
        fact_id, why, detail = self._db.rows("SELECT fact_id, why, detail FROM aside WHERE number = ?", (link.number,))[0]
        fact_id = told if fact_id.startswith(_LEFT) else fact_id
        return Outcome(id=fact_id, state="aside", why=why, detail=detail, number=link.number, seq=seq)

    def _sign(self, witness: str, signed: Signed) -> None:
        head = self._head(witness)
        if head is None or (head.signed_seq is not None and head.signed_seq >= signed.seq):
            return
        own = bytes.fromhex(signed.hash)
        self._write_head(witness, head._replace(signed_seq=signed.seq, signed_hash=own, signature=signed.signature))

    def gaps(self, witness: str | None = None) -> list[Gap]:
        """What has not come of one witness's chain, or of all."""
        where, values = ("WHERE witness = ?", (witness,)) if witness is not None else ("", ())
        rows = self._db.rows(
            f"SELECT witness, first_seq, last_seq, noticed_at FROM gaps {where} ORDER BY witness, first_seq",
            values,
        )
        return [Gap(witness=w, first=first, last=last, noticed_at=instant(at)) for w, first, last, at in rows]

    def head(self, witness: str) -> Head | None:
        """The end of a witness's chain, or None when nothing of it is held."""
        found = self._stored_head(witness)
        return Head(found.seq, found.hash) if found is not None else None

    # -- reading ------------------------------------------------------------------------------------------------------

    # What left is not read: whoever asks for facts is told of those that have a body.
    _RECORDED = "SELECT number, recorded_at, raw, seq, received, prev FROM facts WHERE removed_at IS NULL AND"

    def returned(self) -> list[Returned]:
        """What the record had lost and has again, in the order in which it came back."""
        rows = self._db.rows(
            "SELECT r.kiosk, r.how, f.number, f.recorded_at, f.raw, f.seq, f.received, f.prev"
            " FROM returned r JOIN facts f ON f.number = r.number WHERE f.removed_at IS NULL ORDER BY r.number"
        )
        return [Returned(recorded=_recorded(row[2:]), kiosk=row[0], how=row[1]) for row in rows]

    def fact(self, fact_id: str) -> Recorded | None:
        """The fact of an id, or None."""
        rows = self._db.rows(f"{self._RECORDED} id = ?", (fact_id,))
        return _recorded(rows[0]) if rows else None

    def after(self, number: int, limit: int) -> list[Recorded]:
        """The facts learnt after a number, in the order learnt."""
        rows = self._db.rows(f"{self._RECORDED} number > ? ORDER BY number LIMIT ?", (number, limit))
        return [_recorded(row) for row in rows]

    def last_number(self) -> int:
        """The number of the fact learnt last, 0 when there is none."""
        return int(self._db.rows("SELECT coalesce(max(number), 0) FROM facts")[0][0])

    def last_number_of(self, *kinds: str) -> int:
        """The number of the fact of any of these kinds that was learnt last, 0 when there is none."""
        # One probe of the index a kind: `IN` would walk over all of them.
        last = " UNION ALL ".join(["SELECT max(number) AS last FROM facts WHERE kind = ?"] * len(kinds))
        return int(self._db.rows(f"SELECT coalesce(max(last), 0) FROM ({last}) AS each_kind", kinds)[0][0])

    def of_kind(self, *kinds: str) -> list[Recorded]:
        """All facts of these kinds, in the order learnt."""
        rows = self._db.rows(f"{self._RECORDED} kind IN ({_marks(kinds)}) ORDER BY number", list(kinds))
        return [_recorded(row) for row in rows]

    def of_kind_after(self, kinds: Sequence[str], number: int, limit: int) -> list[Recorded]:
        """The facts of these kinds learnt after a number, in the order learnt."""
        where = f"kind IN ({_marks(kinds)}) AND number > ?"
        rows = self._db.rows(f"{self._RECORDED} {where} ORDER BY number LIMIT ?", [*kinds, number, limit])
        return [_recorded(row) for row in rows]

    def of_witness_after(self, witness: str, seq: int, limit: int) -> list[Recorded]:
        """The facts of a witness after a link of its chain, in the order of the chain."""
        rows = self._db.rows(f"{self._RECORDED} witness = ? AND seq > ? ORDER BY seq LIMIT ?", (witness, seq, limit))
        return [_recorded(row) for row in rows]

    def about_subjects(self, names: Iterable[str]) -> list[Recorded]:
        """All facts that name any of these subjects, in the order learnt."""
        wanted = list(names)
        found: dict[int, Recorded] = {}
        for i in range(0, len(wanted), _AT_ONCE):
            part = wanted[i : i + _AT_ONCE]
            rows = self._db.rows(
                f"{self._RECORDED} number IN (SELECT number FROM subjects WHERE subject IN ({_marks(part)}))", part
            )
            for row in rows:
                found.setdefault(row[0], _recorded(row))
        return [found[number] for number in sorted(found)]

    def naming(self, names: Sequence[str]) -> dict[str, list[int]]:
        """The numbers of the facts that name each of these subjects, of those that any names."""
        found: dict[str, list[int]] = {}
        for i in range(0, len(names), _AT_ONCE):
            part = names[i : i + _AT_ONCE]
            for subject, number in self._db.rows(f"SELECT subject, number FROM subjects WHERE subject IN ({_marks(part)})", part):
                found.setdefault(subject, []).append(number)
        return found

    def numbered(self, numbers: Sequence[int]) -> list[Recorded]:
        """The facts of these numbers, which are in order."""
        found: list[Recorded] = []
        for i in range(0, len(numbers), _AT_ONCE):
            part = numbers[i : i + _AT_ONCE]
            rows = self._db.rows(f"{self._RECORDED} number IN ({_marks(part)}) ORDER BY number", part)
            found += [_recorded(row) for row in rows]
        return found

    def by_ids(self, ids: Sequence[str]) -> list[Recorded]:
        """The facts of these ids that are held."""
        found: list[Recorded] = []
        for i in range(0, len(ids), _AT_ONCE):
            part = ids[i : i + _AT_ONCE]
            found += [_recorded(row) for row in self._db.rows(f"{self._RECORDED} id IN ({_marks(part)})", part)]
        return found

    def learnt_before(self, before: datetime, limit: int) -> list[Recorded]:
        """The facts that were learnt before an instant, the oldest first."""
        rows = self._db.rows(f"{self._RECORDED} recorded_at < ? ORDER BY recorded_at, number LIMIT ?", (micros(before), limit))
        return [_recorded(row) for row in rows]

    def vehicles(self, since: datetime) -> list[str]:
        """The vehicles that a fact learnt since then names."""
        rows = self._db.rows(
            "SELECT DISTINCT subject FROM subjects WHERE subject >= 'vehicle:' AND subject < 'vehicle;'"
            " AND number >= (SELECT coalesce(min(number), 4611686018427387904) FROM facts WHERE recorded_at >= ?)",
            (micros(since),),
        )
        return [subject.removeprefix("vehicle:") for (subject,) in rows]

    def aside(self, limit: int, why: str | None = None, source: str | None = None) -> list[SetAside]:
        """What was set aside, the newest first."""
        conditions = [(f"{name} = ?", value) for name, value in (("why", why), ("source", source)) if value is not None]
        where = " AND ".join(["removed_at IS NULL", *(c for c, _ in conditions)])
        rows = self._db.rows(
            "SELECT number, source, why, detail, fact_id, received_at, raw, seq, digest FROM aside"
            f" WHERE {where} ORDER BY number DESC LIMIT ?",
            [*(value for _, value in conditions), limit],
        )
        return [self._aside(row) for row in rows]

    def aside_after(self, source: str, number: int, limit: int) -> list[SetAside]:
        """What was set aside of a source after a number, the oldest first."""
        rows = self._db.rows(
            "SELECT number, source, why, detail, fact_id, received_at, raw, seq, digest FROM aside"
            " WHERE source = ? AND number > ? AND removed_at IS NULL ORDER BY number LIMIT ?",
            (source, number, limit),
        )
        return [self._aside(row) for row in rows]

    def _aside(self, row: tuple[Any, ...]) -> SetAside:
        number, source, why, detail, fact_id, at, raw, seq, digest = row
        return SetAside(
            number=number,
            source=source,
            why=why,
            detail=detail,
            fact_id=fact_id,
            received_at=instant(at),
            raw=self._keys.unlock(raw, aside_place(digest)),
            seq=seq,
        )

    def handed_in(self, recorded: Recorded) -> bytes | None:
        """What came in when a fact was made of it, or None."""
        return self._keys.unlock(recorded.received, received_place(recorded.number)) if recorded.received is not None else None


def entry_of(fact: Fact) -> Entry:
    """An entry for a fact of a witness that does not chain."""
    return Entry(witness=fact.witness, raw=encode(fact), fact=fact)


def _unfit(fact: Fact) -> str:
    """Why a fact cannot be found by what it names: PostgreSQL keeps no zero byte, and an index no long name. Empty: it can."""
    for name in subjects(fact):
        if "\x00" in name or len(name) > LONGEST_NAME:
            return f"a name of at most {LONGEST_NAME} characters without a zero byte is wanted, not {name[:80]!r}"
    return ""


def _recorded(row: tuple[Any, ...]) -> Recorded:
    number, recorded_at, raw, seq, received, prev = row
    try:
        fact = decode(raw)
    except Malformed as error:
        # It could be read when it came; that it cannot now is ours, and loud.
        raise RuntimeError(f"fact {number} of the ledger cannot be read: {error}") from error
    learnt = instant(recorded_at)
    return Recorded(number=number, recorded_at=learnt, fact=fact, raw=raw, seq=seq, received=received, prev=prev)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
