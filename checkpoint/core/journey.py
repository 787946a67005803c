"""Fold: facts -> journeys. Computed, never named by a witness.

Loading at the origin opens a journey; the next loading there, or the close of the pass, ends it. What happens under a
pass before its first loading is a journey without a load, opened by the pass's first scan.

TYPES FIRST, rules below.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from checkpoint.core.book import Book
from checkpoint.core.facts import Colour, Fact, PassGranted, WarningRaised
from checkpoint.core.loop import Leg, Loop, Loops
from checkpoint.core.sampling import Evidence
from checkpoint.core.track import TrackReading


class PassState(msgspec.Struct, frozen=True, kw_only=True):
    """A pass as it stands: its newest grant, its whole crew, and whether it was revoked."""

    grant: PassGranted
    granted_at: datetime
    crew: tuple[str, ...]
    revoked_at: datetime | None = None
    revoked_reason: str = ""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Scanned in at a station, and out (None: still inside, or never scanned out)."""

    station: str
    entered_at: datetime | None
    left_at: datetime | None
    facts: tuple[str, ...]


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """Check-in to check-out at a rest station."""

    station: str
    persons: tuple[str, ...]
    bay: str
    beds: tuple[str, ...]
    since: datetime
    until: datetime | None
    facts: tuple[str, ...]


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that does not fit the rest, with the catalogue key of why."""

    fact: str
    at: datetime
    why: str


class WarningState(msgspec.Struct, frozen=True, kw_only=True):
    """A warning as told so far: raised, changed, answered, cleared or withdrawn. `id` is that of its first fact."""

    id: str
    raised: WarningRaised
    raised_at: datetime
    colour: Colour
    confirmed: bool
    answered_at: datetime | None = None
    answered_by: str = ""
    answer: str = ""
    ended: datetime | None = None
    cleared_at: datetime | None = None
    withdrawn_at: datetime | None = None
    alerted: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Neither cleared nor withdrawn."""
        return self.cleared_at is None and self.withdrawn_at is None


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """One lap of the loop by one vehicle and crew. `id` is made from the vehicle and the fact that opened it."""

    id: str
    vehicle: str
    pass_id: str
    loop: str
    opened_at: datetime
    closed_at: datetime | None
    leg: Leg
    crew: tuple[str, ...]
    facts: tuple[Fact, ...]
    visits: tuple[Visit, ...]
    stays: tuple[Stay, ...]
    loads: tuple[Fact, ...]
    unloads: tuple[Fact, ...]
    scans: tuple[Fact, ...]
    unexplained: tuple[Unexplained, ...]

    @property
    def at_station(self) -> str:
        """The station the truck was last scanned into and not out of, or empty."""
        last = self.visits[-1] if self.visits else None
        return last.station if last is not None and last.left_at is None else ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rules look at for one vehicle: plan, pass, journeys, the crew's evidence, the track, the warnings.

    `grants` holds every pass ever granted to the vehicle, newest last; `pass_` the one that counts. `journey` is the
    last one. `ahead` names, for each open warning... (see `rules`).
    """

    vehicle: str
    loop: Loop | None
    passes: tuple[PassState, ...]
    pass_: PassState | None
    journeys: tuple[Journey, ...]
    journey: Journey | None
    people: dict[str, Evidence]
    track: TrackReading | None
    warnings: tuple[WarningState, ...]


def fold_journeys(book: Book, vehicle: str, loops: Loops) -> tuple[Journey, ...]:
    """The vehicle's journeys, the earliest first."""
    raise NotImplementedError


def fold_warnings(book: Book, vehicle: str) -> tuple[WarningState, ...]:
    """The warnings told about a vehicle, the earliest first."""
    raise NotImplementedError


def view_of(book: Book, vehicle: str, loops: Loops, track: TrackReading | None, at: datetime) -> View:
    """Everything about a vehicle joined, the loop in the version in force at `at`."""
    raise NotImplementedError
