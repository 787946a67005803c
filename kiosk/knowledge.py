"""What this station knows: the facts it saw and was told, added up; the lists; and questions a station asks of them.

Everything here can be built again from the outbox, and is at every start. Nothing here asks for the time: it is passed in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from checkpoint.core.book import Book
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    Amended,
    AntigenRead,
    CarePackGiven,
    CheckedIn,
    CheckedOut,
    Fact,
    Happening,
    Left,
    LoopPublished,
    PassGranted,
    Scanned,
    SwabTaken,
    Voided,
    WarningRaised,
)
from checkpoint.core.journey import View, pass_in_force, view_of
from checkpoint.core.loop import Loop, Loops, MalformedLoop, Station, parse
from checkpoint.core.sampling import sealed_at
from kiosk.kept import StaffMember
from kiosk.link import readable
from kiosk.outbox import Outbox

PACK_AGAIN = timedelta(hours=12)
"""Where nobody scanned the truck in, a care pack belongs to the visit of these hours."""


class RunningTest(NamedTuple):
    """An antigen test of this station that waits for its reading."""

    specimen: str
    person: str
    vehicle: str
    taken_at: datetime


class Alert(NamedTuple):
    """This station was told of a positive result coming its way, and has not said that it knows."""

    warning: str
    vehicle: str
    told_at: datetime
    person: str


class Taken(NamedTuple):
    """A bay, and the beds beside it, that a truck has."""

    vehicle: str
    bay: str
    beds: tuple[str, ...]


_Answer = TypeVar("_Answer")


class Knowledge:
    """Built from an outbox; `learn` adds what is new.

    What a station asks at every scan is answered from an index by kind, and kept until a fact is added.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.book = Book()
        self.loops = Loops()
        self.people: dict[str, str] = {}
        self.staff: dict[str, StaffMember] = {}
        self.keys: dict[str, Ed25519PublicKey] = {}
        self._by_kind: dict[type[Happening], dict[str, None]] = defaultdict(dict)
        self._answers: dict[object, object] = {}
        self._answers_of = -1
        self.relist()
        self.learn(readable(outbox.received()))
        self.learn(outbox.own_facts())

    def relist(self) -> None:
        """Read people, staff and issuers again."""
        self.people = self._outbox.people()
        self.staff = self._outbox.staff()
        self.keys = {i: Ed25519PublicKey.from_public_bytes(bytes.fromhex(k)) for i, k in self._outbox.issuers().items()}

    def learn(self, facts: Iterable[Fact]) -> None:
        """Take facts in."""
        for fact in facts:
            if not self.book.add(fact):
                continue
            if isinstance(fact.what, Amended):
                self._by_kind[type(fact.what.what)][fact.what.target] = None
            self._by_kind[type(fact.what)][fact.id] = None
            if isinstance(fact.what, LoopPublished):
                try:
                    self.loops.add(parse(fact.what.document))
                except MalformedLoop:
                    continue  # a form that a newer program writes: the versions we can read stay in force

    def _until_learnt(self, question: object, ask: Callable[[], _Answer]) -> _Answer:
        """The answer to a question, asked again only when something was learnt."""
        if self._answers_of != self.book.revision:
            self._answers, self._answers_of = {}, self.book.revision
        if question not in self._answers:
            self._answers[question] = ask()
        return self._answers[question]  # type: ignore[return-value]  # one question, one kind of answer

    def _standing(self, *kinds: type[Happening]) -> list[Fact]:
        """The standing facts of some kinds, in the order of `(at, id)`."""
        found = (self.book.fact(name) for kind in kinds for name in self._by_kind[kind])
        return sorted((f for f in found if f is not None and isinstance(f.what, kinds)), key=lambda f: (f.at, f.id))

    # -- the plan -----------------------------------------------------------------------------------------------------

    def loop_here(self, station: str, at: datetime, wanted: str = "") -> Loop | None:
        """The loop a station belongs to at an instant; the `wanted` one when it belongs to several."""
        in_force = (self.loops.in_force(loop_id, at) for loop_id in sorted(self.loops.all()))
        here = [loop for loop in in_force if loop is not None and loop.station(station) is not None]
        return next((loop for loop in here if loop.id == wanted), here[0] if here else None)

    def station(self, station_id: str, at: datetime) -> Station | None:
        """A station of a loop in force, or None."""
        loop = self.loop_here(station_id, at)
        return loop.station(station_id) if loop is not None else None

    # -- the truck ----------------------------------------------------------------------------------------------------

    def view(self, vehicle: str, at: datetime) -> View | None:
        """Everything about a vehicle, or None when nothing is known of it here."""
        if not vehicle:
            return None
        kept = self._until_learnt(("view", vehicle), lambda: self._viewed(vehicle, at))
        if kept is None or (
            pass_in_force(kept.passes, at) is kept.pass_
            and (kept.pass_ is None or self.loops.in_force(kept.pass_.grant.loop, at) is kept.loop)
        ):
            return kept
        del self._answers["view", vehicle]  # another pass or another version of the plan counts by now
        return self.view(vehicle, at)

    def _viewed(self, vehicle: str, at: datetime) -> View | None:
        return view_of(self.book, vehicle, self.loops, None, at) if self.book.of(f"vehicle:{vehicle}") else None

    def granted(self, number: str) -> PassGranted | None:
        """The newest grant under a pass number, or None."""
        grants = [f.what for f in self.book.of(f"pass:{number}") if isinstance(f.what, PassGranted)]
        return max(grants, key=lambda grant: grant.generation, default=None)

    def pack_given(self, person: str, station: str, since: datetime) -> bool:
        """Whether this person got a care pack at this station since then."""
        return any(
            isinstance(f.what, CarePackGiven) and f.station == station and f.at >= since for f in self.book.of(f"person:{person}")
        )

    # -- the station --------------------------------------------------------------------------------------------------

    def running_tests(self, station: str, since: datetime) -> list[RunningTest]:
        """Antigen tests taken here since then that nobody has read, the oldest first."""
        return [t for t in self._until_learnt(("unread", station), lambda: self._unread(station)) if t.taken_at >= since]

    def _unread(self, station: str) -> list[RunningTest]:
        read = {f.what.specimen for f in self._standing(AntigenRead) if isinstance(f.what, AntigenRead)}
        return [
            RunningTest(f.what.specimen, f.what.person, f.what.vehicle, f.at)
            for f in self._standing(SwabTaken)
            if isinstance(f.what, SwabTaken) and f.what.test == "antigen" and f.station == station and f.what.specimen not in read
        ]

    def open_tubes(self, station: str, by: str, since: datetime) -> list[str]:
        """Pools this member of staff has begun here since then and not sealed, the one used last at the end."""
        return self._until_learnt(("open", station, by, since.date()), lambda: self._begun(station, by, since))

    def _begun(self, station: str, by: str, since: datetime) -> list[str]:
        tubes: dict[str, None] = {}
        for fact in self._standing(SwabTaken):
            taken = fact.what
            if isinstance(taken, SwabTaken) and taken.pooled and taken.tube and (fact.by, fact.station) == (by, station):
                tubes.pop(taken.tube, None)
                if fact.at >= since:
                    tubes[taken.tube] = None
        return [tube for tube in tubes if sealed_at(self.book, tube) is None]

    def bays_taken(self, station: str) -> list[Taken]:
        """Who has which bay and beds. Whoever was scanned out of the station has none, checked out or not."""
        return self._until_learnt(("bays", station), lambda: self._inside(station))

    def _inside(self, station: str) -> list[Taken]:
        inside: dict[str, tuple[Taken, set[str]]] = {}
        for fact in self._standing(CheckedIn, CheckedOut, Left):
            if fact.station != station:
                continue
            match fact.what:
                case CheckedIn(vehicle=vehicle, persons=persons, bay=bay, beds=beds):
                    inside[vehicle] = Taken(vehicle, bay, beds), set(persons)
                case CheckedOut(vehicle=vehicle, persons=persons) if vehicle in inside:
                    inside[vehicle][1].difference_update(persons or inside[vehicle][1].copy())
                    if not inside[vehicle][1]:
                        del inside[vehicle]
                case Left(vehicle=vehicle):
                    inside.pop(vehicle, None)
                case _:
                    pass
        return [taken for taken, _ in inside.values()]

    def alerts(self, station: str) -> list[Alert]:
        """What this station was told about positive results, and has not acknowledged."""
        return self._until_learnt(("alerts", station), lambda: self._unanswered(station))

    def _unanswered(self, station: str) -> list[Alert]:
        known = {
            f.what.warning
            for f in self._standing(AlertAcknowledged)
            if isinstance(f.what, AlertAcknowledged) and f.what.place == station
        }
        found = []
        for fact in self._standing(Alerted):
            told = fact.what
            if isinstance(told, Alerted) and told.place == station and told.warning not in known:
                raised = self.book.fact(told.warning)
                subject = raised.what.subject if raised is not None and isinstance(raised.what, WarningRaised) else ""
                found.append(Alert(told.warning, told.vehicle, fact.at, subject.removeprefix("person:")))
        return found

    def last_deed(self, witness: str, by: str, since: datetime) -> Fact | None:
        """The last thing this member of staff recorded here since then that can be taken back, or None."""
        last = self._until_learnt(("last", witness, by), lambda: self._last_of(witness, by))
        return last if last is not None and last.at >= since else None

    def _last_of(self, witness: str, by: str) -> Fact | None:
        kinds = [kind for kind in self._by_kind if kind not in (Scanned, Voided, Amended, AlertAcknowledged)]
        mine = (f for f in self._standing(*kinds) if f.witness == witness and f.by == by)
        return max(mine, key=lambda f: (f.at, f.id), default=None)
