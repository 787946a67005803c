"""Peers that mean no good to the gateway, or are broken: each is shut out, and a terminal beside them notices nothing."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from checkpoint.gateway import Gateway, Limits
from checkpoint.simulator.terminal import registration
from checkpoint.store import Store
from tests.ground import T0, Still
from tests.terminal import PLATE, Terminal, enrol, gateway, let_in, told, until


@pytest.fixture
def clock() -> Still:
    return Still(T0 + timedelta(hours=6))


@pytest.fixture
def store(tmp_path: Any, clock: Still) -> Iterator[Store]:
    store = Store.open(tmp_path / "checkpoint.db", clock)
    enrol(store)
    yield store
    store.close()


def noise(g: Gateway, stop: threading.Event, make: Callable[[Random], bytes], seed: int) -> None:
    """Connections that send what they like until they are thrown out, one after the other."""
    dice = Random(seed)
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", g.tally.port), 5) as one:
                one.settimeout(5)
                while not stop.is_set():
                    one.sendall(make(dice))
        except OSError:
            continue


NOISES: dict[str, Callable[[Random], bytes]] = {
    "random bytes": lambda dice: dice.randbytes(4000),
    "flags alone": lambda _: b"\x7e" * 4000,
    "frames that are none": lambda dice: b"\x7e" + dice.randbytes(30) + b"\x7e",
    "a frame without an end": lambda _: b"\x7e" + b"a" * 4000,
    "http": lambda _: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    "positions of somebody": lambda _: b"".join(frame for n in range(50) for frame in _frames(*told(n))),
    "registrations": lambda _: b"".join(frame for _ in range(50) for frame in _frames(0x0100, registration("2013", PLATE, "x"))),
}


def _frames(msg_id: int, body: bytes) -> list[bytes]:
    from checkpoint.decoders.jt808 import written
    from checkpoint.simulator.terminal import peer_of

    return written(peer_of("13800000000"), 1, msg_id, body)


@pytest.mark.parametrize("kind", NOISES)
def test_a_flood_does_not_hold_a_terminal_up_and_leaves_nothing_behind(store: Store, clock: Still, kind: str) -> None:
    with gateway(store, clock) as g:
        terminal, code = let_in(g.tally.port)
        stop = threading.Event()
        floods = [threading.Thread(target=noise, args=(g, stop, NOISES[kind], n)) for n in range(4)]
        for flood in floods:
            flood.start()
        try:
            for n in range(15):
                assert terminal.tell(n * 10) == 0
            assert let_in(g.tally.port, code)[0].tell(150) == 0
        finally:
            stop.set()
            for flood in floods:
                flood.join()
        until(lambda: g.tally.connections == 1)
        assert g.tally.refused.total() > 0
    assert len(store.positions(PLATE)) == 16
    assert len(store.strangers(200)) <= 100


def test_whoever_does_not_prove_itself_in_time_is_sent_away_however_busy_it_seems(store: Store, clock: Still) -> None:
    with gateway(store, clock, limits=Limits(sweep_s=0.02, prove_s=0.3)) as g:
        terminal, _ = let_in(g.tally.port)
        silent, slow = Terminal(g.tally.port), Terminal(g.tally.port)
        frame = slow.frames(0x0100, registration("2013", PLATE, "A6-0001"))[0]
        for byte in frame:
            with suppress(OSError):
                slow.raw(bytes((byte,)))
            time.sleep(0.02)
        assert silent.is_cut()
        assert terminal.tell(0) == 0
        assert g.tally.refused["unproved"] == 2


def test_a_terminal_that_falls_silent_is_let_go_after_three_of_its_own_pauses(store: Store, clock: Still) -> None:
    limits = Limits(sweep_s=0.02, idle_s=(0.3, 600.0))
    with gateway(store, clock, limits=limits) as g:
        terminal, code = let_in(g.tally.port)
        time.sleep(0.6)
        assert terminal.ask(0x0002) == 0, "its rhythm is not known yet"
        again, _ = let_in(g.tally.port, code)
        for _ in range(10):
            assert again.ask(0x0002) == 0
            time.sleep(0.02)
        assert again.is_cut()
        assert g.tally.refused["silent"] == 1


def test_one_that_takes_no_answers_is_cut_off(store: Store, clock: Still) -> None:
    with gateway(store, clock, limits=Limits(sweep_s=0.05, reply_bytes=2048)) as g:
        terminal, _ = let_in(g.tally.port)
        heartbeats = b"".join(terminal.frames(0x0002, b"")[0] for _ in range(2000))
        with suppress(OSError):
            for _ in range(2000):
                terminal.raw(heartbeats)
        until(lambda: g.tally.refused["slow-reader"] == 1)


def test_an_address_has_few_places_for_strangers_and_none_is_taken_from_terminals(store: Store, clock: Still) -> None:
    limits = Limits(sweep_s=0.05, each=3)
    with gateway(store, clock, limits=limits, trusted=lambda _: False) as g:
        terminal, _ = let_in(g.tally.port)
        first = [Terminal(g.tally.port) for _ in range(3)]
        until(lambda: g.tally.connections == 4)
        assert Terminal(g.tally.port).is_cut()
        assert terminal.tell(0) == 0
        first[0].cut()
        until(lambda: g.tally.connections == 3)
        assert Terminal(g.tally.port).register()[0] == 0


def test_an_address_that_comes_and_goes_ever_faster_is_held_to_a_pace(store: Store, clock: Still) -> None:
    limits = Limits(sweep_s=0.05, pace=(0.001, 5.0))
    with gateway(store, clock, limits=limits, trusted=lambda _: False) as g:
        terminal, _ = let_in(g.tally.port)
        for _ in range(4):
            Terminal(g.tally.port).cut()
        assert Terminal(g.tally.port).is_cut()
        assert terminal.tell(0) == 0


def test_a_terminal_whose_clock_is_wrong_for_days_loses_nothing_and_gets_through_with_the_right_one(
    store: Store, clock: Still
) -> None:
    ahead = [clock().timestamp() - T0.timestamp() + 86_400 + n for n in range(5_010)]
    with gateway(store, clock) as g:
        terminal, _ = let_in(g.tally.port)
        for at in range(0, 5_010, 501):
            assert terminal.tell(*ahead[at : at + 501]) == 0
        assert terminal.tell(0) == 0
    assert [f.fixed_at for f in store.positions(PLATE)] == [T0]
    assert len(store.strangers(6_000)) == 5_010


def test_when_all_places_are_taken_the_stranger_that_waited_longest_gives_way(store: Store, clock: Still) -> None:
    with gateway(store, clock, limits=Limits(sweep_s=0.05, most=4, strangers=3)) as g:
        terminal, code = let_in(g.tally.port)
        strangers = []
        for _ in range(3):
            strangers.append(Terminal(g.tally.port))
            until(lambda: g.tally.connections == 1 + len(strangers))
        newest, _ = let_in(g.tally.port, code)
        assert strangers[0].is_cut()
        assert newest.tell(0) == 0
        assert strangers[2].register()[0] == 0
        assert terminal.is_cut(), "the newest speaks for it"


def test_a_peer_that_fills_fragments_up_costs_no_more_memory_than_is_allowed(store: Store, clock: Still) -> None:
    with gateway(store, clock) as g:
        terminal, code = let_in(g.tally.port)
        body = bytes(1023 * 60)
        tracemalloc.start()
        for _ in range(60):
            frames = terminal.frames(0x0704, body)
            terminal.raw(b"".join(frames[:-1]))
        assert terminal.ask(0x0002) == 0
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 4 << 20
        assert let_in(g.tally.port, code)[0].tell(0) == 0
