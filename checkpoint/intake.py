"""What comes in: read it, set aside what cannot be taken, append, and answer what is held.

The law of this file:

* An answer is given after the commit. What is answered as held or as set aside is on disk, and its sender may forget it.
* Each item is answered for itself; a bad one never blocks the good ones behind it.
* Who speaks is known before (the caller authenticated them) and nobody speaks for another: a kiosk only as itself, of its
  own station, and only of what is witnessed at stations.
* What is refused here is only what cannot be attributed at all (`Malformed`), and what can wait while there is little room
  (`StorageFull`): then nothing was kept, and the sender is told.

After each commit `noticed(vehicles)` is called, so that the watch looks again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from checkpoint.bindings import Bindings, Bound, book_of, told_of
from checkpoint.core import facts
from checkpoint.core.declared import TOLERANCE, Declared
from checkpoint.core.facts import Fact, Malformed, ResultReported, ResultValue, SwabTaken, digest_id, subjects
from checkpoint.core.track import Fix
from checkpoint.hearing import FixesTaken, Hearing
from checkpoint.store import Entry, Gap, Head, Outcome, Signed, Store, Taken
from checkpoint.store.ledger import link_hash
from checkpoint.store.registry import Kiosk
from checkpoint.store.verify import head_message

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_ENTRIES = 5_000
_SEEN_EVERY = timedelta(seconds=30)

# What is witnessed at a station. Passes, loops and warnings are not a kiosk's to speak of.
AT_STATIONS = (
    facts.Scanned | facts.PassCompared | facts.StrangerSeen | facts.StrangerStayed | facts.CrewJoined | facts.Entered
    | facts.Left | facts.Overruled | facts.TemperatureMeasured | facts.HealthCodeSeen | facts.SwabTaken | facts.TubeSealed
    | facts.AntigenRead | facts.CarePackGiven | facts.Loaded | facts.Unloaded | facts.CheckedIn | facts.CheckedOut
    | facts.AlertAcknowledged | facts.Contested | facts.HelpCalled
)  # fmt: skip

# What can wait until a disk has room again. What anybody saw, a result, an answer, a revocation, a call for help cannot.
CAN_WAIT = facts.PassRequested | facts.PassGranted | facts.LoopPublished | facts.DeviceBound | facts.DeviceReleased

# What laboratories call the tests and results: LOINC, EU DCC, SNOMED CT, and the Chinese words. Other tests are kept as
# they were written, and never count.
TESTS = {
    "pcr": "pcr", "94500-6": "pcr", "LP6464-4": "pcr", "核酸": "pcr",
    "antigen": "antigen", "94558-4": "antigen", "LP217198-3": "antigen", "抗原": "antigen",
}  # fmt: skip
RESULTS: dict[str, ResultValue] = {
    "negative": "negative", "260415000": "negative", "895231008": "negative", "阴性": "negative",
    "positive": "positive", "260373001": "positive", "阳性": "positive",
    "grey": "grey", "灰区": "grey",
    "invalid": "invalid", "无效": "invalid",
}  # fmt: skip


class Refused(Malformed):
    """A batch that cannot be laid to its sender's account: a head not signed by the kiosk, or not of these entries."""


# -- answers ----------------------------------------------------------------------------------------------------------


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was set aside, durably: the sender stops sending it and shows why."""

    id: str
    seq: int | None
    why: str
    detail: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Links of the kiosk's chain that the server does not have, first to last."""

    first: int
    last: int


