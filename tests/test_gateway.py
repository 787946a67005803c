"""The gateway for truck terminals: who comes in, what is kept, what is answered and when. Two real ends over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from checkpoint.core.facts import HelpCalled
from checkpoint.core.fixes import Fix
from checkpoint.decoders.jt808 import Edition
from checkpoint.gateway import Gateway, Limits
from checkpoint.hearing import FixesTaken
from checkpoint.intake import Intake
from checkpoint.simulator.terminal import batch, location, registration
from checkpoint.store import StorageBusy, StorageFull, Store
from tests.ground import T0, Still
from tests.places import Place
from tests.terminal import DEVICE, NUMBER, PLATE, Terminal, enrol, fix_at, gateway, let_in, told, until

EMERGENCY = 1


@pytest.fixture
def clock() -> Still:
    return Still(T0 + timedelta(hours=6))


@pytest.fixture
def store(place: Place, clock: Still) -> Iterator[Store]:
    store = place.open(clock)
    yield store
    store.close()


@pytest.fixture
def lone(tmp_path: Any, clock: Still) -> Iterator[Store]:
    """A store for what does not depend on the database."""
    store = Store.open(tmp_path / "checkpoint.db", clock)
    yield store
    store.close()


def seconds(store: Store) -> list[float]:
    """When the fixes that are held were taken, after `T0`."""
    return [(fix.fixed_at - T0).total_seconds() for fix in store.positions(PLATE)]


# -- coming in --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["2011", "2013", "2019"])
def test_a_terminal_that_was_enrolled_registers_proves_itself_and_reports(store: Store, clock: Still, edition: Edition) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal = Terminal(g.tally.port, edition=edition)
        result, code = terminal.register()
        assert (result, len(code)) == (0, 20)
        assert terminal.prove(code) == 0
        assert terminal.ask(0x0002) == 0
        assert terminal.tell(0) == 0
        assert terminal.tell(10, 20, 30) == 0
        assert terminal.ask(0x0003) == 0
        assert terminal.is_cut()
    assert seconds(store) == [0, 10, 20, 30]
    assert {fix.device for fix in store.positions(PLATE)} == {DEVICE}
    found = store.registry.terminals()[DEVICE]
    assert (found.edition, found.terminal_id, found.plate_said, found.coded) == (edition, "A6-0001", PLATE, True)
    assert (found.connected, found.heard_at) == (False, clock())


def test_a_number_that_nobody_enrolled_is_no_terminal_and_is_shown_among_strangers(lone: Store, clock: Still) -> None:
    with gateway(lone, clock) as g:
        terminal = Terminal(g.tally.port)
        assert terminal.register() == (4, "")
        assert terminal.prove("anything") == 1
    knock = lone.registry.terminal_knocks()[0]
    assert (knock.device, knock.why) == (DEVICE, "unknown")
    assert lone.registry.terminals() == {}


def test_nothing_said_before_the_proof_is_laid_to_a_vehicle(store: Store, clock: Still) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal = Terminal(g.tally.port)
        assert terminal.tell(0, 10) == 1
        assert terminal.ask(0x0002) == 1
        code = terminal.register()[1]
        assert terminal.tell(20) == 1, "a code that was given proves nothing until it is shown"
        assert terminal.prove(code) == 0
        assert terminal.tell(30) == 0
    assert seconds(store) == [30]
    assert {(s.device, s.why) for s in store.strangers()} == {(DEVICE, "unproved")}
    assert len(store.strangers()) == 3
    store.adopt(DEVICE, lambda s: (PLATE, s.fix))
    assert seconds(store) == [30], "not even when the device is bound anew"


def test_an_answer_lost_on_the_way_locks_nobody_out(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        lost = Terminal(g.tally.port)
        lost.send(0x0100, registration("2013", PLATE, "A6-0001"))
        lost.close()
        first, code = let_in(g.tally.port)
        again = Terminal(g.tally.port)
        result, fresh = again.register()
        assert (result, fresh != code) == (0, True)
        again.close()
        second, _ = let_in(g.tally.port, code)
        assert second.tell(0) == 0, "the new code has not been used: the old one is good"
        third, _ = let_in(g.tally.port, fresh)
        assert third.tell(10) == 0
        old = Terminal(g.tally.port)
        assert old.prove(code) == 1
        assert first.is_cut()
    assert lone.registry.terminals()[DEVICE].registrations == 2


def test_a_registration_sent_again_on_its_connection_is_given_the_same_code(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal = Terminal(g.tally.port)
        first, second = terminal.register(), terminal.register()
        assert first == second
        assert terminal.prove(second[1]) == 0


def test_a_code_is_given_to_whom_it_was_made_for_and_kept_as_its_hash(lone: Store, clock: Still, tmp_path: Any) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        first, other = Terminal(g.tally.port), Terminal(g.tally.port)
        codes = [first.register()[1], other.register(terminal_id="B7-9999")[1]]
        assert codes[0] != codes[1]
        assert other.prove(codes[1]) == 0
    lone.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("checkpoint.db*"))
    assert not [code for code in codes if code.encode() in held]


def test_after_the_first_proof_only_the_same_device_may_register_until_the_desk_says_so(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        let_in(g.tally.port)
        other = Terminal(g.tally.port)
        assert other.register(terminal_id="B7-9999") == (3, "")
        found = lone.registry.terminals()[DEVICE]
        assert (found.refused_why, found.refusals, "B7-9999" in found.refused_detail) == ("other-device", 1, True)
        assert other.register(maker="70222") == (3, ""), "the same number of another maker's"
        assert other.register(terminal_id="A6-0001")[0] == 0, "one that lost its code on the road"
        enrol(lone, until=clock() + timedelta(hours=1))
        result, code = other.register(terminal_id="B7-9999")
        assert result == 0
        assert other.prove(code) == 0


def test_registration_is_open_for_a_while_and_then_closed(lone: Store, clock: Still) -> None:
    enrol(lone, until=clock() - timedelta(seconds=1))
    with gateway(lone, clock) as g:
        assert Terminal(g.tally.port).register() == (4, "")
    assert lone.registry.terminals()[DEVICE].refused_why == "closed"


def test_a_terminal_whose_vehicle_nobody_knows_is_told_so(lone: Store, clock: Still) -> None:
    lone.registry.enrol_terminal(DEVICE, PLATE, clock() + timedelta(days=1))
    with gateway(lone, clock) as g:
        assert Terminal(g.tally.port).register() == (2, "")


def test_a_plate_that_differs_is_shown_and_not_guessed(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal = Terminal(g.tally.port)
        code = terminal.register(plate="浙C99999")[1]
        assert terminal.prove(code) == 0
        assert terminal.tell(0) == 0
    assert lone.registry.terminals()[DEVICE].plate_said == "浙C99999"
    assert seconds(lone) == [0]


def test_wrong_codes_are_refused_slowly_and_then_hung_up_on_and_hold_the_right_one_up_not_at_all(
    lone: Store, clock: Still
) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        _, code = let_in(g.tally.port)
        guesser = Terminal(g.tally.port)
        assert guesser.prove("wrong") == 1
        serial = guesser.send(0x0102, b"wrong again")
        let_in(g.tally.port, code)
        assert guesser.answer_to(serial).body[4] == 1

        async def waits() -> list[float]:
            return [g.guessed("terminal-1") for _ in range(8)]

        assert asyncio.run(waits()) == [0, 1, 3, 7, 15, 30, 30, 30], "each costs more than the last"
        assert g.tally.refused["authentication"] == 2
    assert lone.registry.terminals()[DEVICE].refused_why == "wrong-code"


def test_the_newest_connection_speaks_for_a_terminal_and_the_older_is_closed(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        first, code = let_in(g.tally.port)
        assert first.tell(0, 10) == 0
        second, _ = let_in(g.tally.port, code)
        assert first.is_cut()
        assert second.tell(0, 10, 20) == 0, "it may send everything again"
        assert (g.tally.authenticated, g.tally.connections) == (1, 1)
    assert seconds(lone) == [0, 10, 20]


def test_whoever_is_shut_out_at_the_desk_is_cut_off_at_once(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, code = let_in(g.tally.port)
        lone.registry.revoke_terminal(DEVICE)
        lone.signals.publish("terminals", f"desk out {DEVICE}")
        assert terminal.is_cut()
        again = Terminal(g.tally.port)
        assert again.prove(code) == 1
        assert again.register() == (4, "")
    assert lone.registry.terminals()[DEVICE].refused_why == "revoked"


def test_one_shut_out_without_a_word_to_the_gateway_is_cut_off_soon(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        lone.registry.revoke_terminal(DEVICE)
        assert terminal.is_cut()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # a file has one process
def test_two_gateways_of_one_database_let_a_terminal_in_once(place: Place, clock: Still) -> None:
    stores = [place.open(clock), place.open(clock)]
    enrol(stores[0])
    with gateway(stores[0], clock) as one, gateway(stores[1], clock) as other:
        stores[0].signals.publish("ready")
        first, code = let_in(one.tally.port)
        second, _ = let_in(other.tally.port, code)
        assert first.is_cut()
        assert second.tell(0) == 0
    assert seconds(stores[1]) == [0]
    for store in stores:
        store.close()


# -- what is kept, and when it is acknowledged ------------------------------------------------------------------------------


class Held(Intake):
    """An intake that waits for a word before it takes anything in, or refuses."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.refuse: Exception | None = None
        self.taken: list[int] = []

    def take_fixes(self, fixes: Sequence[Fix]) -> FixesTaken:
        if self.refuse is not None:
            raise self.refuse
        self.taken.append(len(fixes))
        return super().take_fixes(fixes)


