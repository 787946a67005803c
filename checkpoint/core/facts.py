"""What can happen in a closed loop.

The law of this file:

* A fact is what a witness saw, once, in the past tense. It is small, frozen and never changed; corrections are facts too.
* A witness names passes, vehicles, people, specimens, tubes and places. It never names a journey: journeys are computed.
* A vehicle is named by its tractor's plate, a person by a pseudonym: names, numbers and phones live in the registry.
* `subjects(fact)` is the one place that says whom a fact concerns; the ledger indexes facts by it.

Instants are aware datetimes in UTC. Quantities carry their unit in the name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import msgspec

Word = Literal["GO", "HOLD", "STOP"]
Medium = Literal["screen", "paper", "typed"]
TestType = Literal["antigen", "pcr"]
Colour = Literal["yellow", "red"]
# "grey" is a PCR reading between the thresholds (灰区); "invalid" a test that says nothing.
ResultValue = Literal["negative", "positive", "grey", "invalid"]


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """Base of everything that can happen; the tag `kind` is the class name."""


# -- the plan and the pass --------------------------------------------------------------------------------------------


class LoopPublished(Happening, frozen=True, tag=True):
    """A coordinator put a version of a loop document in force. `document` is the JSON text described in `loop.py`."""

    loop: str
    version: int
    document: str


class PassRequested(Happening, frozen=True, tag=True):
    """A carrier asked for a pass for one of its vehicles and its crew."""

    request: str
    carrier: str
    vehicle: str
    crew: tuple[str, ...]
    loop: str
    not_before: datetime
    expires: datetime


class PassGranted(Happening, frozen=True, tag=True):
    """A coordinator granted a pass. A higher `generation` of the same number supersedes the lower ones.

    `anchor` is the hex end of the pass's hash chain (see `passes.py`), `step_s` its rhythm: what the policy said when the
    pass was granted, and what the phone goes on stepping by whatever the policy says later.
    """

    pass_id: str
    generation: int
    vehicle: str
    crew: tuple[str, ...]
    loop: str
    carrier: str
    not_before: datetime
    expires: datetime
    anchor: str = ""
    step_s: int = 60
    request: str = ""


class PassRefused(Happening, frozen=True, tag=True):
    """A coordinator refused a carrier's request, and said why."""

    request: str
    reason: str


class PassRevoked(Happening, frozen=True, tag=True):
    """A pass stopped counting at once, in every generation."""

    pass_id: str
    reason: str


class CrewJoined(Happening, frozen=True, tag=True):
    """A person was added to the crew of a pass, at a station or by a coordinator."""

    pass_id: str
    person: str


class DeviceBound(Happening, frozen=True, tag=True):
    """A phone or truck terminal reports the positions of this vehicle: from `since` (None: from when it was said) until
    `until` (None: until it is bound elsewhere or released). With an end it is an exception: after it, what was said before
    counts again.
    """

    device: str
    vehicle: str
    since: datetime | None = None
    until: datetime | None = None


class DeviceReleased(Happening, frozen=True, tag=True):
    """A phone or truck terminal reports for no vehicle any more, from `since` (None: from when it was said) until it is bound
    again. `vehicle` is the one that it reported for."""

    device: str
    vehicle: str
    since: datetime | None = None


# -- at a station -----------------------------------------------------------------------------------------------------


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict a person was shown: what the record says the screen said, whatever is learnt later."""

    word: Word
    reasons: tuple[str, ...]
    next_step: str
    until: datetime | None = None


class Scanned(Happening, frozen=True, tag=True):
    """A pass was read at a station and a verdict was shown.

    `pass_id` and `vehicle` are what a genuine pass said; both are empty when it was not ours. `digest` is the SHA-256
    (hex, first 32 digits) of the text read. `live` says whether a screen pass carried a live step (None: not asked).
    `loop_version` and `lists_age_s` are the rules and the knowledge the verdict was made with; `offset_s` is what
    must be added to the station's clock to get the server's, as last measured (None: never).
    """

    digest: str
    medium: Medium
    shown: Shown
    pass_id: str = ""
    vehicle: str = ""
    generation: int = 0
    live: bool | None = None
    loop: str = ""
    loop_version: int = 0
    lists_age_s: int | None = None
    offset_s: float | None = None


class PassCompared(Happening, frozen=True, tag=True):
    """Staff compared the pass with what stands before them: the plate on the tractor, the names in the cab."""

    pass_id: str
    vehicle: str
    plate_read: str
    names_agree: bool


class StrangerSeen(Happening, frozen=True, tag=True):
    """Somebody is in the cab who is not on the pass. Answered by `CrewJoined`, or by `StrangerStayed`."""

    pass_id: str
    vehicle: str


class StrangerStayed(Happening, frozen=True, tag=True):
    """The person who was not on the pass stayed behind."""

    pass_id: str
    vehicle: str


class Entered(Happening, frozen=True, tag=True):
    """The truck was scanned in at the fact's station."""

    vehicle: str
    pass_id: str
    scan: str = ""


