"""Estimated arrivals hold what they say: counted on the simulator's laps, and on drives through noisy receivers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from statistics import median

import msgspec

from checkpoint.core import geo
from checkpoint.core.fixes import Fix
from checkpoint.core.journey import View
from checkpoint.core.loop import Loop, Policy
from checkpoint.core.rules.ahead import Ahead, ahead
from checkpoint.core.track import Track, TrackVisit
from checkpoint.simulator import noise
from checkpoint.simulator.devices import Receiver
from checkpoint.simulator.road import Road
from checkpoint.simulator.script import Habits, Moved, Truck, life
from tests.fleet import loop as demo_loop
from tests.roads import T0, loop_of, road, station
from tests.roads import Truck as RoadTruck
from tests.seeds import rounds, seeds

STATED = 0.90
BY_CHANCE = 0.04  # so few drives, whose moments are alike, may be off by
START = datetime.fromisoformat("2026-05-01T00:00:00+00:00")


def _view(loop: Loop, track: Track) -> View:
    return View(
        vehicle="浙C12345",
        loop=loop,
        versions=(loop,),
        passes=(),
        pass_=None,
        journeys=(),
        journey=None,
        people={},
        track=track.reading(),
        warnings=(),
    )


def _lap(seed: int) -> list[Fix]:
    """A lap of the demonstration as a truck's phone reports it."""
    dice, loop = Random(seed), demo_loop()
    habits = Habits(cruise_kmh=dice.uniform(66, 84), laps=1, every_s=dice.choice([30.0, 60.0]))
    truck = Truck(vehicle="浙C12345", pass_id="330304-0000001", crew=("p-1",), habits=habits, dice=dice)
    receiver = Receiver(dice)
    seen = [receiver.see(event.moment) for event in life(truck, Road(loop), START) if isinstance(event, Moved)]
    return [
        Fix(
            device="phone",
            fixed_at=s.fixed_at,
            lat=s.lat,
            lon=s.lon,
            accuracy_m=s.accuracy_m,
            speed_kmh=s.speed_kmh,
            course_deg=s.course_deg,
        )
        for s in seen
    ]


def _long_loop() -> Loop:
    """Two hundred kilometres with a gate at the middle and one at three quarters."""
    line = road(km=200.0, vertices=900, bend_m=400.0)
    path = geo.Path(line)
    gates = (station(f"gate-{i}", path.at(path.length_m * share), radius_m=250) for i, share in enumerate((0.5, 0.75)))
    return loop_of(line, None, *gates, policy=Policy(cruise_kmh=60.0))


LONG = _long_loop()


def _noisy(seed: int) -> list[Fix]:
    """A drive at a speed of its own, through a receiver with the faults that departures are measured with."""
    dice = Random(seed)
    models = list(noise.ISSUED.values())
    model = models[seed % len(models)]._replace(stop_and_go=bool(seed % 3 == 0))
    return noise.driven(LONG.paths["outbound"], 30.0, dice, model, kmh=(45.0, 80.0)).fixes


def _asked(loop: Loop, fixes: list[Fix], dice: Random) -> Iterator[tuple[datetime, Ahead, datetime]]:
    """What was said of each station ahead at a few moments of a drive, and when the truck really came there."""
    fixes = sorted(fixes, key=lambda fix: fix.fixed_at)
    whole = Track(loop)
    for fix in fixes:
        whole.add(fix)
    visits = whole.reading().visits
    track, times, told = Track(loop), [fix.fixed_at for fix in fixes], 0
    for now in sorted(times[dice.randrange(30, len(times) - 5)] for _ in range(12)):
        known = bisect_right(times, now)
        for fix in fixes[told:known]:
            track.add(fix)
        told = known
        for coming in ahead(_view(loop, track), now + timedelta(seconds=10)):
            came = next((v.since for v in visits if v.station == coming.station.id and v.since > now), None)
            if came is not None and coming.distance_m > 0 and not _turned(loop, visits, now, came):
                yield now, coming, came