@pytest.mark.parametrize("refusal", [StorageFull("full"), StorageBusy("busy"), RuntimeError("ours")])
def test_what_the_store_refuses_is_not_acknowledged_and_comes_again(lone: Store, clock: Still, refusal: Exception) -> None:
    enrol(lone)
    intake = Held(lone, clock, lambda _: None)
    with gateway(lone, clock, intake) as g:
        terminal, _ = let_in(g.tally.port)
        intake.refuse = refusal
        terminal.send(*told(0))
        until(lambda: g.tally.refused["not-kept"])
        assert seconds(lone) == []
        intake.refuse = None
        serial = terminal.send(*told(0))
        heard = terminal.hear()
        assert heard is not None
        assert heard.body[:2] == serial.to_bytes(2, "big"), "the first was never answered"
        assert g.tally.acknowledged == 1
    assert seconds(lone) == [0]


def test_a_call_for_help_gets_through_where_there_is_no_room_for_positions(lone: Store, clock: Still) -> None:
    enrol(lone)
    intake = Held(lone, clock, lambda _: None)
    with gateway(lone, clock, intake) as g:
        terminal, _ = let_in(g.tally.port)
        intake.refuse = StorageFull("full")
        for each in (0, 10, 20):
            terminal.send(*told(each, alarms=EMERGENCY))
        until(lambda: g.tally.refused["not-kept"] == 3)
        assert len(lone.facts_of_kind("HelpCalled")) == 1
        intake.refuse = None
        for each in (0, 10, 20):
            assert terminal.tell(each, alarms=EMERGENCY) == 0
    assert len(lone.facts_of_kind("HelpCalled")) == 1


