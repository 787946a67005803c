"""Bindings put right afterwards: what a device sent lies where the bindings that stand now say, whatever was said before, and
what only the wrong ones proved is taken back. On both databases."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from checkpoint.bindings import Bound, bindings_in
from checkpoint.core.book import Book
from checkpoint.core.declared import Declared
from checkpoint.core.facts import Amended, DeviceBound, DeviceReleased, Fact, Voided, WarningRaised, WarningWithdrawn, What
from checkpoint.core.fixes import Fix
from checkpoint.hearing import FixesTaken
from checkpoint.intake import Intake
from checkpoint.store import WITHDRAWN
from checkpoint.store import positions as positions_module
from tests.ground import T0
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.test_watch import OTHER, Yard
from tests.witness import PLATE, fact

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class House(Yard):
    """A yard whose devices are bound, and whose positions come in by the road that all come."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.intake = Intake(self.store, self.clock, lambda _: None)

    def restart(self) -> None:
        super().restart()
        self.intake = Intake(self.store, self.clock, lambda _: None)

    def bind(
        self, vehicle: str, since: float = 0, until: float | None = None, *, name: str = "bind", device: str = "d-1"
    ) -> None:
        ends = None if until is None else T0 + until * MINUTE
        self.say(name, DeviceBound(device=device, vehicle=vehicle, since=T0 + since * MINUTE, until=ends))

    def void(self, target: str) -> None:
        self.say(f"void-{target}", Voided(target=target, reason="another truck"))

    def say(self, name: str, what: Any) -> None:
        assert self.intake.record(fact(name, self.clock(), what, station="")).held

    def send(self, *minutes: float, **more: Any) -> FixesTaken:
        return self.intake.take_fixes([fix(n, **more) for n in minutes])

    def minutes(self, vehicle: str) -> list[float]:
        """When the vehicle's fixes are of."""
        return [(f.fixed_at - T0) / MINUTE for f in self.store.positions(vehicle)]

    def waiting(self) -> list[tuple[float, str]]:
        return sorted(((s.fix.fixed_at - T0) / MINUTE, s.why) for s in self.store.strangers())


def fix(minutes: float, **more: Any) -> Fix:
    found: dict[str, Any] = {"device": "d-1", "lat": 28.0, "lon": 120.6, "accuracy_m": 8.0, "alarms": ("fatigue",)}
    return Fix(fixed_at=T0 + minutes * MINUTE, **found | more)


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    made = House(place)
    made.clock.forward(hours=2)
    yield made
    made.watch.stop()
    made.store.close()


def test_what_a_voided_binding_laid_to_a_truck_is_taken_from_it_and_waits_with_the_reason(house: House) -> None:
    house.bind(PLATE)
    house.send(-1, 10, 20)
    assert house.minutes(PLATE) == [10, 20]
    house.void("bind")
    assert house.minutes(PLATE) == []
    assert house.waiting() == [(-1, "unknown-device"), (10, WITHDRAWN), (20, WITHDRAWN)]
    (waits,) = house.store.strange_devices()
    assert (waits.count, waits.withdrawn) == (3, 2)
    house.bind(OTHER, name="right")
    assert house.store.positions(OTHER) == [fix(10), fix(20)], "as they were"
    assert house.waiting() == [(-1, "unknown-device")]
    assert house.send(10, 30) == FixesTaken(new=1, repeated=1)


def test_a_binding_that_ended_earlier_than_was_known_keeps_what_lies_before(house: House) -> None:
    house.bind(PLATE)
    house.send(10, 20, 29.9, 30, 40)
    house.say("free", DeviceReleased(device="d-1", vehicle=PLATE, since=T0 + 30 * MINUTE))
    assert house.minutes(PLATE) == [10, 20, 29.9]
    house.void("free")
    assert house.minutes(PLATE) == [10, 20, 29.9, 30, 40]
    house.say(
        "mend", Amended(target="bind", reason="later", what=DeviceBound(device="d-1", vehicle=PLATE, since=T0 + 20 * MINUTE))
    )
    assert house.minutes(PLATE) == [20, 29.9, 30, 40]


def test_a_truck_that_a_device_was_moved_to_earlier_than_was_said_gets_what_is_its_own(house: House) -> None:
    house.bind(PLATE)
    house.send(10, 20, 30)
    house.bind(OTHER, 20, 30, name="lent")
    assert (house.minutes(PLATE), house.minutes(OTHER)) == ([10, 30], [20])


