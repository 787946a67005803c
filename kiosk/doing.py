"""Doing: a deed becomes facts, or is refused with the reason that staff can act on.

A refusal is for what would spoil the evidence (a tube used twice, a person twice in it, a reading too early), never for
what merely looks wrong: staff saw what they saw, and the rules make findings of it. Nothing here writes, shows or asks
for the time: the desk does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from checkpoint.core import passes
from checkpoint.core.facts import (
    AlertAcknowledged,
    AntigenRead,
    CarePackGiven,
    CheckedIn,
    CheckedOut,
    CrewJoined,
    Entered,
    Fact,
    Happening,
    HealthCodeSeen,
    Left,
    Loaded,
    Overruled,
    PassCompared,
    ResultReported,
    StrangerSeen,
    StrangerStayed,
    SwabTaken,
    TemperatureMeasured,
    TubeSealed,
    Unloaded,
    Voided,
)
from checkpoint.core.journey import View
from checkpoint.core.loop import Policy, Station
from checkpoint.core.sampling import Standing, fold_person, members, sealed_at, standing
from kiosk.deeds import (
    Acknowledge,
    AnyDeed,
    CheckIn,
    CheckOut,
    Compare,
    Deed,
    Enter,
    GivePack,
    Join,
    Leave,
    Load,
    Measure,
    Overrule,
    ReadAntigen,
    SealTube,
    SeeCode,
    SeeStranger,
    StayBehind,
    SwabAntigen,
    SwabPcr,
    Undo,
    Unload,
    offered,
)
from kiosk.knowledge import PACK_AGAIN, Knowledge
from kiosk.scanner import is_tube

UNDO_WITHIN = timedelta(minutes=15)
TUBE_DAY = timedelta(hours=24)
MAX_PARCELS = 100_000


class Refused(Exception):
    """The deed was not done; `why` is the end of a catalogue key (`kiosk.refused.<why>`), `values` what its text needs."""

    def __init__(self, why: str, **values: object) -> None:
        self.why, self.values = why, values
        super().__init__(why)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What lies before staff while they act: who they are, where, when, and the truck that was scanned last, if any.

    `specimen` is the name the next swab gets. `scan` is the fact of the verdict shown.
    """

    known: Knowledge
    station: Station
    policy: Policy
    by: str
    witness: str
    now: datetime
    specimen: str
    vehicle: str = ""
    pass_id: str = ""
    scan: str = ""
    view: View | None = None

    @property
    def crew(self) -> tuple[str, ...]:
        """Who is on the pass."""
        return self.view.pass_.crew if self.view is not None and self.view.pass_ is not None else ()

    def standing(self, person: str) -> Standing:
        """What a person's evidence means now."""
        known = self.view.people.get(person) if self.view is not None else None
        return standing(known or fold_person(self.known.book, person, lambda at, station: self.policy), self.now, self.policy)


D = TypeVar("D", bound=Deed)
_FACTS: dict[type[Deed], Callable[[Any, Bench], tuple[Happening, ...]]] = {}


def _does(kind: type[D]) -> Callable[[Callable[[D, Bench], tuple[Happening, ...]]], Callable[[D, Bench], tuple[Happening, ...]]]:
    def keep(function: Callable[[D, Bench], tuple[Happening, ...]]) -> Callable[[D, Bench], tuple[Happening, ...]]:
        _FACTS[kind] = function
        return function

    return keep


def facts_of(deed: AnyDeed, bench: Bench) -> tuple[Happening, ...]:
    """What happened when this deed was done. Raises `Refused`."""
    if type(deed).__name__ not in offered(bench.station):
        raise Refused("not-here")
    return _FACTS[type(deed)](deed, bench)


def _truck(bench: Bench) -> None:
    if not bench.vehicle:
        raise Refused("scan-first")


def _crew_member(bench: Bench, person: str) -> None:
    _truck(bench)
    if person not in bench.crew:
        raise Refused("not-on-pass")


