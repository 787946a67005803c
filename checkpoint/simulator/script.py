"""How a truck's day goes: sampled, loaded, out, unloaded, back, perhaps to bed; and again.

The law of this file: a truck is a generator of what happens to it, in the order of time. It is answered what the gate
showed it, and goes, waits or is tested accordingly. How long things take comes from its own dice: the same seed, the same
day. It knows no network and no clock; `fleet.py` plays it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from checkpoint.core.facts import (
    AntigenRead,
    CarePackGiven,
    CheckedIn,
    CheckedOut,
    Entered,
    Happening,
    Left,
    Loaded,
    Overruled,
    ResultValue,
    Shown,
    SwabTaken,
    TubeSealed,
    Unloaded,
)
from checkpoint.core.loop import Leg
from checkpoint.simulator.road import Moment, Road, detour

OVERRULED_AFTER = timedelta(minutes=40)  # how long a driver waits at a gate for a coordinator before staff decide


class Moved(NamedTuple):
    """The truck is somewhere. `quiet`: its device keeps this to itself for now."""

    at: datetime
    moment: Moment
    quiet: bool = False


class Showed(NamedTuple):
    """The driver shows the pass at a station; the answer to this is what the kiosk showed."""

    at: datetime
    station: str


class Did(NamedTuple):
    """Staff of a station did something and wrote it down."""

    at: datetime
    station: str
    what: Happening


Event = Moved | Showed | Did
Life = Generator[Event, Shown | None, None]
_Part = Generator[Event, Shown | None, datetime]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What sets one truck apart from another.

    `strays` is (from km, length km, metres aside) of the outbound line; `quiet` the leg and the kilometres between which
    the device sends nothing. `lingers_min` is how long the truck stands in the depot once loaded, `rests_h` how long its
    crew sleeps after being sampled, `rests_first` whether they do so before the first load. `pooled` puts the PCR swab
    into the tube of that name. `laps` ends the script.
    """

    cruise_kmh: float = 78.0
    strays: tuple[float, float, float] | None = None
    quiet: tuple[Leg, float, float] | None = None
    lingers_min: float = 11.0
    rests_h: float = 0.0
    rests_first: bool = False
    pcr: ResultValue = "negative"
    pooled: str = ""
    every_s: float = 60.0
    laps: int | None = None
    bay: str = ""
    bed: str = ""


@dataclass
class Truck:
    """One truck as its script sees it: plate, pass, crew (pseudonyms), and its dice."""

    vehicle: str
    pass_id: str
    crew: tuple[str, ...]
    habits: Habits
    dice: Random
    swabs: int = 0
    load: Loaded | None = None

    def minutes(self, low: float, high: float) -> timedelta:
        """So long, more or less; to the second, as people write it down."""
        return timedelta(seconds=round(self.dice.uniform(low, high) * 60))


def life(truck: Truck, road: Road, start: datetime) -> Life:
    """All that happens to a truck from its first coming to the sampling station on."""
    at, lap = start, 0
    loop = road.loop
    at = yield from _parked(truck, road, "inbound", "ouhai-sampling", at)
    while truck.habits.laps is None or lap < truck.habits.laps:
        at = yield from _sampled(truck, at)
        place = "ouhai-sampling"
        if truck.habits.rests_h and (lap or truck.habits.rests_first):
            at = yield from _drive(truck, road, "inbound", place, "ouhai-rest", at)
            at = yield from _rested(truck, road, at)
            place = "ouhai-rest"
        at = yield from _drive(truck, road, "inbound", place, loop.origin, at)
        at = yield from _loaded(truck, loop.origin, at)
        at = yield from _outbound(truck, road, at)
        at = yield from _unloaded(truck, loop.destination, at)
        at = yield from _inbound(truck, road, at)
        lap += 1


# -- on the road ----------------------------------------------------------------------------------------------------------


