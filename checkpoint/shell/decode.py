"""`checkpoint decode FORMAT [FILE]`: one message a line in, what we read of it out, one JSON object a line.

For an integrator who wants to see what we make of a device's messages before it is set up. It knows no server and keeps
nothing: replies are those that a server gives which knows the device and has kept what it sent. A line that cannot be read is
answered with an `error` and never ends the command; it ends with 1 then.
"""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import msgspec

from checkpoint.config import utc_now
from checkpoint.core.fixes import Fix
from checkpoint.decoders import jt808, osmand, owntracks
from checkpoint.decoders.jt808 import Location, Malformed, Message, platform
from checkpoint.shell.ground import DONE, NO
from checkpoint.ui import Texts

LINE_BYTES = 1 << 20


class Read(msgspec.Struct, kw_only=True):
    """What a line said. `error` is the name of what is wrong, with a text `decode.error.NAME` in the catalogues; `values` are
    that text's. `lost` are the numbers, from 1, of the positions in it that gave no fix."""

    device: str | None = None
    fixes: list[dict[str, Any]] = []
    reply: Any = None
    error: str = ""
    values: Mapping[str, str | int] = {}
    lost: list[int] = []


def decoded(asked: argparse.Namespace, t: Texts) -> int:
    """Read lines until there are no more."""
    read, every = FORMATS[asked.format], True
    with nullcontext(sys.stdin.buffer) if asked.file is None or str(asked.file) == "-" else asked.file.open("rb") as lines:
        for line in _lines(lines):
            found = Read(error="long", values={"most": LINE_BYTES}) if line is None else read(line, utc_now())
            every = every and not found.error
            print(_printed(found, t), flush=True)
    return DONE if every else NO


def _lines(lines: BinaryIO) -> Iterator[str | None]:
    """The lines that are not empty; None for one that is too long to be a message."""
    while line := lines.readline(LINE_BYTES):
        whole = line.endswith(b"\n") or len(line) < LINE_BYTES
        while not whole:
            rest = lines.readline(LINE_BYTES)
            if not rest or rest.endswith(b"\n"):
                yield None
                break
        line = line.removeprefix(codecs.BOM_UTF8).strip()  # what some editors put before everything
        if whole and line:
            yield line.decode("utf-8", "replace")


def _printed(found: Read, t: Texts) -> str:
    error: dict[str, Any] | None = None
    if found.error:
        error = {"name": found.error, "text": t(f"decode.error.{found.error}", **found.values)}
        if found.lost:
            error["positions"] = found.lost
    said = {"device": found.device, "fixes": found.fixes, "reply": found.reply, "error": error}
    return msgspec.json.encode(said).decode()


def shown(fix: Fix, trouble: tuple[str, ...] = ()) -> dict[str, Any]:
    """A fix as it is printed. `encrypted`, `crossing` and `trouble` are there only when there is something to say: `valid` is
    the device's own word, also of a place that is enciphered."""
    said: dict[str, Any] = {
        "fixed_at": fix.fixed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "lat": fix.lat,
        "lon": fix.lon,
        "speed_kmh": fix.speed_kmh,
        "course_deg": fix.course_deg,
        "altitude_m": fix.altitude_m,
        "accuracy_m": fix.accuracy_m,
        "valid": fix.valid,
        "alarms": list(fix.alarms),
    }
    beside = {"encrypted": fix.encrypted, "crossing": fix.crossing, "trouble": list(trouble)}
    return said | {name: value for name, value in beside.items() if value}


# -- terminals ----------------------------------------------------------------------------------------------------------


def jt808_line(line: str, now: datetime) -> Read:
    """Hex as it is on the wire, escapes and all. The frames of one line count as one reading."""
    try:
        received = bytes.fromhex(line)
    except ValueError:
        return Read(error="hex")
    frames = jt808.Splitter().feed(received)
    if not frames:
        return Read(error="frame")
    every = [_framed(frame, now) for frame in frames]
    first, wrong = every[0], next((read for read in every if read.error), None)
    devices = {read.device for read in every if read.device is not None}
    if len(devices) > 1:
        return Read(error="devices", values={"count": len(devices)})
    replies = [read.reply for read in every if read.reply is not None]
    return Read(
        device=first.device if len(every) == 1 else next(iter(devices), None),
        fixes=[fix for read in every for fix in read.fixes],
        reply="".join(replies) or None,
        error=wrong.error if wrong else "",
        values=wrong.values if wrong else {},
        lost=wrong.lost if wrong else [],
    )


def _framed(frame: bytes, now: datetime) -> Read:
    try:
        message = jt808.parse(frame)
    except Malformed as error:
        return Read(error=error.word)  # whom it is from cannot be believed either
    if message.fragment:
        return Read(device=message.phone, error="part", values={"number": message.number, "total": message.total})
    try:
        located, trouble = _located(message)
    except Malformed as error:
        result = platform.UNSUPPORTED if error.word == "enciphered" else platform.BAD
        reply = platform.reply_8001(message.peer, 0, message, result).hex() if message.msg_id < 0x8000 else None
        return Read(device=message.phone, reply=reply, error=error.word)
    lost = {number: each.trouble[0] for number, each in enumerate(located, 1) if each.fix is None}
    return Read(
        device=message.phone,
        fixes=[shown(each.fix, each.trouble) for each in located if each.fix is not None],
        reply=_answered(message, now),
        error=next(iter((*lost.values(), *trouble)), ""),
        lost=list(lost) if message.msg_id == jt808.BATCH else [],
    )