# -- the truck --------------------------------------------------------------------------------------------------------


@_does(Enter)
def _enter(deed: Enter, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    if bench.view is not None and bench.view.journey is not None and bench.view.journey.at_station == bench.station.id:
        raise Refused("already-in")
    return (Entered(vehicle=bench.vehicle, pass_id=bench.pass_id, scan=bench.scan),)


@_does(Leave)
def _leave(deed: Leave, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    return (Left(vehicle=bench.vehicle, pass_id=bench.pass_id, scan=bench.scan),)


@_does(Compare)
def _compare(deed: Compare, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    return (
        PassCompared(
            pass_id=bench.pass_id,
            vehicle=bench.vehicle,
            plate_read=plate_read(deed, bench.vehicle),
            names_agree=deed.names_agree,
        ),
    )


def plate_read(deed: Compare, vehicle: str) -> str:
    """The plate staff read off the tractor. Raises `Refused` when what they typed is no plate."""
    try:
        return passes.normal_plate(deed.plate) if deed.plate.strip() else vehicle
    except ValueError:
        raise Refused("no-plate") from None


@_does(SeeStranger)
def _see_stranger(deed: SeeStranger, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    return (StrangerSeen(pass_id=bench.pass_id, vehicle=bench.vehicle),)


@_does(Join)
def _join(deed: Join, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    if deed.person not in bench.known.people:
        raise Refused("person-unknown")
    if deed.person in bench.crew:
        raise Refused("already-on-pass")
    if len(bench.crew) >= 3:
        raise Refused("crew-full")
    return (CrewJoined(pass_id=bench.pass_id, person=deed.person),)


@_does(StayBehind)
def _stay_behind(deed: StayBehind, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    return (StrangerStayed(pass_id=bench.pass_id, vehicle=bench.vehicle),)


@_does(Overrule)
def _overrule(deed: Overrule, bench: Bench) -> tuple[Happening, ...]:
    if not bench.scan:
        raise Refused("scan-first")
    if len(deed.reason.strip()) < 3:
        raise Refused("reason-wanted")
    return (Overruled(scan=bench.scan, vehicle=bench.vehicle, word=deed.word, reason=deed.reason.strip()),)


# -- the people -------------------------------------------------------------------------------------------------------


@_does(Measure)
def _measure(deed: Measure, bench: Bench) -> tuple[Happening, ...]:
    _crew_member(bench, deed.person)
    if not 30.0 <= deed.celsius <= 45.0:
        raise Refused("no-temperature")
    return (TemperatureMeasured(person=deed.person, celsius=round(deed.celsius, 1)),)


@_does(SeeCode)
def _see_code(deed: SeeCode, bench: Bench) -> tuple[Happening, ...]:
    _crew_member(bench, deed.person)
    return (HealthCodeSeen(person=deed.person, colour=deed.colour),)


@_does(GivePack)
def _give_pack(deed: GivePack, bench: Bench) -> tuple[Happening, ...]:
    _crew_member(bench, deed.person)
    if bench.known.pack_given(deed.person, bench.station.id, visit_since(bench.view, bench.station.id, bench.now)):
        raise Refused("pack-given")
    return (CarePackGiven(person=deed.person, vehicle=bench.vehicle),)


def visit_since(view: View | None, station: str, now: datetime) -> datetime:
    """Since when the truck is on its present visit to a station."""
    journey = view.journey if view is not None else None
    last = journey.visits[-1] if journey is not None and journey.visits else None
    if last is not None and last.station == station and last.left_at is None and last.entered_at is not None:
        return last.entered_at
    return now - PACK_AGAIN


# -- samples ----------------------------------------------------------------------------------------------------------


def tube_number(text: str) -> str:
    """A tube's number as it is compared. Raises `Refused` when it can be none: half a barcode, a pass, a sentence."""
    number = "".join(text.split()).upper()
    if not is_tube(number):
        raise Refused("no-tube")
    return number


def _asked_again(held: Standing, reason: str) -> None:
    """No repeat sampling inside the validity without a reason; one who must be swabbed again needs none."""
    if held.pcr is not None and held.positive is None and held.review is None and not reason.strip():
        raise Refused("valid-still", until=held.pcr_until)


@_does(SwabAntigen)
def _swab_antigen(deed: SwabAntigen, bench: Bench) -> tuple[Happening, ...]:
    _crew_member(bench, deed.person)
    held = bench.standing(deed.person)
    if held.unread is not None:
        raise Refused("timer-runs")
    _asked_again(held, deed.repeat_reason)
    return (_swab(deed.person, "antigen", bench, deed.repeat_reason),)


@_does(SwabPcr)
def _swab_pcr(deed: SwabPcr, bench: Bench) -> tuple[Happening, ...]:
    _crew_member(bench, deed.person)
    tube = tube_number(deed.tube)
    held = bench.standing(deed.person)
    _asked_again(held, deed.repeat_reason)
    if deed.pooled:
        if not bench.policy.pooling:
            raise Refused("no-pooling")
        if held.positive is not None or held.review is not None or held.unread is not None:
            raise Refused("single-only")
    _tube_takes(tube, deed, bench)
    return (_swab(deed.person, "pcr", bench, deed.repeat_reason, tube, deed.pooled),)


def _tube_takes(tube: str, deed: SwabPcr, bench: Bench) -> None:
    book = bench.known.book
    inside = members(book, tube)
    if sealed_at(book, tube) is not None:
        raise Refused("tube-sealed", tube=tube)
    if any(isinstance(f.what, ResultReported) for f in book.of(f"tube:{tube}")):
        raise Refused("tube-reported", tube=tube)
    if any(isinstance(f.what, SwabTaken) and f.what.person == deed.person for f in inside):
        raise Refused("twice-in-tube", tube=tube)
    elsewhere = any(f.station != bench.station.id or f.at < bench.now - TUBE_DAY for f in inside)
    alone = any(isinstance(f.what, SwabTaken) and not f.what.pooled for f in inside)
    if inside and (elsewhere or alone or not deed.pooled):
        raise Refused("tube-used", tube=tube)
    if len(inside) >= bench.policy.pool_size:
        raise Refused("tube-full", tube=tube, size=bench.policy.pool_size)
    if deed.pooled and not inside:
        begun = bench.known.open_tubes(bench.station.id, bench.by, bench.now - TUBE_DAY)
        if begun:
            raise Refused("seal-first", tube=begun[-1])


def _swab(
    person: str, test: Literal["antigen", "pcr"], bench: Bench, reason: str, tube: str = "", pooled: bool = False
) -> SwabTaken:
    return SwabTaken(
        specimen=bench.specimen,
        person=person,
        test=test,
        vehicle=bench.vehicle,
        tube=tube,
        pooled=pooled,
        repeat_reason=reason.strip(),
    )


@_does(SealTube)
def _seal_tube(deed: SealTube, bench: Bench) -> tuple[Happening, ...]:
    tube = tube_number(deed.tube)
    if not members(bench.known.book, tube):
        raise Refused("tube-empty", tube=tube)
    if sealed_at(bench.known.book, tube) is not None:
        raise Refused("tube-sealed", tube=tube)
    return (TubeSealed(tube=tube),)


@_does(ReadAntigen)
def _read_antigen(deed: ReadAntigen, bench: Bench) -> tuple[Happening, ...]:
    taken = antigen_swab(bench.known, deed.specimen)
    if any(isinstance(f.what, AntigenRead) for f in bench.known.book.of(f"specimen:{deed.specimen}")):
        raise Refused("read-before")
    age_s = (bench.now - taken.at).total_seconds()
    if age_s < bench.policy.antigen_read_after_s and deed.result != "positive":
        # A line may still come up; a line that is there already will not go away, and is taken at once.
        raise Refused("too-early", wait_s=int(bench.policy.antigen_read_after_s - age_s) + 1)
    assert isinstance(taken.what, SwabTaken)
    return (AntigenRead(specimen=deed.specimen, person=taken.what.person, result=deed.result),)


def antigen_swab(known: Knowledge, specimen: str) -> Fact:
    """The swab of an antigen test. Raises `Refused` when there is none."""
    for fact in known.book.of(f"specimen:{specimen}"):
        if isinstance(fact.what, SwabTaken) and fact.what.test == "antigen":
            return fact
    raise Refused("no-such-test")


# -- load, bed --------------------------------------------------------------------------------------------------------


@_does(Load)
def _load(deed: Load, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    seal = _counted(deed.parcels_count, deed.seal)
    return (
        Loaded(
            vehicle=bench.vehicle,
            pass_id=bench.pass_id,
            parcels_count=deed.parcels_count,
            seal=seal,
            order=deed.order.strip(),
        ),
    )


@_does(Unload)
def _unload(deed: Unload, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    seal = _counted(deed.parcels_count, deed.seal)
    return (
        Unloaded(
            vehicle=bench.vehicle,
            pass_id=bench.pass_id,
            parcels_count=deed.parcels_count,
            seal=seal,
            seal_intact=deed.seal_intact,
        ),
    )


def _counted(parcels_count: int, seal: str) -> str:
    if not 0 <= parcels_count <= MAX_PARCELS:
        raise Refused("no-count")
    number = "".join(seal.split()).upper()
    if not number or len(number) > 40:
        raise Refused("no-seal")
    return number


@_does(CheckIn)
def _check_in(deed: CheckIn, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    if not deed.persons or not set(deed.persons) <= set(bench.crew) or len(set(deed.persons)) != len(deed.persons):
        raise Refused("not-on-pass")
    taken = bench.known.bays_taken(bench.station.id)
    if any(t.vehicle == bench.vehicle for t in taken):
        raise Refused("checked-in")
    if deed.bay not in bench.station.bays:
        raise Refused("no-bay")
    if deed.bay in {t.bay for t in taken}:
        raise Refused("bay-taken", bay=deed.bay)
    beds = tuple(bed for bed in deed.beds if bed)
    if beds and (len(beds) != len(deed.persons) or len(set(beds)) != len(beds) or not set(beds) <= set(bench.station.beds)):
        raise Refused("no-bed")
    full = {bed for t in taken for bed in t.beds}.intersection(beds)
    if full:
        raise Refused("bed-taken", bed=min(full))
    return (CheckedIn(vehicle=bench.vehicle, persons=deed.persons, bay=deed.bay, beds=beds),)


@_does(CheckOut)
def _check_out(deed: CheckOut, bench: Bench) -> tuple[Happening, ...]:
    _truck(bench)
    if not any(t.vehicle == bench.vehicle for t in bench.known.bays_taken(bench.station.id)):
        raise Refused("not-checked-in")
    return (CheckedOut(vehicle=bench.vehicle, persons=deed.persons or bench.crew),)


# -- what we were told, what we did -----------------------------------------------------------------------------------


@_does(Acknowledge)
def _acknowledge(deed: Acknowledge, bench: Bench) -> tuple[Happening, ...]:
    for alert in bench.known.alerts(bench.station.id):
        if alert.warning == deed.warning:
            return (AlertAcknowledged(warning=alert.warning, vehicle=alert.vehicle, place=bench.station.id),)
    raise Refused("no-such-alert")


@_does(Undo)
def _undo(deed: Undo, bench: Bench) -> tuple[Happening, ...]:
    if len(deed.reason.strip()) < 3:
        raise Refused("reason-wanted")
    last = bench.known.last_deed(bench.witness, bench.by, bench.now - UNDO_WITHIN)
    if last is None or last.id != deed.target:
        raise Refused("not-last")
    return (Voided(target=last.id, reason=deed.reason.strip()),)