def _drive(truck: Truck, road: Road, leg: Leg, begin: str, end: str, at: datetime) -> _Part:
    """Drive, and park in the station at the end."""
    habits = truck.habits
    aside: Callable[[Leg, float], float] = lambda leg, along_m: 0.0  # noqa: E731
    if habits.strays is not None:
        from_km, length_km, most_m = habits.strays
        round_m = detour(from_km * 1000, length_km * 1000, most_m)
        aside = lambda leg, along_m: round_m(along_m) if leg == "outbound" else 0.0  # noqa: E731
    for moment in road.drive(leg, begin, end, at, habits.cruise_kmh, habits.every_s, aside):
        at = moment.at
        yield Moved(at, moment, _quiet(habits, moment))
    return (yield from _parked(truck, road, leg, end, at))


def _quiet(habits: Habits, moment: Moment) -> bool:
    if habits.quiet is None:
        return False
    leg, from_km, until_km = habits.quiet
    return moment.leg == leg and from_km * 1000 <= moment.along_m < until_km * 1000


def _parked(truck: Truck, road: Road, leg: Leg, station: str, at: datetime) -> _Part:
    """Two fixes inside the station: the second at rest. A phone that does not move then says nothing more."""
    for _ in range(2):
        at += timedelta(seconds=20)
        moment = road.standing(at, leg, station)
        yield Moved(at, moment, _quiet(truck.habits, moment))
    return at


def _pause(truck: Truck, road: Road, leg: Leg, station: str, at: datetime) -> _Part:
    """The break that the law demands, in a service area."""
    at += truck.minutes(23, 29)
    yield Moved(at, road.standing(at, leg, station))
    return at


def _outbound(truck: Truck, road: Road, at: datetime) -> _Part:
    leg: Leg = "outbound"
    at = yield from _drive(truck, road, leg, road.loop.origin, "wenzhou-south-gate", at)
    at = yield from _gate(truck, "wenzhou-south-gate", at)
    at = yield from _drive(truck, road, leg, "wenzhou-south-gate", "ningbo-service", at)
    at = yield from _pause(truck, road, leg, "ningbo-service", at)
    at = yield from _drive(truck, road, leg, "ningbo-service", "jinshan-gate", at)
    at = yield from _gate(truck, "jinshan-gate", at)
    return (yield from _drive(truck, road, leg, "jinshan-gate", road.loop.destination, at))


def _inbound(truck: Truck, road: Road, at: datetime) -> _Part:
    leg: Leg = "inbound"
    at = yield from _drive(truck, road, leg, road.loop.destination, "ningbo-service", at)
    at = yield from _pause(truck, road, leg, "ningbo-service", at)
    at = yield from _drive(truck, road, leg, "ningbo-service", "wenzhou-south-gate", at)
    at = yield from _gate(truck, "wenzhou-south-gate", at)
    return (yield from _drive(truck, road, leg, "wenzhou-south-gate", "ouhai-sampling", at))


# -- at a station ---------------------------------------------------------------------------------------------------------


def _gate(truck: Truck, station: str, at: datetime) -> _Part:
    """Shown at a gate until it says GO. Who is stopped stays; who is held waits, until staff decide with their names."""
    came = at
    while True:
        at += truck.minutes(1, 3)
        shown = yield Showed(at, station)
        if shown is None or shown.word == "GO":
            return at + timedelta(seconds=30)
        if shown.word == "HOLD" and at - came > OVERRULED_AFTER:
            at += timedelta(minutes=1)
            yield Did(at, station, Overruled(scan="", vehicle=truck.vehicle, word="GO", reason="调度电话同意放行"))
            return at + timedelta(minutes=1)
        at += timedelta(minutes=4 if shown.word == "HOLD" else 30)


def _enter(truck: Truck, station: str, at: datetime) -> Generator[Event, Shown | None, tuple[datetime, Shown | None]]:
    at += truck.minutes(1, 4)
    shown = yield Showed(at, station)
    at += timedelta(seconds=15)
    yield Did(at, station, Entered(vehicle=truck.vehicle, pass_id=truck.pass_id))
    return at, shown


def _leave(truck: Truck, station: str, at: datetime) -> _Part:
    yield Did(at, station, Left(vehicle=truck.vehicle, pass_id=truck.pass_id))
    return at + timedelta(seconds=20)