def _turned(loop: Loop, visits: tuple[TrackVisit, ...], now: datetime, came: datetime) -> bool:
    """Whether the truck was at an end of the loop in between: then it came on another leg."""
    ends = (loop.origin, loop.destination)
    return any(now < v.since < came for v in visits if v.station in ends)


def _counted(drives: Iterator[tuple[Loop, list[Fix]]]) -> tuple[float, float, int]:
    """The share of arrivals inside their interval, its usual width as a share of the time ahead, and how many were asked."""
    inside, widths = 0, []
    for i, (loop, fixes) in enumerate(drives):
        for now, coming, came in _asked(loop, fixes, Random(i)):
            if coming.earliest is not None and coming.latest is not None:
                inside += coming.earliest <= came <= coming.latest
                widths.append((coming.latest - coming.earliest) / max(came - now, timedelta(minutes=10)))
    return inside / len(widths), median(widths), len(widths)


def test_on_the_simulators_laps_arrivals_fall_inside_at_the_stated_rate() -> None:
    share, width, count = _counted((demo_loop(), _lap(seed)) for seed in seeds(rounds(8, soak=60)))
    assert count > 200
    assert share >= STATED - BY_CHANCE
    assert width < 0.5


def test_through_noisy_receivers_arrivals_fall_inside_at_the_stated_rate() -> None:
    share, width, count = _counted((LONG, _noisy(seed)) for seed in seeds(rounds(12, soak=120)))
    assert count > 150
    assert share >= STATED - BY_CHANCE
    assert width < 0.5


def _at(minute: int) -> tuple[Loop, Track, datetime]:
    """A truck that has driven for so many minutes along the long loop."""
    truck = RoadTruck(LONG.paths["outbound"], every_s=30.0).drive(0, 60_000, kmh=60)
    track, now = Track(LONG), T0 + timedelta(minutes=minute)
    for fix in truck.fixes:
        if fix.fixed_at <= now:
            track.add(fix)
    return LONG, track, now


def test_a_truck_that_has_left_its_line_arrives_nobody_knows_when() -> None:
    truck = RoadTruck(LONG.paths["outbound"], every_s=30.0).drive(0, 20_000).leave(20_000, 70, 6_000)
    track = Track(LONG)
    for fix in truck.fixes:
        track.add(fix)
    assert track.reading().place == "off"
    assert {(a.earliest, a.latest) for a in ahead(_view(LONG, track), truck.at)} == {(None, None)}


def test_silence_first_widens_the_interval_and_then_there_is_none() -> None:
    loop, track, now = _at(50)

    def width(minutes: int) -> timedelta | None:
        gate = ahead(_view(loop, track), now + timedelta(minutes=minutes))[0]
        return gate.latest - gate.earliest if gate.latest is not None and gate.earliest is not None else None

    fresh, quiet = width(1), width(20)
    assert fresh is not None
    assert quiet is not None
    assert quiet > fresh + timedelta(minutes=15)
    assert width(40) is None


def test_an_arrival_is_never_in_the_past_and_never_before_its_earliest() -> None:
    loop, track, now = _at(50)
    for minutes in range(0, 60, 5):
        at = now + timedelta(minutes=minutes)
        for coming in ahead(_view(loop, track), at):
            assert coming.eta >= at
            if coming.earliest is not None and coming.latest is not None:
                assert at <= coming.earliest <= coming.eta <= coming.latest


def test_a_break_that_the_law_demands_is_in_the_arrival() -> None:
    truck = RoadTruck(LONG.paths["outbound"], every_s=60.0).drive(0, 110_000, kmh=60)
    arrivals = []
    for hours in (20, 2):
        policy = msgspec.structs.replace(LONG.policy, break_after_driving_s=hours * 3600)
        plan = msgspec.structs.replace(LONG, policy=policy)
        track = Track(plan)
        for fix in truck.fixes:
            track.add(fix)
        arrivals.append(ahead(_view(plan, track), truck.at)[-1].eta)
    assert arrivals[1] - arrivals[0] >= timedelta(seconds=LONG.policy.break_s)
