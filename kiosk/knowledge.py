"""What this station knows: the facts it saw and was told, added up; the lists; and questions a station asks of them.

Everything here can be built again from the outbox, and is at every start. Nothing here asks for the time: it is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from checkpoint.core.book import Book
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    AntigenRead,
    CarePackGiven,
    CheckedIn,
    CheckedOut,
    Fact,
    Left,
    LoopPublished,
    PassGranted,
    Scanned,
    SwabTaken,
    Voided,
    WarningRaised,
)
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import Loop, Loops, MalformedLoop, Station, parse
from checkpoint.core.sampling import sealed_at
from kiosk.link import readable
from kiosk.outbox import Outbox, StaffMember

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


class Knowledge:
    """Built from an outbox; `learn` adds what is new."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.book = Book()
        self.loops = Loops()
        self.people: dict[str, str] = {}
        self.staff: dict[str, StaffMember] = {}
        self.keys: dict[str, Ed25519PublicKey] = {}
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
            if self.book.add(fact) and isinstance(fact.what, LoopPublished):
                try:
                    self.loops.add(parse(fact.what.document))
                except MalformedLoop:
                    continue  # a form that a newer program writes: the versions we can read stay in force

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
        if not vehicle or not self.book.of(f"vehicle:{vehicle}"):
            return None
        return view_of(self.book, vehicle, self.loops, None, at)

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
        found = []
        for fact in self.book.of(f"station:{station}"):
            taken = fact.what
            if isinstance(taken, SwabTaken) and taken.test == "antigen" and fact.at >= since:
                told = self.book.of(f"specimen:{taken.specimen}")
                if not any(isinstance(f.what, AntigenRead) for f in told):
                    found.append(RunningTest(taken.specimen, taken.person, taken.vehicle, fact.at))
        return found

    def open_tubes(self, station: str, by: str, since: datetime) -> list[str]:
        """Pools this member of staff has begun here and neither filled up with a seal nor sealed, the newest last."""
        tubes: dict[str, None] = {}
        for fact in self.book.of(f"station:{station}"):
            taken = fact.what
            if isinstance(taken, SwabTaken) and taken.pooled and taken.tube and fact.by == by and fact.at >= since:
                tubes.pop(taken.tube, None)
                tubes[taken.tube] = None
        return [tube for tube in tubes if sealed_at(self.book, tube) is None]

    def bays_taken(self, station: str) -> list[Taken]:
        """Who has which bay and beds. Whoever was scanned out of the station has none, checked out or not."""
        inside: dict[str, tuple[Taken, set[str]]] = {}
        for fact in self.book.of(f"station:{station}"):
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
        found = []
        for fact in self.book.of_kind(Alerted):
            assert isinstance(fact.what, Alerted)
            if fact.what.place != station:
                continue
            about = self.book.of(f"warning:{fact.what.warning}")
            if any(isinstance(f.what, AlertAcknowledged) and f.what.place == station for f in about):
                continue
            raised = self.book.fact(fact.what.warning)
            subject = raised.what.subject if raised is not None and isinstance(raised.what, WarningRaised) else ""
            found.append(Alert(fact.what.warning, fact.what.vehicle, fact.at, subject.removeprefix("person:")))
        return found

    def last_deed(self, witness: str, by: str, since: datetime) -> Fact | None:
        """The last thing this member of staff recorded here since then that can be taken back, or None."""
        mine = [
            fact
            for fact in self.book.all()
            if fact.witness == witness
            and fact.by == by
            and fact.at >= since
            and not isinstance(fact.what, Scanned | Voided | AlertAcknowledged)
        ]
        return mine[-1] if mine else None
