"""Where truck terminals are kept: codes that outlive a lost answer, strangers that fill no disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from checkpoint.store import Store
from checkpoint.store.registry.terminals import MOST_KNOCKS
from tests.ground import T0, Still
from tests.places import Place

DEVICE = "terminal-13912345678"


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    store = place.open(clock)
    store.registry.enrol_terminal(DEVICE, "浙C12345", T0 + timedelta(days=3))
    yield store
    store.close()


def registered(store: Store, code_hash: str) -> None:
    store.registry.terminal_registered(
        DEVICE, code_hash, edition="2013", maker="70111", model="BSJ-A6", terminal_id="A6-0001", plate_said="浙C12345"
    )


def test_the_code_it_has_stays_good_until_the_new_one_is_used(store: Store) -> None:
    registry = store.registry
    assert not registry.terminal_proved(DEVICE, "first")
    registered(store, "first")
    assert registry.terminal_proved(DEVICE, "first")
    registered(store, "lost on the way")
    registered(store, "second")
    assert registry.terminal_proved(DEVICE, "first"), "the answer with the new code may not have arrived"
    assert not registry.terminal_proved(DEVICE, "lost on the way")
    assert registry.terminal_proved(DEVICE, "second")
    assert not registry.terminal_proved(DEVICE, "first")
    assert registry.terminal_proved(DEVICE, "second")
    found = registry.terminal(DEVICE)
    assert found is not None
    assert (found.coded, found.registrations, found.open_until) == (True, 3, None)


def test_one_that_is_shut_out_has_no_code_until_it_is_opened_and_registers_again(store: Store, clock: Still) -> None:
    registry = store.registry
    registered(store, "first")
    assert registry.terminal_proved(DEVICE, "first")
    registered(store, "given and not shown yet")
    registry.revoke_terminal(DEVICE)
    assert registry.terminals_revoked() == {DEVICE}
    assert not registry.enrol_terminal(DEVICE, "浙C54321", clock() + timedelta(days=3)), "enrolling is not letting in again"
    found = registry.terminal(DEVICE)
    assert found is not None
    assert (found.plate, found.open_until, found.coded) == ("浙C12345", None, False)
    for code in ("first", "given and not shown yet"):
        assert not registry.terminal_proved(DEVICE, code)
    registry.open_terminal(DEVICE, clock() + timedelta(days=3))
    assert registry.terminals_revoked() == set()
    for code in ("first", "given and not shown yet"):
        assert not registry.terminal_proved(DEVICE, code), "whoever was shut out comes back as a stranger comes"
    registered(store, "second")
    assert registry.terminal_proved(DEVICE, "second")


def test_a_registration_that_was_under_way_when_its_terminal_was_shut_out_gives_no_code(store: Store, clock: Still) -> None:
    registry = store.registry
    registry.revoke_terminal(DEVICE)
    registered(store, "late")
    assert not registry.terminal_proved(DEVICE, "late")
    registry.open_terminal(DEVICE, clock() + timedelta(days=3))
    assert not registry.terminal_proved(DEVICE, "late")
    assert not registry.terminal_awaits(DEVICE, "late")


def test_when_each_was_heard_is_written_down_for_many_at_once(store: Store, clock: Still) -> None:
    registry = store.registry
    registry.terminal_connected(DEVICE)
    clock.forward(minutes=1)
    registry.terminals_heard({DEVICE: clock()}, {})
    found = registry.terminals()[DEVICE]
    assert (found.connected_at, found.heard_at, found.connected) == (T0, clock(), True)
    registry.terminals_heard({}, {DEVICE: clock()})
    assert not registry.terminals()[DEVICE].connected
    registry.terminal_connected(DEVICE)
    registry.terminals_forgotten()
    assert not registry.terminals()[DEVICE].connected, "who was here when the gateway ended is not here when it begins"


def test_those_who_knock_are_remembered_the_newest_of_them(store: Store, clock: Still) -> None:
    registry = store.registry
    for n in range(MOST_KNOCKS + 5):
        clock.forward(seconds=1)
        registry.terminal_knocked(f"terminal-{n}", "unknown", "", 1)
    registry.terminal_knocked(f"terminal-{MOST_KNOCKS}", "unknown", "BSJ", 1)
    registry.terminal_knocked(f"terminal-{MOST_KNOCKS}", "unproved", "", 1)
    knocks = registry.terminal_knocks()
    assert len(knocks) == MOST_KNOCKS
    assert {k.device for k in knocks} == {f"terminal-{n}" for n in range(5, MOST_KNOCKS + 5)}
    assert {k.times for k in knocks if k.said == "BSJ"} == {3}
    clock.forward(days=31)
    registry.terminal_knocked("terminal-9", "unknown", "", 1)
    assert [k.device for k in registry.terminal_knocks()] == ["terminal-9"]
    registry.enrol_terminal("terminal-9", "浙C12345", clock())
    assert registry.terminal_knocks() == []