class Left(Happening, frozen=True, tag=True):
    """The truck was scanned out of the fact's station."""

    vehicle: str
    pass_id: str
    scan: str = ""


class Overruled(Happening, frozen=True, tag=True):
    """Somebody let a truck pass, or kept it, against the verdict shown; `by` of the fact names who, `reason` says why."""

    scan: str
    vehicle: str
    word: Word
    reason: str


class TemperatureMeasured(Happening, frozen=True, tag=True):
    """A crew member's temperature was taken."""

    person: str
    celsius: float


class HealthCodeSeen(Happening, frozen=True, tag=True):
    """A crew member showed the health code of the place they come from."""

    person: str
    colour: Literal["green", "yellow", "red"]


class SwabTaken(Happening, frozen=True, tag=True):
    """A specimen was taken from a person; for PCR it went into a tube, alone or pooled.

    `repeat_reason` is what staff answered when the person's evidence still counted and was sampled again.
    """

    specimen: str
    person: str
    test: TestType
    vehicle: str = ""
    tube: str = ""
    pooled: bool = False
    repeat_reason: str = ""


class TubeSealed(Happening, frozen=True, tag=True):
    """A tube was closed; nothing goes into it any more."""

    tube: str


class AntigenRead(Happening, frozen=True, tag=True):
    """The antigen test of a specimen was read by eye."""

    specimen: str
    person: str
    result: ResultValue


class ResultReported(Happening, frozen=True, tag=True):
    """A laboratory reported the result of a specimen, or of a tube and with it of everyone whose swab is in it.

    The fact's `at` is the moment reported. `test` is kept as the laboratory wrote it: an unknown type never counts.
    """

    test: str
    result: ResultValue
    laboratory: str
    specimen: str = ""
    tube: str = ""
    sampled_at: datetime | None = None
    received_at: datetime | None = None


class CarePackGiven(Happening, frozen=True, tag=True):
    """A care pack (爱心包) was handed over; one per visit and person."""

    person: str
    vehicle: str


class Loaded(Happening, frozen=True, tag=True):
    """The truck was loaded. At the loop's origin this opens a journey and ends the one before."""

    vehicle: str
    pass_id: str
    parcels_count: int
    seal: str
    order: str = ""


class Unloaded(Happening, frozen=True, tag=True):
    """The truck was unloaded and the parcels were counted."""

    vehicle: str
    pass_id: str
    parcels_count: int
    seal: str
    seal_intact: bool = True


class CheckedIn(Happening, frozen=True, tag=True):
    """People checked in at a rest station: a bay for the truck, a bed for each (same order as `persons`)."""

    vehicle: str
    persons: tuple[str, ...]
    bay: str
    beds: tuple[str, ...] = ()


class CheckedOut(Happening, frozen=True, tag=True):
    """People checked out of the rest station."""

    vehicle: str
    persons: tuple[str, ...]


# -- what we said, and what people did about it ------------------------------------------------------------------------