def _located(message: Message) -> tuple[tuple[Location, ...], Iterable[str]]:
    """The positions in a message, and what is wrong beside them; of another message, that its body can be read. Raises
    `Malformed`."""
    match message.msg_id:
        case jt808.LOCATION:
            found = jt808.location(message)
            if found.trouble == ("short",):
                raise Malformed("short")
            return (found,), ()
        case jt808.BATCH:
            batch = jt808.batch(message)
            return batch.locations, batch.trouble
        case jt808.REGISTER:
            jt808.register(message)
        case jt808.AUTHENTICATE:
            jt808.authenticate(message)
        case jt808.ANSWER:
            jt808.answer(message)
    return (), ()


_TAKEN = (jt808.HEARTBEAT, jt808.LOGOUT, jt808.AUTHENTICATE, jt808.LOCATION, jt808.BATCH)


def _answered(message: Message, now: datetime) -> str | None:
    """The frame that a server answers with, which knows the terminal; as the first that it says (serial 0). The code in the
    answer to a registration is an example: a server makes one of its own."""
    if message.msg_id == jt808.ANSWER or message.msg_id >= 0x8000:  # answers are not answered, nor what a platform says
        return None
    if message.msg_id == jt808.REGISTER:
        return platform.reply_8100(message.peer, 0, message, platform.REGISTERED, message.phone_field.hex()).hex()
    if message.msg_id == jt808.TIME:
        return platform.time_8004(message.peer, 0, now).hex()
    result = platform.DONE if message.msg_id in _TAKEN else platform.UNSUPPORTED
    return platform.reply_8001(message.peer, 0, message, result).hex()


# -- phones ---------------------------------------------------------------------------------------------------------------


class Request(msgspec.Struct, kw_only=True):
    """A request of an app, as a line holds it. `body` may be text, or what the text is when it is JSON."""

    method: str = "POST"
    url: str = ""
    headers: dict[str, str] = {}
    body: Any = ""
    received_at: datetime | None = None

    @property
    def query(self) -> str:
        return urlsplit(self.url).query

    @property
    def sent(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else msgspec.json.encode(self.body)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


def request_line(read: Callable[[Request, datetime], Read]) -> Callable[[str, datetime], Read]:
    """A reader of lines from one of requests."""

    def line_read(line: str, now: datetime) -> Read:
        try:
            asked = msgspec.json.decode(line, type=Request)
            urlsplit(asked.url)
            at = asked.received_at or now
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return Read(error="request")
        return read(asked, at)

    return line_read


def osmand_request(asked: Request, at: datetime) -> Read:
    """Traccar Client and OsmAnd, in any of their forms."""
    try:
        message = osmand.decode(asked.method, asked.query, asked.header("content-type"), asked.sent, at)
    except osmand.MalformedMessage:
        return Read(error="no-device", reply={"status": 400})
    taken = {"device": message.device, "fixes": len(message.fixes), "trouble": message.trouble}
    return Read(
        device=message.device,
        fixes=[shown(fix) for fix in message.fixes],
        reply={"status": 200, "body": taken},
        error=message.trouble,
    )


def owntracks_request(asked: Request, at: datetime) -> Read:
    """OwnTracks over HTTP. The device is who shows a name and a key (HTTP Basic, or in the address); without them, whom the
    message claims to be from: a server of ours would not believe that. A region is taken for one of our stations."""
    del at  # each message has a time of its own
    device = _claimed(asked)
    messages = owntracks.decode(device, asked.sent)
    fixes = []
    for message in messages:
        if message.fix is not None:
            region = message.rid or message.desc
            crossing = f"{message.event} {region}" if message.event and region else ""
            fixes.append(shown(msgspec.structs.replace(message.fix, crossing=crossing)))
    lost = [number for number, each in enumerate(messages, 1) if each.trouble]
    return Read(
        device=device or None,
        fixes=fixes,
        reply={"status": 200, "body": []} if device else {"status": 401},
        error=next((each.trouble for each in messages if each.trouble), ""),
        lost=lost if len(messages) > 1 else [],
    )


def _claimed(asked: Request) -> str:
    shown_by = owntracks.basic(asked.header("authorization"))[0] or urlsplit(asked.url).username or asked.header("x-limit-u")
    if shown_by:
        return shown_by
    try:
        said = msgspec.json.decode(asked.sent, type=_Claims)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return said.topic or said.tid


class _Claims(msgspec.Struct):
    topic: str = ""
    tid: str = ""


# How a line of each format is read: its text and the time it counts as received (when it says none itself).
FORMATS: dict[str, Callable[[str, datetime], Read]] = {
    "jt808": jt808_line,
    "osmand": request_line(osmand_request),
    "owntracks": request_line(owntracks_request),
}