class HeldTo(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the kiosk's chain as the server holds it: what the kiosk knows beyond it, the server has lost. `seq` is 0
    and the hash empty when nothing is held."""

    seq: int
    hash: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a kiosk's batch. `held` names also what was held before."""

    held: tuple[str, ...]
    set_aside: tuple[Aside, ...]
    gaps: tuple[Missing, ...]
    head: HeldTo
    server_time: datetime


class ReturnedFact(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a fact that a kiosk was told and told back, by the number it had: `held` (again, or all along), `aside`
    (kept, but not as a fact), `refused` (not kept: the stamp is not ours)."""

    number: int
    state: Literal["held", "aside", "refused"]


class ResultTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one result of a laboratory, in the order they came."""

    accession: str
    id: str
    state: Literal["held", "repeated", "aside"]
    why: str = ""
    detail: str = ""


# -- what kiosks and laboratories send --------------------------------------------------------------------------------


_Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class SentLink(msgspec.Struct, frozen=True):
    """A link of a kiosk's chain as it is sent: the fact in the exact bytes that were hashed."""

    seq: _Seq
    prev: str
    hash: str
    fact: msgspec.Raw
    again: bool = False


class SignedHead(msgspec.Struct, frozen=True):
    """The head of a kiosk's chain, signed by the kiosk."""

    seq: _Seq
    hash: str
    signature: str


class Batch(msgspec.Struct, frozen=True):
    """What a kiosk hands in at once."""

    entries: tuple[msgspec.Raw, ...] = ()
    head: SignedHead | None = None
    sent_at: datetime | None = None


class ToldBack(msgspec.Struct, frozen=True):
    """A fact that a kiosk was told and tells back, with the stamp it came with."""

    number: int
    seq: _Seq
    prev: str
    stamp: str
    fact: msgspec.Raw


class PersonToldBack(msgspec.Struct, frozen=True):
    """A person whom a kiosk was told and tells back, with the mark and the stamp they came with."""

    id: str
    name: str
    stamp: str
    mark: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""


class ToldBackAll(msgspec.Struct, frozen=True):
    """What a kiosk tells back."""

    facts: tuple[ToldBack, ...]
    people: tuple[PersonToldBack, ...] = ()


class SentResult(msgspec.Struct, frozen=True):
    """One result as a laboratory writes it; `result` and `test` in any of the words of `RESULTS` and `TESTS`."""

    accession: str
    test: str
    result: str
    reported_at: datetime
    tube: str = ""
    specimen: str = ""
    sampled_at: datetime | None = None
    received_at: datetime | None = None


class SentResults(msgspec.Struct, frozen=True):
    """What a laboratory hands in at once; each item is read for itself."""

    results: tuple[msgspec.Raw, ...]


class _Named(msgspec.Struct, frozen=True):
    """As much of a broken item as can be read, to answer it by name."""

    id: str = ""
    accession: str = ""


class Begun(NamedTuple):
    """A kiosk's batch on its way to the disk: its entries, the future of what becomes of each, and the kiosk's clock."""

    kiosk: Kiosk
    entries: list[Entry]
    offset_s: float | None
    clock_is_news: bool
    taken: Future[Taken]


def _clock_is_news(kiosk: Kiosk, offset_s: float | None, now: datetime) -> bool:
    """Whether to keep how far the kiosk's clock is from ours. Not at every batch: it would cost a commit each."""
    moved = offset_s is not None and (kiosk.offset_s is None or abs(offset_s - kiosk.offset_s) > 1)
    return moved or kiosk.seen_at is None or now - kiosk.seen_at > _SEEN_EVERY


class Intake:
    """Takes in what kiosks, laboratories, devices and desks tell. From any thread; each call returns when it is durable."""

    def __init__(self, store: Store, now: Callable[[], datetime], noticed: Callable[[Iterable[str]], None]) -> None:
        self._store = store
        self._now = now
        self._noticed = noticed
        self._bindings = Bindings(store)
        self._hearing = Hearing(store, now, noticed, self._bindings)

    # -- one fact -----------------------------------------------------------------------------------------------------

    def record(self, fact: Fact) -> Outcome:
        """Take in a fact of a desk, a phone or the server. Raises `Malformed`; a kiosk's fact comes in its chain only."""
        fact = facts.checked(fact)
        if isinstance(fact.what, CAN_WAIT):
            self._store.headroom.ask("desk")
        if fact.witness.startswith("kiosk:"):
            raise Malformed("a kiosk's facts come in its own chain - at `$.witness`")
        outcome = self._store.record(fact)
        # A correction can bind too, and so can taking a release back; and what was bound by mistake is bound no more.
        if outcome.held:
            for device in self._devices_of(fact):
                self._hearing.settle(device)
        self._noticed(_vehicles([fact]))
        return outcome

    def _devices_of(self, fact: Fact) -> set[str]:
        """The devices whose bindings a fact can change."""
        root: Fact | None = fact
        while root is not None and isinstance(root.what, facts.Voided | facts.Amended):
            target = self._store.fact(root.what.target)
            root = target.fact if target is not None else None
        told = [fact] if root is None or root is fact else [root, *told_of(self._store, f"fact:{root.id}")]
        return {name.removeprefix("device:") for each in told for name in subjects(each) if name.startswith("device:")}

    # -- kiosks -------------------------------------------------------------------------------------------------------

    def take_batch(self, kiosk_id: str, body: bytes) -> Answer:
        """Take in a kiosk's batch (`POST /api/v1/facts`). Raises `Malformed`, or `Refused` when its head is not genuine."""
        kiosk = self._store.registry.kiosk(kiosk_id)
        if kiosk is None:
            raise Refused("no such kiosk")
        return self.finish_batch(self.begin_batch(kiosk, body))

    def begin_batch(self, kiosk: Kiosk, body: bytes) -> Begun:
        """The first half of `take_batch`: read, and handed to the writer. Whoever has no thread to wait with waits for
        `taken` in their own way, and then calls `finish_batch`."""
        batch = _decoded(body, Batch, "$")
        if len(batch.entries) > MOST_ENTRIES:
            raise Malformed(f"at most {MOST_ENTRIES} entries at once wanted - at `$.entries`")
        entries = [_entry_of(kiosk, raw) for raw in batch.entries]
        signed = _signed_head(kiosk, batch.head, entries)
        entries = [self._permitted(kiosk, entry) for entry in entries]
        now = self._now()
        offset_s = None
        if batch.sent_at is not None and batch.sent_at.tzinfo is not None:
            offset_s = (batch.sent_at - now).total_seconds()
        taken = self._store.append_links_soon(kiosk.witness, entries, signed)
        return Begun(kiosk, entries, offset_s, _clock_is_news(kiosk, offset_s, now), taken)

    def finish_batch(self, begun: Begun) -> Answer:
        """The second half: what became of each entry, once it is on the disk."""
        kiosk, entries = begun.kiosk, begun.entries
        outcomes, gaps, head = begun.taken.result()
        if begun.clock_is_news:
            self._store.registry.kiosk_seen(kiosk.id, begun.offset_s)
        held = [(e.fact, o) for e, o in zip(entries, outcomes, strict=True) if o.held and e.fact is not None]
        if not self._store.lost and any(e.again and o.state == "held" for e, o in zip(entries, outcomes, strict=True)):
            log.error("%s brings back what was held: was the record brought back? `checkpoint restored mark`", kiosk.id)
            self._store.went_back = True
        self._noticed(_vehicles(fact for fact, _ in held))
        return Answer(
            held=tuple(o.id for _, o in held),
            set_aside=tuple(
                Aside(id=o.id, seq=e.seq, why=o.why, detail=o.detail)
                for e, o in zip(entries, outcomes, strict=True)
                if not o.held
            ),
            gaps=missing(gaps),
            head=held_to(head),
            server_time=self._now(),
        )

    def heard(self, kiosk: Kiosk, program: str) -> None:
        """A kiosk asked for something, with this version of its program. Kept now and then: it would cost a commit each time."""
        now = self._now()
        if program != kiosk.program or kiosk.seen_at is None or now - kiosk.seen_at > _SEEN_EVERY:
            self._store.registry.kiosk_seen(kiosk.id, None, program)

    def _permitted(self, kiosk: Kiosk, entry: Entry) -> Entry:
        """The entry itself, or the same bytes to be set aside because this kiosk may not say that."""
        fact = entry.fact
        if fact is None:
            return entry
        why, detail = "", ""
        if fact.witness != kiosk.witness:
            why, detail = "other-witness", f"{kiosk.witness} speaks as itself only, not as {fact.witness}"
        elif fact.station not in ("", kiosk.station):
            why, detail = "other-station", f"this kiosk stands at {kiosk.station}, not at {fact.station}"
        else:
            detail = self._beyond(kiosk, fact)
            why = "not-yours" if detail else ""
        return msgspec.structs.replace(entry, fact=None, fact_id=fact.id, why=why, detail=detail) if why else entry

    def _beyond(self, kiosk: Kiosk, fact: Fact) -> str:
        """Why a fact is not this kiosk's to tell, or empty."""
        what = fact.what
        if isinstance(what, facts.Amended | facts.Voided):
            target = self._store.fact(what.target)
            if target is not None and target.fact.witness != kiosk.witness and target.fact.station != kiosk.station:
                return "a station corrects its own facts only"
            what = what.what if isinstance(what, facts.Amended) else what
        if not isinstance(what, AT_STATIONS | facts.Voided):
            return f"{type(what).__name__} is not witnessed at a station"
        return ""

    def take_returned(self, kiosk: Kiosk, body: bytes) -> list[ReturnedFact]:
        """Take in what a kiosk was told and we have lost since (`POST /api/v1/returned`), answered in its order. Raises
        `Malformed`. The stamp under each shows that we held it, whoever witnessed it."""
        back = _decoded(body, ToldBackAll, "$")
        told = back.facts
        for path, items in (("facts", told), ("people", back.people)):
            if len(items) > MOST_ENTRIES:
                raise Malformed(f"at most {MOST_ENTRIES} at once wanted - at `$.{path}`")
        answers = {one.number: ReturnedFact(number=one.number, state="refused") for one in told}
        entries: dict[int, Entry] = {}
        for one in told:
            try:
                fact = facts.decode(bytes(one.fact))
            except Malformed:
                continue
            entry = _told_entry(kiosk, one, fact)
            if self._store.is_our_stamp(entry, one.stamp):
                entries[one.number] = entry if fact.witness.startswith("kiosk:") else _unchained(entry)
        outcomes = self._store.append(list(entries.values()))
        for number, outcome in zip(entries, outcomes, strict=True):
            answers[number] = ReturnedFact(number=number, state="held" if outcome.held else "aside")
        self._noticed(_vehicles(e.fact for e, o in zip(entries.values(), outcomes, strict=True) if o.held and e.fact is not None))
        for person in back.people:
            self._store.take_person_back(person.id, person.name, person.mark, person.stamp)
        return [answers[one.number] for one in told]

    # -- laboratories -------------------------------------------------------------------------------------------------

    def take_results(self, laboratory: str, body: bytes) -> list[ResultTaken]:
        """Take in a laboratory's results (`POST /api/v1/lab/results`), answered in their order. Raises `Malformed`."""
        witness = f"lab:{laboratory}"
        items = _decoded(body, SentResults, "$").results
        if len(items) > MOST_ENTRIES:
            raise Malformed(f"at most {MOST_ENTRIES} results at once wanted - at `$.results`")
        entries, accessions = [], []
        for i, raw in enumerate(items):
            received = bytes(raw)
            try:
                sent = _decoded(received, SentResult, f"$.results[{i}]")
                accessions.append(sent.accession)
                fact = _result_fact(laboratory, witness, sent, f"$.results[{i}]")
            except Malformed as error:
                if len(accessions) == i:
                    accessions.append(_named(received).accession)
                entries.append(Entry(witness=witness, raw=received, fact=None, why="malformed", detail=str(error)))
                continue
            why, detail = self._impossible(fact)
            if why:
                entries.append(Entry(witness=witness, raw=received, fact=None, fact_id=fact.id, why=why, detail=detail))
            else:
                entries.append(Entry(witness=witness, raw=facts.encode(fact), fact=fact, received=received))
        outcomes = self._store.append(entries)
        self._noticed(_vehicles(e.fact for e in entries if e.fact is not None))
        return [
            ResultTaken(accession=accession, id=o.id, state=o.state, why=o.why, detail=o.detail)
            for accession, o in zip(accessions, outcomes, strict=True)
        ]

    def _impossible(self, fact: Fact) -> tuple[str, str]:
        """What cannot be true of a result (why, detail), or two empty texts."""
        what = fact.what
        assert isinstance(what, ResultReported)
        now = self._now()
        if fact.at > now + TOLERANCE:
            return "in-the-future", f"reported at {fact.at.isoformat()}, and now it is {now.isoformat()}"
        if what.sampled_at is not None and fact.at < what.sampled_at:
            return "older-than-its-sample", f"reported at {fact.at.isoformat()}, sampled at {what.sampled_at.isoformat()}"
        if what.received_at is not None and fact.at < what.received_at:
            return "older-than-its-sample", f"reported at {fact.at.isoformat()}, received at {what.received_at.isoformat()}"
        named = [f"specimen:{what.specimen}"] if what.specimen else [f"tube:{what.tube}"]
        taken = [f.at for f in book_of(self._store, *named).of(*named) if isinstance(f.what, SwabTaken)]
        # A tube's result may not come before its first swab; a later one into the same tube is the rules' business.
        if taken and fact.at < min(taken) - TOLERANCE:
            return "older-than-its-sample", f"reported at {fact.at.isoformat()}, our swab was taken at {min(taken).isoformat()}"
        return "", ""

    # -- devices ------------------------------------------------------------------------------------------------------

    def take_fixes(self, fixes: Sequence[Fix]) -> FixesTaken:
        """Take in fixes of devices, each laid to the vehicle its device was bound to at that time. Raises `StorageFull`."""
        return self._hearing.take(fixes)

    def whose(self, fix: Fix, received_at: datetime) -> tuple[str, Fix] | str:
        """The vehicle that a fix as it was sent belongs to, and the fix as it is kept; a text: why it is nobody's."""
        return self._hearing.whose(fix, received_at)

    def keep_aside(self, device: str, received: bytes, why: str, detail: str = "") -> bool:
        """Set aside what a device sent and nobody can use. False when it has sent too much."""
        return self._hearing.keep_aside(device, received, why, detail)

    def declare(self, device: str, said: Declared) -> int:
        """What a coordinator says of a device's datum and clock counts from the next fix on. Returns how many that waited
        for it were taken in."""
        return self._hearing.declare(device, said)

    def bound(self, device: str) -> Bound:
        """The vehicles that a device reported for, from when to when."""
        return self._bindings.of(device)

    def vehicle_of(self, device: str, at: datetime) -> str | None:
        """The vehicle that a device reported for at an instant, or None."""
        return self._bindings.of(device).vehicle(at)


def _decoded(data: bytes, kind: type[T], path: str) -> T:
    """Read JSON. Raises `Malformed` naming the path from the whole message's top."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error).replace("`$", f"`{path}")) from None


def missing(gaps: Iterable[Gap]) -> tuple[Missing, ...]:
    """Gaps as they are told to the kiosk whose they are."""
    return tuple(Missing(first=gap.first, last=gap.last) for gap in gaps)


def held_to(head: Head | None) -> HeldTo:
    """The end of a chain as it is told to the kiosk whose it is."""
    return HeldTo(seq=head.seq, hash=head.hash.hex()) if head is not None else HeldTo(seq=0, hash="")


def _told_entry(kiosk: Kiosk, told: ToldBack, fact: Fact) -> Entry:
    raw = bytes(told.fact)
    try:
        own = link_hash(bytes.fromhex(told.prev), told.seq, raw).hex()
    except ValueError:
        own = ""
    return Entry(
        witness=fact.witness, raw=raw, fact=fact, seq=told.seq, prev=told.prev, hash=own, source=kiosk.witness, again="told"
    )


def _unchained(entry: Entry) -> Entry:
    """The same for a witness for whom the ledger chains: its place in the chain that was lost is nobody's any more."""
    return msgspec.structs.replace(entry, seq=None, prev="", hash="")


def _named(data: bytes) -> _Named:
    try:
        return msgspec.json.decode(data, type=_Named)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Named()


def _entry_of(kiosk: Kiosk, raw: msgspec.Raw) -> Entry:
    """One of a kiosk's entries. What cannot be read keeps its place in the chain as far as that can be read."""
    whole = bytes(raw)
    try:
        sent = _decoded(whole, SentLink, "$")
    except Malformed as error:
        named = _named(whole)
        return Entry(
            witness=kiosk.witness,
            raw=whole,
            fact=None,
            why="malformed",
            detail=str(error),
            fact_id=named.id[: facts.MAX_ID_CHARS],
        )
    told = bytes(sent.fact)
    try:
        fact, detail = facts.decode(told), ""
    except Malformed as error:
        fact, detail = None, str(error)
    return Entry(
        witness=kiosk.witness,
        raw=told,
        fact=fact,
        why="malformed" if fact is None else "",
        detail=detail,
        fact_id=fact.id if fact is not None else _named(told).id[: facts.MAX_ID_CHARS],
        seq=sent.seq,
        prev=sent.prev,
        hash=sent.hash,
        again="own" if sent.again else "",
    )


@lru_cache(maxsize=1_000)
def _key(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def _signed_head(kiosk: Kiosk, head: SignedHead | None, entries: Sequence[Entry]) -> Signed | None:
    """The head of the kiosk's chain, its signature verified. Raises `Refused`."""
    if head is None:
        if entries:
            raise Refused("the signed head of the chain is wanted - at `$.head`")
        return None
    if not kiosk.public_key:
        raise Refused("this kiosk has not enrolled")
    try:
        signature = bytes.fromhex(head.signature)
        bytes.fromhex(head.hash)
        _key(kiosk.public_key).verify(signature, head_message(kiosk.witness, head.seq, head.hash))
    except (ValueError, InvalidSignature):
        raise Refused("the head is not signed by this kiosk - at `$.head.signature`") from None
    if any(entry.seq is not None and entry.seq > head.seq for entry in entries):
        raise Refused("the head is behind its own links - at `$.head.seq`")
    there = [entry.hash for entry in entries if entry.seq == head.seq]
    if there and head.hash not in there:
        raise Refused("the head is not the hash of its own link - at `$.head.hash`")
    return Signed(head.seq, head.hash, signature)


def _result_fact(laboratory: str, witness: str, sent: SentResult, path: str) -> Fact:
    result = RESULTS.get(sent.result.strip()) or RESULTS.get(sent.result.strip().lower())
    if result is None:
        raise Malformed(f"negative, positive, grey or invalid wanted - at `{path}.result`")
    if bool(sent.tube) == bool(sent.specimen):
        raise Malformed(f"either a tube or a specimen wanted - at `{path}.tube`")
    if not sent.accession or not sent.test:
        raise Malformed(f"the laboratory's own number and the test wanted - at `{path}.accession`")
    test = TESTS.get(sent.test.strip()) or TESTS.get(sent.test.strip().lower(), sent.test)
    what = ResultReported(
        test=test,
        result=result,
        laboratory=laboratory,
        specimen=sent.specimen,
        tube=sent.tube,
        sampled_at=sent.sampled_at,
        received_at=sent.received_at,
    )
    if sent.reported_at.tzinfo is None:
        raise Malformed(f"an instant with its zone is wanted - at `{path}.reported_at`")
    # The moment of the report is part of the name: a corrected report is another fact, a repeated one is not.
    reported_at = sent.reported_at.astimezone(UTC)
    name = digest_id("result", laboratory, sent.accession, sent.tube, sent.specimen, test, reported_at.isoformat())
    return facts.checked(Fact(id=name, at=reported_at, witness=witness, what=what))


def _vehicles(told: Iterable[Fact]) -> set[str]:
    """The vehicles that facts name themselves. Who else they concern the watch finds out."""
    return {name.removeprefix("vehicle:") for fact in told for name in subjects(fact) if name.startswith("vehicle:")}