class Cited(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of evidence as it was when cited: a fact's id, or the values of a fix, that stand when the track is thinned.

    `what` names it in a catalogue key (`swab`, `fix`, `scan`...); `values` are shown as they are.
    """

    what: str
    at: datetime | None = None
    fact: str = ""
    values: dict[str, str | int | float | bool | None] = {}


class WarningRaised(Happening, frozen=True, tag=True):
    """The server told somebody: a finding must be answered, by `answer_by`. The fact's id is the warning's id."""

    finding: str
    vehicle: str
    colour: Colour
    since: datetime
    subject: str
    pass_id: str = ""
    confirmed: bool = True
    late: bool = False
    answer_by: datetime | None = None
    loop: str = ""
    loop_version: int = 0
    evidence: tuple[Cited, ...] = ()


class WarningChanged(Happening, frozen=True, tag=True):
    """A warning was confirmed, or changed its colour, or its evidence grew."""

    warning: str
    vehicle: str
    colour: Colour
    confirmed: bool
    answer_by: datetime | None = None
    evidence: tuple[Cited, ...] = ()


class WarningCleared(Happening, frozen=True, tag=True):
    """The state that the warning spoke of ended, at `ended`."""

    warning: str
    vehicle: str
    ended: datetime
    evidence: tuple[Cited, ...] = ()


class WarningWithdrawn(Happening, frozen=True, tag=True):
    """Later facts showed that the warning was wrong. It stays visible, with the facts that disproved it."""

    warning: str
    vehicle: str
    evidence: tuple[Cited, ...] = ()


class WarningAnswered(Happening, frozen=True, tag=True):
    """A person took a warning and said what is done about it."""

    warning: str
    vehicle: str
    answer: str


class Alerted(Happening, frozen=True, tag=True):
    """A place ahead of a truck was told of a positive result; `warning` says which warning this belongs to."""

    warning: str
    vehicle: str
    place: str
    order: int


class AlertAcknowledged(Happening, frozen=True, tag=True):
    """The place that was told said that it knows."""

    warning: str
    vehicle: str
    place: str


class Contested(Happening, frozen=True, tag=True):
    """A driver disagreed with a colour or a verdict, in the driver's own words."""

    person: str
    vehicle: str
    target: str
    words: str


class HelpCalled(Happening, frozen=True, tag=True):
    """A driver called for help."""

    person: str
    vehicle: str
    words: str = ""


# -- corrections ------------------------------------------------------------------------------------------------------


class Voided(Happening, frozen=True, tag=True):
    """A fact was declared wrong: what follows is as if it had never happened. The fact itself stays in the ledger."""

    target: str
    reason: str


class Amended(Happening, frozen=True, tag=True):
    """A fact was put right: `what` (and `at`, when given) stand in its place under its own id."""

    target: str
    reason: str
    what: What
    at: datetime | None = None


class Restored(Happening, frozen=True, tag=True):
    """The record was brought back from a backup: what was learnt after fact `last_number` is lost, unless whoever knows it
    tells it again. `taken_at` is when the backup was taken, `backup` the SHA-256 of its manifest; empty when it was brought
    back by other tools. The fact's own number leaps, so that no number that was lost is given a second time.
    """

    taken_at: datetime
    last_number: int
    backup: str = ""


What = (
    LoopPublished | PassRequested | PassGranted | PassRefused | PassRevoked | CrewJoined | DeviceBound | DeviceReleased
    | Scanned | PassCompared | StrangerSeen | StrangerStayed | Entered | Left | Overruled
    | TemperatureMeasured | HealthCodeSeen | SwabTaken | TubeSealed | AntigenRead | ResultReported | CarePackGiven
    | Loaded | Unloaded | CheckedIn | CheckedOut
    | WarningRaised | WarningChanged | WarningCleared | WarningWithdrawn | WarningAnswered
    | Alerted | AlertAcknowledged | Contested | HelpCalled | Voided | Amended | Restored
)  # fmt: skip
KINDS: dict[str, type[Happening]] = {kind.__name__: kind for kind in What.__args__}


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened, as its witness tells it.

    `id` is the witness's own name for it (a UUIDv7 from a kiosk, a digest of a laboratory's numbers); telling it again
    under the same id is repetition, not news. `at` is the witness's clock. `witness` is `kiosk:<id>`, `lab:<id>`,
    `desk:<id>`, `phone:<id>` or `server`. `by` is the pseudonym of the person who acted; `station` the station's id.
    """

    id: str
    at: datetime
    witness: str
    what: What
    by: str = ""
    station: str = ""


class Malformed(ValueError):
    """The bytes are not a fact of ours; the message says where and why, for the sender to mend."""


_decoder = msgspec.json.Decoder(Fact)
_encoder = msgspec.json.Encoder()
MAX_ID_CHARS = 100
MAX_TEXT_CHARS = 2000
_ROOMY = frozenset({"document"})
# An empty number would make one specimen, or one tube, of all that were left empty.
_NEVER_EMPTY = frozenset({"specimen", "tube"})


def decode(data: bytes | str) -> Fact:
    """Read one fact from JSON. Raises `Malformed` naming the path of what is wrong."""
    try:
        fact = _decoder.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    return checked(fact)


def checked(fact: Fact) -> Fact:
    """The fact itself, its instants in UTC, once what the types cannot say holds. Raises `Malformed`."""
    if not fact.id or len(fact.id) > MAX_ID_CHARS or not fact.id.isascii() or not fact.id.isprintable():
        raise Malformed(f"1 to {MAX_ID_CHARS} printable ASCII characters wanted - at `$.id`")
    if not fact.witness:
        raise Malformed("a witness is wanted - at `$.witness`")
    if fact.at.tzinfo is None:
        raise Malformed("an instant with its zone is wanted - at `$.at`")
    if isinstance(fact.what, Amended) and isinstance(fact.what.what, Amended | Voided):
        raise Malformed("a correction cannot be amended; void it - at `$.what.what`")
    _check_texts(fact.what, "$.what")
    bound = fact.what.what if isinstance(fact.what, Amended) else fact.what
    if isinstance(bound, DeviceBound) and bound.until is not None and bound.until <= (bound.since or fact.at):
        raise Malformed("a binding ends after it begins - at `$.what.until`")
    return msgspec.structs.replace(fact, at=fact.at.astimezone(UTC))


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    """A kind's fields by their names here and in JSON, and whether it must be given: looked up once a kind, every fact asks."""
    return tuple((field.name, field.encode_name, field.required) for field in msgspec.structs.fields(kind))


