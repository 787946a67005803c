"""Positions: kept once, read in the order of time, found in the order of arrival."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from checkpoint.core.track import Fix
from checkpoint.store import Store
from checkpoint.store import positions as positions_module
from tests.ground import T0, Still
from tests.places import Place

PLATE = "浙C12345"
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    opened = place.open(clock)
    yield opened
    opened.close()


def fix(n: int, device: str = "d-1", **more: float) -> Fix:
    return Fix(device=device, fixed_at=T0 + n * SECOND, lat=28.0 + n / 1e4, lon=120.6, **more)  # type: ignore[arg-type]


def test_fixes_in_any_order_and_number_are_kept_once_and_read_in_the_order_of_time(store: Store) -> None:
    fixes = [fix(n) for n in range(50)]
    sent = fixes * 3
    random.Random(3).shuffle(sent)
    new = store.add_positions([(PLATE, f) for f in sent])
    assert sum(new) == 50
    assert store.positions(PLATE) == fixes
    assert store.add_positions([(PLATE, fixes[0])]) == [False]


def test_everything_a_device_said_comes_back_as_it_was(store: Store) -> None:
    measured = fix(1, accuracy_m=12.5, speed_kmh=80.0, course_deg=359.9, altitude_m=-3.0)
    said = msgspec.structs.replace(measured, encrypted=True, alarms=("route", "fatigue"), crossing="enter wash")
    silent = Fix(device="d-1", fixed_at=T0 + timedelta(microseconds=1), lat=-0.1, lon=179.999999, valid=False)
    store.add_positions([(PLATE, said), (PLATE, silent)])
    assert store.positions(PLATE) == [silent, said]


def test_a_stretch_of_a_track_is_read_from_its_first_instant_to_before_its_last(store: Store) -> None:
    store.add_positions([(PLATE, fix(n)) for n in range(10)] + [("沪A00001", fix(3, "d-2"))])
    found = store.positions(PLATE, T0 + 3 * SECOND, T0 + 6 * SECOND)
    assert [f.fixed_at for f in found] == [T0 + n * SECOND for n in (3, 4, 5)]


def test_what_came_after_a_number_is_found_in_the_order_of_arrival(store: Store, clock: Still) -> None:
    store.add_positions([(PLATE, fix(9))])
    seen = store.last_position()
    clock.forward(minutes=20)
    store.add_positions([(PLATE, fix(9)), (PLATE, fix(2)), ("沪A00001", fix(5, "d-2"))])
    arrived = store.positions_after(seen, 10)
    assert [(a.vehicle, a.fix, a.received_at) for a in arrived] == [
        (PLATE, fix(2), clock()),
        ("沪A00001", fix(5, "d-2"), clock()),
    ]
    assert store.fix_received_at(PLATE, T0 + 9 * SECOND) == T0
    assert store.fix_received_at(PLATE, T0 + 2 * SECOND) == T0 + timedelta(minutes=20)
    assert store.fix_received_at(PLATE, T0) is None
    assert store.vehicles(T0 + 5 * SECOND) == ["沪A00001", PLATE] or store.vehicles(T0 + 5 * SECOND) == [PLATE, "沪A00001"]


def test_two_devices_of_one_truck_both_count(store: Store) -> None:
    assert store.add_positions([(PLATE, fix(1)), (PLATE, fix(1, "d-2"))]) == [True, True]


def test_a_strangers_fixes_are_kept_apart_and_adopted_when_its_device_is_bound(store: Store) -> None:
    assert store.add_strangers([(fix(n), "unknown-device") for n in range(5)] * 2) == [True] * 10
    assert [s.fix for s in store.strangers(device="d-1")] == [fix(n) for n in range(5)]
    assert store.positions(PLATE) == []
    assert store.adopt("d-1", lambda s: (PLATE, s.fix) if s.fix.fixed_at >= T0 + 2 * SECOND else None) == 3
    assert store.positions(PLATE) == [fix(n) for n in (2, 3, 4)]
    assert len(store.strangers()) == 2


def test_strangers_fill_their_room_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions_module, "MOST_STRANGE_PER_DEVICE", 3)
    monkeypatch.setattr(positions_module, "MOST_STRANGE", 5)
    assert store.add_strangers([(fix(n), "unknown-device") for n in range(5)]) == [True] * 3 + [False] * 2
    assert store.add_strangers([(fix(n, "d-2"), "unknown-device") for n in range(5)]) == [True] * 2 + [False] * 3


def test_devices_of_ours_are_neither_crowded_out_nor_crowd_out_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions_module, "MOST_STRANGE_PER_DEVICE", 3)
    monkeypatch.setattr(positions_module, "MOST_STRANGE", 5)
    invented = [(fix(n, f"x-{n}"), "unknown-device") for n in range(6)]
    assert store.add_strangers(invented[:4]) == [True] * 4
    mine = [(fix(n), "in-the-future") for n in range(9)]
    assert store.add_strangers([*mine, (fix(1, "d-2"), "unknown-device")], {"d-1"}) == [True] * 10
    assert store.add_strangers(invented[4:]) == [False] * 2, "d-2 has the last place"
    assert store.adopt("x-1", lambda _: None) == 0
    assert store.add_strangers(invented[4:]) == [True, False], "x-1 was bound: what waits of it takes no room any more"


def test_a_stranger_with_much_to_adopt_is_adopted_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions_module, "AT_ONCE", 4)
    store.add_strangers([(fix(n), "unknown-device") for n in range(12)], {"d-1"})
    store.add_strangers([(fix(3, "d-2"), "unknown-device")])
    assert store.adopt("d-1", lambda s: (PLATE, s.fix) if s.fix.fixed_at.second % 3 else None) == 8
    assert [f.fixed_at.second for f in store.positions(PLATE)] == [1, 2, 4, 5, 7, 8, 10, 11]
    assert sorted(s.fix.fixed_at.second for s in store.strangers()) == [0, 3, 3, 6, 9]
    assert store.adopt("d-1", lambda s: (PLATE, s.fix)) == 4


def test_who_has_proved_nothing_takes_no_strangers_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions_module, "MOST_STRANGE_PER_DEVICE", 3)
    monkeypatch.setattr(positions_module, "MOST_STRANGE", 5)
    monkeypatch.setattr(positions_module, "MOST_UNPROVED_PER_DEVICE", 2)
    monkeypatch.setattr(positions_module, "MOST_UNPROVED", 3)
    assert store.add_strangers([(fix(n), "unproved") for n in range(3)]) == [True, True, False]
    assert store.add_strangers([(fix(n, "d-2"), "unproved") for n in range(3)]) == [True, False, False]
    assert store.add_strangers([(fix(n), "in-the-future") for n in (7, 8, 9)]) == [True] * 3
    assert store.add_strangers([(fix(n, "d-2"), "unknown-device") for n in (7, 8, 9)]) == [True, True, False]


def test_what_comes_again_with_a_proof_waits_like_any_other(store: Store) -> None:
    store.add_strangers([(fix(1), "unproved")])
    assert store.add_strangers([(fix(1), "unknown-device"), (fix(1), "unproved")]) == [True, True]
    assert [s.why for s in store.strangers()] == ["unknown-device"]
    assert store.adopt("d-1", lambda s: (PLATE, s.fix)) == 1
