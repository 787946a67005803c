"""One connection of a terminal: what it says, in order, and what it is answered.

The law of this file: every message of the terminal gets one answer, and a position's answer comes after the commit that holds
it; where the store refuses there is none, and the terminal sends again. Until it has shown its code, a peer gets a few messages
and little time. What comes in one read is dealt with before more is read, and answers that nobody takes end the connection:
that is all the memory a peer can have.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from checkpoint.decoders import jt808
from checkpoint.decoders.jt808 import Edition, Location, Malformed, Message, Peer, platform
from checkpoint.gateway.keeping import KEPT, Piece, Unread
from checkpoint.gateway.ordering import Ordering
from checkpoint.store import StorageFailed

if TYPE_CHECKING:
    from checkpoint.gateway.listener import Gateway

log = logging.getLogger(__name__)
NAMES = {
    jt808.REGISTER: "register", jt808.AUTHENTICATE: "authenticate", jt808.HEARTBEAT: "heartbeat", jt808.LOGOUT: "logout",
    jt808.TIME: "time", jt808.LOCATION: "location", jt808.BATCH: "batch", jt808.ANSWER: "answer",
}  # fmt: skip
_PAUSES = 8
_REMEMBERED = 8


class Session:
    """One connection. `proved` once its terminal has shown its code: `device` is then whose it is."""

    def __init__(self, gateway: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        self.address = address
        self.device = ""
        self.proved = False
        self.over = False
        self.edition: Edition | None = None
        self._gateway, self._reader, self._writer = gateway, reader, writer
        self._splitter, self._assembler = jt808.Splitter(), jt808.Assembler()
        self._clock = asyncio.get_running_loop().time
        self._since = self._heard = self._clock()
        self._pauses: deque[float] = deque(maxlen=_PAUSES)
        self._serial = 0
        self._bad = self._bytes_unread = self._guesses = self._unproved = 0
        self._registrations = 0
        self._peer = Peer("2013", bytes(6))
        self._whole: deque[tuple[tuple[int, int, int], tuple[int, ...]]] = deque(maxlen=_REMEMBERED)
        self._asked: dict[tuple[int, int], int] = {}
        self._waiting: list[tuple[Message, Piece]] = []
        self._ordering: Ordering | None = None

    # -- the connection -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the peer goes, or is sent away."""
        while True:
            received = await self._reader.read(self._gateway.limits.read_bytes)
            if not received:
                break
            self._bytes_unread += len(received)
            for frame in self._splitter.feed(received):
                await self._take(frame)
                if self.over:
                    return
            await self._keep()
            if self.over:
                return
            if self._bytes_unread > self._gateway.limits.garbage_bytes:
                self.close("garbage")

    def close(self, why: str) -> None:
        """End it now."""
        if not self.over:
            self.over = True
            if why:
                self._gateway.tally.refused[why] += 1
            self._writer.transport.abort()

    def look(self) -> None:
        """Once a second: end it when it does not get on; ask for what is missing of what it sent; order what is due."""
        now, limits = self._clock(), self._gateway.limits
        if not self.proved:
            if now - self._since > limits.prove_s:
                self.close("unproved")
        elif now - self._heard > self.patience_s:
            self.close("silent")
        if self.over:
            return
        self._ask_again()
        if self._ordering is not None:
            self._ordering.look(now)

    @property
    def patience_s(self) -> float:
        """How long a silence may last: three of the terminal's own longest pauses of late."""
        least, most = self._gateway.limits.idle_s
        if len(self._pauses) < _PAUSES:
            return most
        return min(max(3 * max(self._pauses), least), most)

    def send(self, write: Callable[[int], bytes | Sequence[bytes]]) -> int:
        """Write a message, made with the serial it is to have; that serial."""
        serial = self._serial
        made = write(serial)
        frames = [made] if isinstance(made, bytes) else made
        self._serial = (serial + len(frames)) & 0xFFFF
        if not self.over:
            self._writer.writelines(frames)
            if self._writer.transport.get_write_buffer_size() > self._gateway.limits.reply_bytes:
                self.close("slow-reader")
        return serial

    # -- messages -----------------------------------------------------------------------------------------------------

    async def _take(self, frame: bytes) -> None:
        gateway = self._gateway
        try:
            message = jt808.parse(frame)
        except Malformed as error:
            # Nothing of it can be trusted, its number least of all: no answer.
            gateway.tally.refused[f"frame-{error.word}"] += 1
            self._bad += 1
            if self._bad >= gateway.limits.bad_frames:
                self.close("garbage")
            return
        self._bad = self._bytes_unread = 0
        now = self._clock()
        if self.proved:
            self._pauses.append(now - self._heard)
            gateway.heard(self.device)
        self._heard = now
        gateway.tally.messages[NAMES.get(message.msg_id, "other")] += 1
        if self.edition == "2011" and message.version == "2013":
            message = msgspec.structs.replace(message, version="2011")
        if self.proved and jt808.DEVICE + message.phone != self.device:
            # One connection speaks for one terminal.
            gateway.tally.refused["other-number"] += 1
            self._answer(message, platform.FAILED)
            return
        whole = self._assembled(message)
        if whole is not None:
            await self._deal(whole)

    def _assembled(self, message: Message) -> Message | None:
        """The message, when it is whole now."""
        if not message.fragment:
            return message
        if not self.proved:
            self._refuse_unproved(message)
            return None
        key = (message.msg_id, (message.serial - message.number + 1) & 0xFFFF, message.total)
        # A serial alone names no message: a terminal that was started anew counts from the beginning.
        if any(each == key and marks[message.number - 1] == hash(message.body) for each, marks in self._whole):
            self._answer(message, platform.DONE)
            return None
        whole = self._assembler.add(message, self._gateway.now())
        if whole is not None:
            self._asked.pop(key[:2], None)
        return whole

    async def _deal(self, message: Message) -> None:
        try:
            if message.msg_id == jt808.REGISTER:
                await self._register(message)
            elif message.msg_id == jt808.AUTHENTICATE:
                await self._authenticate(message)
            elif message.msg_id in (jt808.LOCATION, jt808.BATCH):
                await self._positions(message)
            elif not self.proved:
                self._refuse_unproved(message)
            elif message.msg_id == jt808.HEARTBEAT:
                self._answer(message, platform.DONE)
            elif message.msg_id == jt808.TIME:
                self.send(lambda serial: platform.time_8004(message.peer, serial, self._gateway.now()))
            elif message.msg_id == jt808.LOGOUT:
                await self._keep()
                self._answer(message, platform.DONE)
                self._writer.close()
                self.over = True
            elif message.msg_id == jt808.ANSWER:
                if self._ordering is not None:
                    await self._ordering.answered(jt808.answer(message))
            else:
                self._answer(message, platform.UNSUPPORTED)
        except Malformed as error:
            self._gateway.tally.refused[f"body-{error.word}"] += 1
            self._answer(message, platform.UNSUPPORTED if error.word == "enciphered" else platform.BAD)
            if not self.proved:
                self._count_unproved()

    def _answer(self, message: Message, result: int) -> None:
        """The general answer to a message, and to each of the fragments that it was put together from."""
        for part in range(message.fragments):
            each = message if message.fragments == 1 else _part(message, part)
            self.send(partial(_reply, each, result))

    def _refuse_unproved(self, message: Message) -> None:
        self._answer(message, platform.FAILED)
        self._count_unproved()

    def _count_unproved(self) -> None:
        self._unproved += 1
        if self._unproved >= self._gateway.limits.unproved:
            self.close("unproved")

    # -- coming in ----------------------------------------------------------------------------------------------------

    async def _register(self, message: Message) -> None:
        said, gateway = jt808.register(message), self._gateway
        device = jt808.DEVICE + message.phone
        self._registrations += 1
        if self._registrations > gateway.limits.unproved:
            self.close("registration")
            return
        try:
            result, code = await gateway.asked(gateway.admission.register, device, said)
        except StorageFailed as error:
            log.warning("a terminal is not registered: %s", error)
            return
        if result != platform.REGISTERED:
            gateway.tally.refused["registration"] += 1
        if said.version == "2011":
            self.edition = "2011"
        self.send(lambda serial: platform.reply_8100(message.peer, serial, message, result, code))

    async def _authenticate(self, message: Message) -> None:
        said, gateway = jt808.authenticate(message), self._gateway
        device = jt808.DEVICE + message.phone
        try:
            terminal = await gateway.asked(gateway.admission.authenticate, device, said)
        except StorageFailed as error:
            log.warning("a terminal is not let in: %s", error)
            return
        if terminal is None:
            gateway.tally.refused["authentication"] += 1
            self._guesses += 1
            await asyncio.sleep(gateway.guessed(device))
            self._answer(message, platform.FAILED)
            if self._guesses >= gateway.limits.guesses:
                self.close("authentication")
            return
        self.edition = "2011" if terminal.edition == "2011" else None
        gateway.let_in(self, device)
        self._answer(message, platform.DONE)
        self._peer = Peer(self.edition or message.version, message.phone_field)
        self._ordering = Ordering(gateway, self, terminal, self._peer)
        self._ordering.look(self._clock())

    # -- positions ----------------------------------------------------------------------------------------------------

    async def _positions(self, message: Message) -> None:
        single = message.msg_id == jt808.LOCATION
        found = [jt808.location(message)] if single else list(jt808.batch(message).locations)
        device = jt808.DEVICE + message.phone
        piece = Piece(device, [each.fix for each in found if each.fix is not None], _unread(message, found), self.proved)
        if self.proved:
            if single and found[0].trouble == ("short",):
                raise Malformed("short")
            self._waiting.append((message, piece))
            return
        self._gateway.tally.refused["unproved"] += 1
        if self._gateway.may_keep_strange():
            try:
                await self._gateway.asked(self._gateway.admission.unproved, device)
            except StorageFailed:
                log.warning("a stranger is not written down")
            await self._gateway.keeping.take(piece)
        self._refuse_unproved(message)

    async def _keep(self) -> None:
        """Have what was read kept, in one, and acknowledge it."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        fixes = [fix for _, piece in waiting for fix in piece.fixes]
        unread = [each for _, piece in waiting for each in piece.unread]
        kept = await self._gateway.keeping.take(Piece(self.device, fixes, unread))
        if kept is not KEPT:
            self._gateway.tally.refused["not-kept"] += len(waiting)
            return
        for message, _ in waiting:
            if message.fragments > 1:
                self._whole.append(((message.msg_id, message.serial, message.fragments), message.marks))
            self._gateway.tally.acknowledged += 1
            self._answer(message, platform.DONE)

    def _ask_again(self) -> None:
        """Ask for fragments that have not come, a few times."""
        limits, now = self._gateway.limits, self._gateway.now()
        self._assembler.forget(now)
        missing = self._assembler.missing()
        for each in missing:
            key = (each.msg_id, each.first_serial)
            times = self._asked.get(key, 0)
            if times < limits.asks and now - each.last_at >= timedelta(seconds=limits.ask_s * (times + 1)):
                self._asked[key] = times + 1
                self.send(partial(_ask, self._peer, each))
        if not missing:
            self._asked.clear()


def _part(message: Message, part: int) -> Message:
    return msgspec.structs.replace(message, serial=(message.serial + part) & 0xFFFF)


def _reply(to: Message, result: int, serial: int) -> bytes:
    return platform.reply_8001(to.peer, serial, to, result)


def _ask(peer: Peer, missing: jt808.Missing, serial: int) -> bytes:
    return platform.ask_8003(peer, serial, missing.first_serial, missing.numbers)


def _unread(message: Message, found: Sequence[Location]) -> list[Unread]:
    """A message with positions that could not be used, as it came."""
    without = [each for each in found if each.fix is None]
    if not without:
        return []
    return [Unread(message.body, f"position-{without[0].trouble[0]}", any("emergency" in each.alarms for each in without))]
