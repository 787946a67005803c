"""A truck's terminal under a test's hands: every byte and every moment is the test's to choose."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from struct import pack, unpack_from
from typing import Any

from checkpoint.decoders.jt808 import Edition, Message, Splitter, parse, written
from checkpoint.gateway import Gateway, Limits
from checkpoint.intake import Intake
from checkpoint.ports import listen
from checkpoint.simulator.devices import Seen
from checkpoint.simulator.terminal import authentication, batch, location, peer_of, registration
from checkpoint.store import Store
from tests.ground import T0, Still

NUMBER, PLATE = "13912345678", "浙C12345"
DEVICE = f"terminal-{NUMBER}"
PATIENCE_S = 10.0
_OPEN: list[Terminal] = []


def fix_at(seconds: float, lat: float = 28.05, lon: float = 120.6) -> Seen:
    """A fix so many seconds after `T0`."""
    return Seen(T0 + timedelta(seconds=seconds), lat, lon, 10.0, 60.0, 0.0)


class Terminal:
    """One connection of a terminal."""

    def __init__(self, port: int, number: str = NUMBER, edition: Edition = "2013") -> None:
        self.peer, self.edition = peer_of(number, edition), edition
        self.serial = 0
        self.orders: list[Message] = []
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._splitter = Splitter()
        self._heard: list[Message] = []
        _OPEN.append(self)

    def close(self) -> None:
        self._socket.close()

    def cut(self) -> None:
        """The line is gone, without a word to either end's program."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        self._socket.close()

    def raw(self, data: bytes) -> None:
        self._socket.sendall(data)

    def frames(self, msg_id: int, body: bytes) -> list[bytes]:
        """A message's frames, the next serials used up."""
        made = written(self.peer, self.serial, msg_id, body)
        self.serial += len(made)
        return made

    def send(self, msg_id: int, body: bytes = b"") -> int:
        """Send a message; its serial."""
        serial = self.serial
        self.raw(b"".join(self.frames(msg_id, body)))
        return serial

    def hear(self, patience_s: float = PATIENCE_S) -> Message | None:
        """The platform's next message; None when it hung up. Raises `TimeoutError`."""
        self._socket.settimeout(patience_s)
        while not self._heard:
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._heard = [parse(frame) for frame in self._splitter.feed(data)]
        return self._heard.pop(0)

    def answer_to(self, serial: int) -> Message:
        """What the platform answers to a message of ours; what it orders meanwhile is laid aside."""
        while True:
            heard = self.hear()
            assert heard is not None, "hung up"
            if heard.msg_id in (0x8001, 0x8100) and unpack_from(">H", heard.body)[0] == serial:
                return heard
            if heard.msg_id == 0x8004:
                return heard
            self.orders.append(heard)

    def ask(self, msg_id: int, body: bytes = b"") -> int:
        """Send a message; the result that the platform answers it with."""
        answer = self.answer_to(self.send(msg_id, body))
        return answer.body[4] if answer.msg_id == 0x8001 else answer.body[2]

    def register(self, plate: str = PLATE, terminal_id: str = "A6-0001", **more: Any) -> tuple[int, str]:
        """Register: the result, and the code."""
        answer = self.answer_to(self.send(0x0100, registration(self.edition, plate, terminal_id, **more)))
        return answer.body[2], answer.body[3:].decode()

    def prove(self, code: str) -> int:
        return self.ask(0x0102, authentication(self.edition, code))

    def tell(self, *seconds: float, alarms: int = 0) -> int:
        """Report fixes so many seconds after `T0`: the result."""
        return self.ask(*told(*seconds, alarms=alarms))

    def is_cut(self) -> bool:
        """Whether the platform hangs up, whatever it says before."""
        while self.hear() is not None:
            pass
        return True


def until(wanted: Callable[[], object]) -> None:
    """Wait until something came about at the other end, and fail when it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def told(*seconds: float, alarms: int = 0) -> tuple[int, bytes]:
    """The message that reports fixes."""
    bodies = [location(fix_at(each), alarms=alarms) for each in seconds]
    return (0x0200, bodies[0]) if len(bodies) == 1 else (0x0704, batch(bodies, resent=True))


def let_in(port: int, code: str = "", number: str = NUMBER) -> tuple[Terminal, str]:
    """A terminal that has proved itself, and its code."""
    terminal = Terminal(port, number)
    if not code:
        result, code = terminal.register()
        assert result == 0
    assert terminal.prove(code) == 0
    return terminal, code


def enrol(store: Store, number: str = NUMBER, plate: str = PLATE, until: datetime = T0 + timedelta(days=3)) -> None:
    """As the desk does it."""
    store.registry.enrol_terminal(f"terminal-{number}", plate, until)
    store.registry.bind_device(f"terminal-{number}", plate)


@contextmanager
def gateway(
    store: Store, clock: Still, intake: Intake | None = None, limits: Limits | None = None, **more: Any
) -> Iterator[Gateway]:
    """A gateway on a port of its own; at its end terminals hang up."""
    intake = intake or Intake(store, clock, lambda _: None)
    sockets = [listen("127.0.0.1", 0)]
    found = Gateway(store, intake, clock, sockets, limits=limits or Limits(sweep_s=0.05, note_s=0.2), **more)
    found.start()
    try:
        yield found
    finally:
        found.stop()
        while _OPEN:
            _OPEN.pop().close()