def test_a_binding_of_the_wrong_device_is_mended_for_both(house: House) -> None:
    house.bind(PLATE)
    house.send(10)
    house.send(10, device="d-2", lat=28.1)
    house.say("mend", Amended(target="bind", reason="the other phone", what=DeviceBound(device="d-2", vehicle=PLATE, since=T0)))
    assert house.store.positions(PLATE) == [fix(10, device="d-2", lat=28.1)]
    assert house.intake.vehicle_of("d-2", T0 + HOUR) == PLATE
    house.void("mend")
    assert house.store.positions(PLATE) == [fix(10)]
    assert [s.fix.device for s in house.store.strangers()] == ["d-2"]


def test_a_time_that_was_put_right_is_not_put_right_twice(house: House) -> None:
    house.bind(PLATE)
    house.intake.declare("d-1", Declared(clock_s=3600))
    house.send(70)
    kept = house.store.positions(PLATE)
    assert [(f.fixed_at, f.mended) for f in kept] == [(T0 + 10 * MINUTE, "clock +3600 s")]
    house.void("bind")
    house.bind(OTHER, name="right")
    assert house.store.positions(OTHER) == kept
    assert house.send(70) == FixesTaken(repeated=1), "sent again it is the same fix"


def test_much_is_moved_in_portions(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions_module, "AT_ONCE", 3)
    house.bind(PLATE)
    house.send(*range(10))
    house.void("bind")
    assert house.minutes(PLATE) == []
    house.bind(OTHER, 2, name="right")
    assert house.minutes(OTHER) == list(range(2, 10))


def test_what_is_written_while_its_binding_is_voided_does_not_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.bind(PLATE)
    keep = house.store.add_positions

    def voided_meanwhile(fixes: Sequence[tuple[str, Fix]]) -> list[bool]:
        monkeypatch.undo()
        house.void("bind")
        return keep(fixes)

    monkeypatch.setattr(house.store, "add_positions", voided_meanwhile)
    house.send(10)
    assert house.minutes(PLATE) == []
    assert house.waiting() == [(10, WITHDRAWN)]


def test_what_lies_at_a_truck_by_what_left_the_record_stays(house: House) -> None:
    house.store.add_positions([(PLATE, fix(n)) for n in (-60, 10)])
    house.bind(PLATE)
    house.void("bind")
    assert house.minutes(PLATE) == [-60]


def _history(seed: int, device: str) -> tuple[list[Fact | Fix], set[str]]:
    """What was told of a device's bindings and what it sent, in an order in which it may have come."""
    chance = random.Random(seed)
    vehicles = [f"{device}-{n}" for n in range(3)]
    told: list[Fact | Fix] = []
    names: list[str] = []

    def span() -> dict[str, Any]:
        since = chance.choice([None, *range(0, 100, 10)])
        until = chance.choice([None, None, *range(110 if since is None else since + 10, 131, 10)])
        return {k: None if m is None else T0 + m * MINUTE for k, m in (("since", since), ("until", until))}

    for n in range(chance.randint(4, 12)):
        name, vehicle = f"{device}-f{n}", chance.choice(vehicles)
        kind = chance.choice(["bind", "bind", "release", "void", "amend", "fixes", "fixes"])
        at = T0 + chance.randrange(100) * MINUTE
        what: What | None = None
        if kind == "fixes":
            told += [fix(chance.randrange(120), device=device) for _ in range(4)]
        elif kind == "bind":
            what = DeviceBound(device=device, vehicle=vehicle, **span())
        elif kind == "release":
            what = DeviceReleased(device=device, vehicle=vehicle, since=span()["since"])
        elif names:
            target = chance.choice(names)
            amended = Amended(target=target, reason="r", what=DeviceBound(device=device, vehicle=vehicle, **span()))
            what = amended if kind == "amend" else Voided(target=target, reason="r")
        if what is not None:
            told.append(fact(name, at, what, station=""))
            names.append(name)
    return told, set(vehicles)


def test_fixes_and_bindings_in_any_order_lie_as_if_the_last_word_had_been_the_first(house: House) -> None:
    for seed in seeds(rounds(30, soak=200)):
        device = f"d{seed}"
        told, vehicles = _history(seed, device)
        for each in told:
            if isinstance(each, Fix):
                house.intake.take_fixes([each])
            else:
                house.intake.record(each)
        bound = Bound(bindings_in(Book(f for f in told if isinstance(f, Fact)).of(f"device:{device}")), None)
        fixes = {f.fixed_at: f for f in told if isinstance(f, Fix)}.values()
        for vehicle in vehicles:
            wanted = [f for f in fixes if bound.vehicle(f.fixed_at) == vehicle]
            assert house.store.positions(vehicle) == sorted(wanted, key=lambda f: f.fixed_at), seed
        left = {f.fixed_at for f in fixes if bound.vehicle(f.fixed_at) is None}
        assert {s.fix.fixed_at for s in house.store.strangers(1000, device)} == left, seed


