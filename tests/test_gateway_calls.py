"""A call for help that a truck's terminal sends: one, whatever else is wrong with the message it stands in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from checkpoint.core.declared import Declared
from checkpoint.core.facts import DeviceBound, Fact, HelpCalled
from checkpoint.intake import Intake
from checkpoint.simulator.terminal import location
from checkpoint.store import Outcome, StorageBusy, Store
from tests.ground import T0, Still
from tests.terminal import DEVICE, PLATE, enrol, fix_at, gateway, let_in, told, until
from tests.witness import fact

EMERGENCY = 1


@pytest.fixture
def clock() -> Still:
    return Still(T0 + timedelta(hours=6))


@pytest.fixture
def store(tmp_path: Any, clock: Still) -> Iterator[Store]:
    store = Store.open(tmp_path / "checkpoint.db", clock)
    yield store
    store.close()


def calls(store: Store) -> list[float]:
    found = [r.fact for r in store.facts_of_kind("HelpCalled")]
    assert all(isinstance(f.what, HelpCalled) and f.what.vehicle == PLATE for f in found)
    return [(f.at - T0).total_seconds() for f in found]


def test_a_call_that_was_held_where_there_was_no_network_is_heard_once_from_its_beginning(store: Store, clock: Still) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal, _ = let_in(g.tally.port)
        assert terminal.tell(10, 20, 30, alarms=EMERGENCY) == 0
        assert terminal.tell(40, alarms=EMERGENCY) == 0
    assert calls(store) == [10]


def test_a_terminal_that_does_not_know_the_date_is_heard_all_the_same(store: Store, clock: Still) -> None:
    store.registry.enrol_terminal(DEVICE, PLATE, clock() + timedelta(days=3))
    intake = Intake(store, clock, lambda _: None)
    intake.record(fact("binding", T0, DeviceBound(device=DEVICE, vehicle=PLATE), station=""))
    with gateway(store, clock, intake) as g:
        terminal, _ = let_in(g.tally.port)
        for each in range(3):
            body = bytearray(location(fix_at(each), alarms=EMERGENCY))
            body[22:28] = bytes.fromhex(f"0001010000{each:02}")
            assert terminal.ask(0x0200, bytes(body)) == 0
    assert calls(store) == [(clock() - T0).total_seconds()]


@pytest.mark.parametrize("off_h", [8, -8])
def test_a_clock_that_is_off_makes_no_second_call(store: Store, clock: Still, off_h: int) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal, code = let_in(g.tally.port)
        for _ in range(3):
            clock.forward(seconds=10)
            assert terminal.tell((clock() - T0).total_seconds() + off_h * 3600, alarms=EMERGENCY) == 0
    assert len(calls(store)) == 1
    clock.forward(days=1)
    Intake(store, clock, lambda _: None).declare(DEVICE, Declared(clock_s=off_h * 3600))
    for _ in range(2):  # the second: another process
        with gateway(store, clock) as g:
            terminal, _ = let_in(g.tally.port, code)
            for _ in range(3):
                clock.forward(seconds=10)
                assert terminal.tell((clock() - T0).total_seconds() + off_h * 3600, alarms=EMERGENCY) == 0
    assert len(calls(store)) == 2


def test_a_call_that_could_not_be_recorded_is_made_by_the_next_message_that_holds_it(store: Store, clock: Still) -> None:
    enrol(store)

    class Stumbling(Intake):
        stumbles = True

        def record(self, fact: Fact) -> Outcome:
            if self.stumbles:
                raise StorageBusy("for a moment")
            return super().record(fact)

    intake = Stumbling(store, clock, lambda _: None)
    with gateway(store, clock, intake) as g:
        terminal, _ = let_in(g.tally.port)
        terminal.send(*told(10, alarms=EMERGENCY))
        until(lambda: store.positions(PLATE) and g.tally.refused["not-kept"])
        intake.stumbles = False
        assert terminal.tell(20, alarms=EMERGENCY) == 0
        assert terminal.tell(10, alarms=EMERGENCY) == 0
    assert len(calls(store)) == 1


def test_a_call_without_a_place_that_is_held_for_hours_is_one(store: Store, clock: Still) -> None:
    enrol(store)
    began = clock()
    with gateway(store, clock) as g:
        terminal, _ = let_in(g.tally.port)
        for each in range(40):
            body = bytearray(location(fix_at(each), alarms=EMERGENCY))
            body[8:12] = b"\xff" * 4
            assert terminal.ask(0x0200, bytes(body)) == 0
            clock.forward(minutes=2)
    assert calls(store) == [(began - T0).total_seconds()]