def _sampled(truck: Truck, at: datetime) -> _Part:
    """The first stop on coming back: antigen and PCR where the evidence does not count any more, and a care pack."""
    station = "ouhai-sampling"
    at, shown = yield from _enter(truck, station, at)
    if shown is not None and "evidence-missing" in shown.reasons:
        at = yield from _tested(truck, station, at)
    for person in truck.crew:
        at += truck.minutes(0.5, 1.5)
        yield Did(at, station, CarePackGiven(person=person, vehicle=truck.vehicle))
    at = yield from _gate(truck, station, at)
    return (yield from _leave(truck, station, at))


def _tested(truck: Truck, station: str, at: datetime) -> _Part:
    """Antigen, PCR, and the wait for the timer: 15 to 20 minutes."""
    begun: list[tuple[datetime, str, str]] = []
    for person in truck.crew:
        truck.swabs += 1
        antigen = f"A-{truck.pass_id}-{truck.swabs:02d}"
        at += truck.minutes(0.8, 1.5)
        yield Did(at, station, SwabTaken(specimen=antigen, person=person, test="antigen", vehicle=truck.vehicle))
        begun.append((at, antigen, person))
        at += truck.minutes(0.4, 0.8)
        single = f"T{truck.pass_id[-5:]}{truck.swabs:02d}"
        tube, pooled = (truck.habits.pooled, True) if truck.habits.pooled else (single, False)
        specimen = f"P-{truck.pass_id}-{truck.swabs:02d}"
        swab = SwabTaken(specimen=specimen, person=person, test="pcr", vehicle=truck.vehicle, tube=tube, pooled=pooled)
        yield Did(at, station, swab)
        if not pooled:
            yield Did(at + timedelta(seconds=20), station, TubeSealed(tube=tube))
    for taken_at, antigen, person in begun:
        at = max(at, taken_at + truck.minutes(16.0, 17.5))
        yield Did(at, station, AntigenRead(specimen=antigen, person=person, result="negative"))
        at += timedelta(seconds=20)
    return at


def _rested(truck: Truck, road: Road, at: datetime) -> _Part:
    """A bay for the truck and a bed for each, until the night is over."""
    station = "ouhai-rest"
    at, _ = yield from _enter(truck, station, at)
    at += truck.minutes(2, 5)
    beds = tuple(f"{int(truck.habits.bed) + i}" for i in range(len(truck.crew)))
    yield Did(at, station, CheckedIn(vehicle=truck.vehicle, persons=truck.crew, bay=truck.habits.bay, beds=beds))
    at += timedelta(hours=truck.habits.rests_h) + truck.minutes(0, 20)
    yield Did(at, station, CheckedOut(vehicle=truck.vehicle, persons=truck.crew))
    at += truck.minutes(2, 5)
    yield Moved(at, road.standing(at, "inbound", station))
    return (yield from _leave(truck, station, at))


def _loaded(truck: Truck, station: str, at: datetime) -> _Part:
    at, _ = yield from _enter(truck, station, at)
    at += truck.minutes(20, 32)
    parcels_count, seal = truck.dice.randrange(380, 960, 20), f"OH{truck.dice.randrange(1_000_000):06d}"
    truck.load = Loaded(vehicle=truck.vehicle, pass_id=truck.pass_id, parcels_count=parcels_count, seal=seal)
    yield Did(at, station, truck.load)
    at += truck.minutes(truck.habits.lingers_min * 0.9, truck.habits.lingers_min * 1.1)
    return (yield from _leave(truck, station, at))


def _unloaded(truck: Truck, station: str, at: datetime) -> _Part:
    at, _ = yield from _enter(truck, station, at)
    at += truck.minutes(30, 42)
    assert truck.load is not None
    parcels_count, seal = truck.load.parcels_count, truck.load.seal
    yield Did(at, station, Unloaded(vehicle=truck.vehicle, pass_id=truck.pass_id, parcels_count=parcels_count, seal=seal))
    at += truck.minutes(6, 11)
    return (yield from _leave(truck, station, at))