# -- what was made of them -------------------------------------------------------------------------------------------------


def _drive(house: House, minutes: int, *, lon: float, device: str = "d-1") -> None:
    """North from the depot at 60 km/h, on the line or beside it, watched all the way."""
    for s in range(20, minutes * 60 + 1, 20):
        house.clock.at = T0 + timedelta(seconds=s)
        lat = 28.0 + s * (60 / 3.6) / 111_000
        fix_ = Fix(device=device, fixed_at=house.clock(), lat=lat, lon=lon, accuracy_m=8.0, speed_kmh=60.0)
        house.intake.take_fixes([fix_])
        house.watch.settle()


@pytest.fixture
def road(place: Place) -> Iterator[House]:
    made = House(place)
    made.departed()
    yield made
    made.watch.stop()
    made.store.close()


def test_a_warning_that_another_trucks_positions_proved_is_withdrawn(road: House) -> None:
    road.bind(PLATE)
    _drive(road, 5, lon=120.63)
    assert "raised off-loop yellow" in road.told()
    look = road.watch.look(PLATE)
    assert look is not None
    assert look.view.track is not None
    road.clock.forward(seconds=5)
    road.void("bind")
    road.watch.settle()
    assert "withdrawn off-loop" in road.told()
    look = road.watch.look(PLATE)
    assert look is not None
    assert look.view.track is None
    (raised,) = [w for w in road.facts(WarningRaised) if w.finding == "off-loop"]
    assert raised.evidence, "what it was told by is still there to be read"


def test_the_trucks_own_device_is_read_as_if_the_other_had_never_spoken(road: House) -> None:
    road.bind(PLATE, device="own", name="own")
    road.bind(PLATE)
    for s in range(20, 301, 20):
        road.clock.at = T0 + timedelta(seconds=s)
        lat = 28.0 + s * (60 / 3.6) / 111_000
        here = Fix(device="own", fixed_at=road.clock(), lat=lat, lon=120.6, accuracy_m=8.0, speed_kmh=60.0)
        there = msgspec.structs.replace(here, device="d-1", lon=120.63, fixed_at=here.fixed_at + timedelta(seconds=1))
        road.intake.take_fixes([here])
        road.watch.settle()
        road.intake.take_fixes([there])
        road.watch.settle()
    road.clock.forward(seconds=5)
    road.void("bind")
    road.watch.settle()
    look, fresh = road.watch.look(PLATE), road.new_watch().look(PLATE)
    assert look is not None
    assert fresh is not None
    assert look.view.track == fresh.view.track
    assert not [f for f in look.judgement.findings if f.kind == "off-loop"]


def test_a_silence_after_another_trucks_last_word_is_withdrawn(road: House) -> None:
    road.bind(PLATE)
    _drive(road, 5, lon=120.6)
    road.clock.forward(minutes=40)
    road.watch.settle()
    assert "raised silent yellow" in road.told() or "raised silent red" in road.told()
    road.void("bind")
    road.watch.settle()
    assert "withdrawn silent" in road.told("silent")
    assert len(road.facts(WarningWithdrawn)) == 1


@pytest.mark.parametrize("how", ["stopped", "killed before it put by", "put by while it was voided"])
def test_no_reading_of_fixes_that_were_taken_away_is_taken_up_again(road: House, how: str) -> None:
    road.bind(PLATE)
    _drive(road, 5, lon=120.63)
    road.store.add_positions([(OTHER, fix(5, device="d-3"))])
    road.watch.settle()
    road.watch._telling = True
    assert road.watch.keep()
    if how == "put by while it was voided":
        write = road.watch._readings.write

        def voided_meanwhile(draft: Any) -> bool:
            road.watch._readings.write = write  # type: ignore[method-assign]
            road.void("bind")
            return write(draft)

        road.watch._readings.write = voided_meanwhile  # type: ignore[method-assign]
        road.watch._readings.lost([PLATE])
        while road.watch.keep():
            pass
    else:
        road.void("bind")
    if how == "stopped":
        while road.watch.keep():
            pass
    road.restart()
    look = road.watch.look(PLATE)
    assert look is not None
    assert look.view.track is None
