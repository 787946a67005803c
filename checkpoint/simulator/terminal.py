"""A truck's own terminal: JT/T 808 over TCP, from the terminal's end. It keeps each fix until the platform has acknowledged it.

The law of this file: what it sends is written here from the standard, and not with the decoder that reads it; frames and headers,
which both ends have in common, are the decoder's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from struct import pack, unpack_from

import httpx

from checkpoint.decoders.jt808 import Edition, Message, Peer, Splitter, parse, written
from checkpoint.simulator.devices import Receiver, Seen
from checkpoint.simulator.road import Moment

ANSWER_S = 20.0
BATCH = 30  # fills a frame
_CHINA = timedelta(hours=8)
_MAKER, _MODEL = "71108", "CP-DEMO"


class NotLetIn(RuntimeError):
    """The platform does not know this terminal; the message is its result."""


# -- what a terminal sends ------------------------------------------------------------------------------------------------


def peer_of(number: str, edition: Edition = "2013") -> Peer:
    """A terminal of a number, as its header has it."""
    return Peer(edition, bytes.fromhex(number.rjust(20 if edition == "2019" else 12, "0")))


def registration(edition: Edition, plate: str, terminal_id: str, maker: str = _MAKER, model: str = _MODEL) -> bytes:
    """The body of 0x0100."""
    lengths = {"2011": (5, 8, 7), "2013": (5, 20, 7), "2019": (11, 30, 30)}[edition]
    named = zip((maker, model, terminal_id), lengths, strict=True)
    return pack(">HH", 33, 300) + b"".join(text.encode().ljust(n, b"\0") for text, n in named) + b"\x02" + plate.encode("gbk")


def authentication(edition: Edition, code: str) -> bytes:
    """The body of 0x0102."""
    said = code.encode()
    return (
        said if edition != "2019" else bytes((len(said),)) + said + b"860000000000000".ljust(15, b"0") + b"1.0".ljust(20, b"\0")
    )


def location(seen: Seen, *, alarms: int = 0, status: int = 0b11) -> bytes:
    """The body of 0x0200: where it is, with nothing behind it. North and east only."""
    at = (seen.fixed_at.astimezone(UTC) + _CHINA).strftime("%y%m%d%H%M%S")
    place = (round(seen.lat * 1e6), round(seen.lon * 1e6), 10, round(seen.speed_kmh * 10), round(seen.course_deg) % 360)
    return pack(">IIIIHHH", alarms, status, *place) + bytes.fromhex(at)


def batch(bodies: Sequence[bytes], *, resent: bool = False) -> bytes:
    """The body of 0x0704."""
    return pack(">HB", len(bodies), resent) + b"".join(pack(">H", len(body)) + body for body in bodies)


# -- a terminal's connection ----------------------------------------------------------------------------------------------


class Line:
    """One connection: sends, and waits for what answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        self._reader, self._writer, self._peer = reader, writer, peer
        self._serial = 0
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, host: str, port: int, peer: Peer) -> Line:
        """Connect."""
        reader, writer = await asyncio.open_connection(host, port)
        return cls(reader, writer, peer)

    @property
    def over(self) -> bool:
        """Whether the platform hung up."""
        return self._reading.done()

    async def ask(self, msg_id: int, body: bytes) -> Message:
        """Send a message and wait for the answer to it."""
        if self.over:
            raise ConnectionError("hung up")
        serial, self._serial = self._serial, (self._serial + 1) & 0xFFFF
        answer = self._answers[serial] = asyncio.get_running_loop().create_future()
        try:
            self._writer.writelines(written(self._peer, serial, msg_id, body))
            return await asyncio.wait_for(answer, ANSWER_S)
        finally:
            self._answers.pop(serial, None)

    async def close(self) -> None:
        """Hang up."""
        self._reading.cancel()
        self._writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        splitter = Splitter()
        try:
            while data := await self._reader.read(4096):
                for frame in splitter.feed(data):
                    self._hear(parse(frame))
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("hung up"))

    def _hear(self, message: Message) -> None:
        if message.msg_id in (0x8001, 0x8100):
            answer = self._answers.get(unpack_from(">H", message.body)[0])
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif message.number == message.total:
            # An order, whole: taken. This terminal draws nothing from it.
            serial, self._serial = self._serial, (self._serial + 1) & 0xFFFF
            body = pack(">HHB", (message.serial - message.total + 1) & 0xFFFF, message.msg_id, 0)
            self._writer.writelines(written(self._peer, serial, 0x0001, body))


class Terminal:
    """A truck's terminal: registers once, shows its code, and sends what it has until that is acknowledged."""

    def __init__(
        self, number: str, plate: str, receiver: Receiver, host: str, port: int, *, edition: Edition = "2013", code: str = ""
    ) -> None:
        self._plate, self._receiver, self._where = plate, receiver, (host, port)
        self._peer, self._id = peer_of(number, edition), f"C{number[-6:]}"
        self._code = code
        self._kept: list[Seen] = []
        self._line: Line | None = None
        self._pushing = asyncio.Lock()

    def see(self, moment: Moment) -> None:
        """Take a fix and keep it. A terminal tells time to the second."""
        seen = self._receiver.see(moment)
        self._kept.append(Seen(_second(seen.fixed_at), seen.lat, seen.lon, seen.accuracy_m, seen.speed_kmh, seen.course_deg))

    async def push(self, client: httpx.AsyncClient) -> int:
        """Send what is kept, the oldest first; it does not go by the web's client."""
        del client
        sent = 0
        async with self._pushing:
            while self._kept:
                some = self._kept[:BATCH]
                try:
                    line = await self._connected()
                    bodies = [location(seen) for seen in some]
                    late = len(some) > 1
                    answer = await line.ask(0x0704 if late else 0x0200, batch(bodies, resent=True) if late else bodies[0])
                except (OSError, TimeoutError, NotLetIn) as error:
                    await self.hang_up()
                    raise httpx.TransportError(f"the terminal's line: {error}") from error
                if answer.body[4] != 0:
                    raise httpx.TransportError(f"the platform answered {answer.body[4]}")
                self._kept = self._kept[len(some) :]
                sent += len(some)
        return sent

    async def hang_up(self) -> None:
        """End the connection; the next fix makes another."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def _connected(self) -> Line:
        if self._line is not None and not self._line.over:
            return self._line
        await self.hang_up()
        line = self._line = await Line.open(*self._where, self._peer)
        edition = self._peer.edition
        for _ in range(2):
            if self._code and (await line.ask(0x0102, authentication(edition, self._code))).body[4] == 0:
                return line
            answer = await line.ask(0x0100, registration(edition, self._plate, self._id))
            if answer.body[2] != 0:
                raise NotLetIn(str(answer.body[2]))
            self._code = answer.body[3:].decode()
        raise NotLetIn("code")


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