def _check_texts(what: msgspec.Struct, path: str) -> None:
    for name, encoded, required in _fields(type(what)):
        value = getattr(what, name)
        if isinstance(value, str):
            if required and name in _NEVER_EMPTY and not value.strip():
                raise Malformed(f"it must not be empty - at `{path}.{encoded}`")
            if len(value) > MAX_TEXT_CHARS and name not in _ROOMY:
                raise Malformed(f"at most {MAX_TEXT_CHARS} characters wanted - at `{path}.{encoded}`")
            if "\x00" in value:
                raise Malformed(f"a zero byte cannot be kept - at `{path}.{encoded}`")
        elif isinstance(value, datetime):
            if value.tzinfo is None:
                raise Malformed(f"an instant with its zone is wanted - at `{path}.{encoded}`")
        elif isinstance(value, msgspec.Struct):
            _check_texts(value, f"{path}.{encoded}")


def encode(fact: Fact) -> bytes:
    """The fact as JSON, one form for one fact: what is hashed, kept and sent."""
    return _encoder.encode(fact)


def digest_id(*parts: str) -> str:
    """A fact's id made from its witness's own numbers: the same numbers give the same id, so a repeat is recognised."""
    import hashlib

    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUID of version 7 (RFC 9562) from an instant and ten random bytes: unique, and in the order of time."""
    if len(entropy) != 10:
        raise ValueError("ten random bytes wanted")
    ms = int(at.timestamp() * 1000)
    tail = int.from_bytes(entropy)
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# -- whom a fact concerns ----------------------------------------------------------------------------------------------

# Field of a fact -> the kind of subject it names.
_NAMES = {
    "vehicle": "vehicle",
    "pass_id": "pass",
    "person": "person",
    "crew": "person",
    "persons": "person",
    "specimen": "specimen",
    "tube": "tube",
    "loop": "loop",
    "request": "request",
    "device": "device",
    "warning": "warning",
    "target": "fact",
}


def subjects(fact: Fact) -> frozenset[str]:
    """Whom and what a fact concerns, as `kind:name`; a correction concerns the fact it corrects (`fact:<id>`)."""
    found = set(_subjects_of(fact.what))
    if fact.station:
        found.add(f"station:{fact.station}")
    if isinstance(fact.what, Amended):
        found.update(_subjects_of(fact.what.what))
    return frozenset(found)


@cache
def _naming(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """The fields of a kind that name a subject, and the kind of subject: looked up once a kind."""
    return tuple((name, _NAMES[name]) for name in kind.__struct_fields__ if name in _NAMES)


def _subjects_of(what: Happening) -> Iterable[str]:
    for field, kind in _naming(type(what)):
        value = getattr(what, field)
        if isinstance(value, str):
            if value:
                yield f"{kind}:{value}"
        elif isinstance(value, tuple):
            for name in value:
                yield f"{kind}:{name}"
