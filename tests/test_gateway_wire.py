"""Terminals on a bad line: cut at any byte either way, told twice, late and out of order, and a server that is killed. What a
terminal still keeps and what the server holds are together what was seen, and nothing is held twice."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from checkpoint.config import utc_now
from checkpoint.gateway import Limits
from checkpoint.store import Store
from tests.ground import T0, Still
from tests.nursery import Nursery, nursery
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.server import free_port
from tests.terminal import DEVICE, PLATE, Terminal, enrol, gateway, let_in, told

QUICK = Limits(sweep_s=0.05, note_s=0.2)


class Kept:
    """A terminal that keeps each fix until it is acknowledged, whatever its line does to it."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.seen: list[int] = []
        self.kept: list[int] = []
        self.code = ""

    def see(self, count: int) -> None:
        for _ in range(count):
            self.seen.append(len(self.seen) * 10)
            self.kept.append(self.seen[-1])

    def try_once(self, port: int) -> None:
        """Connect, come in, and send some of what is kept, until something breaks."""
        dice = self.dice
        try:
            terminal = Terminal(port)
            if not self.code:
                _, self.code = terminal.register()
                if dice.random() < 0.3:
                    self.code = ""  # the answer was lost
                    return
            if terminal.prove(self.code):
                self.code = ""
                return
            for _ in range(dice.randint(1, 4)):
                if not self.kept:
                    return
                some = dice.sample(self.kept, min(len(self.kept), dice.randint(1, 60)))
                self._send(terminal, some)
        except (AssertionError, OSError):
            return
        finally:
            if dice.random() < 0.5:
                terminal.cut()

    def _send(self, terminal: Terminal, some: list[int]) -> None:
        """A message on its way: whole, twice, in pieces, or cut; its answer heard, or lost."""
        dice, first = self.dice, terminal.serial
        frames = terminal.frames(*told(*some))
        wire = b"".join(frames if dice.random() < 0.7 else dice.sample(frames, len(frames)))
        if dice.random() < 0.3:
            wire += dice.choice((wire, bytes(dice.randbytes(dice.randint(1, 40))).replace(b"\x7e", b"")))
        if dice.random() < 0.3:
            terminal.raw(wire[: dice.randrange(len(wire))])
            raise OSError("cut on the way there")
        at = dice.randrange(len(wire))
        terminal.raw(wire[:at])
        terminal.raw(wire[at:])
        if dice.random() < 0.3:
            raise OSError("cut on the way back")
        for part in range(len(frames)):
            if terminal.answer_to(first + part).body[4] == 0:
                self.kept = [each for each in self.kept if each not in some]


def held(store: Store) -> list[int]:
    return [round((fix.fixed_at - T0).total_seconds()) for fix in store.positions(PLATE)]


@pytest.mark.parametrize("seed", seeds(rounds(6, soak=100)))
def test_nothing_is_lost_and_nothing_doubled_however_the_line_breaks(tmp_path: Path, seed: int) -> None:
    clock = Still(T0 + timedelta(days=1))
    store = Store.open(tmp_path / "checkpoint.db", clock)
    enrol(store, until=clock() + timedelta(days=1))
    terminal = Kept(seed)
    with gateway(store, clock, limits=QUICK) as g:
        for _ in range(12):
            terminal.see(terminal.dice.randint(0, 40))
            terminal.try_once(g.tally.port)
            assert set(held(store)) | set(terminal.kept) == set(terminal.seen)
        for _ in range(200):
            if not terminal.kept:
                break
            terminal.try_once(g.tally.port)
    assert terminal.kept == []
    assert held(store) == terminal.seen
    store.close()


def test_a_stream_cut_at_any_byte_is_read_as_if_it_were_whole(tmp_path: Path) -> None:
    clock = Still(T0 + timedelta(days=1))
    store = Store.open(tmp_path / "checkpoint.db", clock)
    enrol(store, until=clock() + timedelta(days=1))
    with gateway(store, clock, limits=QUICK) as g:
        terminal, _ = let_in(g.tally.port)
        wire = b"".join(terminal.frames(*told(0, 10)) + terminal.frames(*told(20)))
        for byte in wire:
            terminal.raw(bytes((byte,)))
        assert terminal.answer_to(terminal.serial - 1).body[4] == 0
    assert held(store) == [0, 10, 20]
    store.close()


@pytest.fixture(scope="module")
def begun() -> Iterator[Nursery]:
    with nursery() as found:
        yield found


def test_a_server_killed_at_any_moment_holds_what_it_acknowledged_once(place: Place, begun: Nursery) -> None:
    store = place.open(utc_now)
    enrol(store, until=utc_now() + timedelta(days=1))
    store.close()
    port, terminals = free_port(), free_port()
    settings = {
        "CHECKPOINT_DATA": str(place.folder), "CHECKPOINT_DATABASE": str(place.where), "CHECKPOINT_PORT": str(port),
        "CHECKPOINT_TERMINALS_PORT": str(terminals),
    }  # fmt: skip
    dice, code, acknowledged, sent = Random(4), "", set[int](), 0
    for _ in range(4):
        pid = begun.begin(settings, place.folder / "server.log")
        _awake(terminals)
        terminal, code = let_in(terminals, code)
        for _ in range(dice.randint(1, 12)):
            sent += 1
            assert terminal.tell(sent * 10) == 0
            acknowledged.add(sent * 10)
        # Many on their way at once: some held and not acknowledged, some neither.
        serials = {terminal.send(*told(10_000 + n)): 10_000 + n for n in range(30)}
        if dice.random() < 0.5:
            terminal.answer_to(next(iter(serials)))
            acknowledged.add(10_000)
        begun.end(pid, signal.SIGKILL)
        terminal.cut()
    pid = begun.begin(settings, place.folder / "server.log")
    _awake(terminals)
    terminal, _ = let_in(terminals, code)
    assert terminal.tell(*range(10_000, 10_030)) == 0
    begun.end(pid, signal.SIGTERM)
    terminal.cut()
    store = place.open(utc_now)
    found = held(store)
    assert len(found) == len(set(found))
    assert acknowledged | set(range(10_000, 10_030)) == set(found)
    assert {fix.device for fix in store.positions(PLATE)} == {DEVICE}
    store.close()


def _awake(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the gateway does not listen"
            time.sleep(0.02)