def test_positions_of_many_terminals_share_commits(store: Store, clock: Still) -> None:
    numbers = [str(13900000000 + n) for n in range(40)]
    for number in numbers:
        enrol(store, number, f"浙C{number[-5:]}")
    intake = Held(store, clock, lambda _: None)
    with gateway(store, clock, intake) as g:
        fleet = [let_in(g.tally.port, number=number)[0] for number in numbers]
        before = len(intake.taken)
        serials = [terminal.send(*told(*range(0, 300, 10))) for terminal in fleet]
        assert [t.answer_to(serial).body[4] for t, serial in zip(fleet, serials, strict=True)] == [0] * len(fleet)
        assert sum(intake.taken[before:]) == 40 * 30
        assert len(intake.taken[before:]) < len(fleet)
    assert len(store.positions("浙C00007")) == 30


def test_repeats_are_stored_once_and_acknowledged_each_time(store: Store, clock: Still) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal, _ = let_in(g.tally.port)
        assert [terminal.tell(0) for _ in range(5)] == [0] * 5
        assert terminal.tell(0, 10, 0, 10) == 0
    assert seconds(store) == [0, 10]


def test_a_message_in_fragments_is_acknowledged_as_a_whole_each_fragment_by_its_serial(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        first = terminal.serial
        frames = terminal.frames(*told(*range(0, 1100, 10)))
        assert len(frames) == 4
        terminal.raw(frames[3] + frames[0] + frames[1])
        assert terminal.ask(0x0002) == 0
        assert seconds(lone) == []
        terminal.raw(frames[2])
        for part in range(4):
            assert terminal.answer_to(first + part).body[4] == 0
        assert seconds(lone) == [10.0 * n for n in range(110)]
        terminal.raw(frames[1])
        assert terminal.answer_to(first + 1).body[4] == 0, "one that comes again is known"


def test_fragments_that_only_carry_the_serials_of_others_are_kept_before_they_are_acknowledged(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        first = terminal.serial
        for begin in (0, 10_000):
            terminal.serial = first  # it was started anew, and counts from the beginning
            frames = terminal.frames(*told(*range(begin, begin + 400, 10)))
            assert len(frames) == 2
            terminal.raw(b"".join(frames))
            assert [terminal.answer_to(first + part).body[4] for part in range(2)] == [0, 0]
    assert len(seconds(lone)) == 80


def test_a_fragment_that_does_not_come_is_asked_for_a_few_times(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock, limits=Limits(sweep_s=0.02, ask_s=5, asks=2)) as g:
        terminal, _ = let_in(g.tally.port)
        first = terminal.serial
        frames = terminal.frames(*told(*range(0, 1100, 10)))
        terminal.raw(frames[0] + frames[3])
        assert terminal.ask(0x0002) == 0
        with pytest.raises(TimeoutError):
            terminal.hear(0.2)
        for _ in range(3):
            clock.forward(seconds=11)
            time.sleep(0.1)
        asked = [heard for heard in (terminal.hear(), terminal.hear()) if heard is not None]
        assert [a.msg_id for a in asked] == [0x8003, 0x8003]
        assert asked[0].body == first.to_bytes(2, "big") + bytes((2, 0, 2, 0, 3))
        with pytest.raises(TimeoutError):
            terminal.hear(0.2)
        terminal.raw(frames[1] + frames[2])
        assert terminal.answer_to(first).body[4] == 0
    assert len(seconds(lone)) == 110


def test_what_cannot_be_read_changes_nothing(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        assert terminal.ask(0x0200, b"short") == 2
        assert terminal.ask(0x0704, b"\0") == 2
        assert terminal.ask(0x0900, b"anything") == 3
        frame = bytearray(terminal.frames(*told(0))[0])
        frame[-2] ^= 1
        terminal.raw(bytes(frame))
        assert terminal.tell(10) == 0, "a frame whose sum is wrong is not answered, and the next is read"
        nowhere = bytearray(location(fix_at(20)))
        nowhere[8:12] = b"\xff" * 4
        assert terminal.ask(0x0200, bytes(nowhere)) == 0
    assert seconds(lone) == [10]
    assert [(a.source, a.why, a.raw) for a in lone.aside()] == [(f"device:{DEVICE}", "position-coordinates", bytes(nowhere))]


def test_one_bad_position_in_a_batch_costs_itself_alone(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        bodies = [location(fix_at(0)), location(fix_at(10))[:20], location(fix_at(20))]
        assert terminal.ask(0x0704, batch(bodies)) == 0
    assert seconds(lone) == [0, 20]
    assert [a.why for a in lone.aside()] == ["position-short"]


def test_a_connection_speaks_for_one_terminal_only(lone: Store, clock: Still) -> None:
    enrol(lone)
    enrol(lone, "13900000001", "浙C00001")
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        stranger = Terminal(g.tally.port, "13900000001")
        terminal.peer = stranger.peer
        assert terminal.tell(0) == 1
    assert lone.positions("浙C00001") == []


def test_a_terminal_of_2019_asks_for_the_time(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal = Terminal(g.tally.port, edition="2019")
        assert terminal.prove(terminal.register()[1]) == 0
        answer = terminal.answer_to(terminal.send(0x0004))
        assert (answer.msg_id, answer.body.hex()) == (0x8004, clock().strftime("%y%m%d%H%M%S"))


# -- a call for help ----------------------------------------------------------------------------------------------------------


def calls(store: Store) -> list[float]:
    found = [r.fact for r in store.facts_of_kind("HelpCalled")]
    assert all(isinstance(f.what, HelpCalled) and f.what.vehicle == PLATE for f in found)
    return [(f.at - T0).total_seconds() for f in found]


def test_an_emergency_that_is_held_is_one_call_over_reconnects_and_resends(store: Store, clock: Still) -> None:
    enrol(store)
    with gateway(store, clock) as g:
        terminal, code = let_in(g.tally.port)
        assert terminal.tell(0) == 0
        for each in (10, 20, 30):
            assert terminal.tell(each, alarms=EMERGENCY) == 0
        again, _ = let_in(g.tally.port, code)
        assert again.tell(10, 20, 40, alarms=EMERGENCY) == 0
    with gateway(store, clock) as g:  # another process remembers nothing but the record
        terminal, _ = let_in(g.tally.port, code)
        assert terminal.tell(30, 50, alarms=EMERGENCY) == 0
        assert calls(store) == [10]
        assert terminal.tell(60) == 0
        assert terminal.tell(400, alarms=EMERGENCY) == 0
        assert terminal.tell(410, alarms=EMERGENCY) == 0
    assert calls(store) == [10, 400]


def test_a_fix_from_before_the_call_that_comes_after_it_calls_no_second_time(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        assert terminal.tell(30, alarms=EMERGENCY) == 0
        assert terminal.tell(10, 20, alarms=EMERGENCY) == 0
    assert calls(lone) == [30]


def test_a_call_for_help_without_a_place_is_heard(lone: Store, clock: Still) -> None:
    enrol(lone)
    body = bytearray(location(fix_at(0), alarms=EMERGENCY))
    body[8:12] = b"\xff" * 4
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        assert terminal.ask(0x0200, bytes(body)) == 0
        assert terminal.ask(0x0200, bytes(body)) == 0
    assert calls(lone) == [(clock() - T0).total_seconds()]


# -- how it stands ------------------------------------------------------------------------------------------------------------


def test_who_is_connected_and_when_each_was_heard_is_written_down(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        let_in(g.tally.port)
        clock.forward(minutes=5)
        terminal, _ = let_in(g.tally.port)
        assert terminal.ask(0x0002) == 0
        until(lambda: lone.registry.terminals()[DEVICE].heard_at == clock())
        found = lone.registry.terminals()[DEVICE]
        assert (found.connected, found.connected_at) == (True, clock())
        terminal.close()
        until(lambda: not lone.registry.terminals()[DEVICE].connected)


def test_the_logs_hold_no_place_no_number_and_no_code(lone: Store, clock: Still, caplog: pytest.LogCaptureFixture) -> None:
    enrol(lone)
    intake = Held(lone, clock, lambda _: None)
    with gateway(lone, clock, intake) as g:
        terminal, code = let_in(g.tally.port)
        intake.refuse = RuntimeError("ours")
        terminal.send(*told(0))
        until(lambda: g.tally.refused["not-kept"])
    for secret in (code, NUMBER, "28.05", "120.6"):
        assert secret not in caplog.text


def test_a_gateway_that_ends_leaves_nothing_half_done(lone: Store, clock: Still) -> None:
    enrol(lone)
    with gateway(lone, clock) as g:
        terminal, _ = let_in(g.tally.port)
        terminal.send(*told(*range(0, 1100, 10)))
    assert isinstance(g, Gateway)
    assert len(seconds(lone)) in (0, 110)
