"""What the platform says to a JT/T 808 terminal: whole frames, escaped and sealed, in the terminal's own edition.

`peer` is `Message.peer` of what the terminal said last; `serial` is ours. What may need several frames gives a list, and
takes as many serials in a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from struct import Struct

from checkpoint.decoders.jt808.header import Message, Peer, written

DONE, FAILED, BAD, UNSUPPORTED, ALARM_HANDLED = range(5)  # results of 0x8001
REGISTERED, VEHICLE_TAKEN, NO_VEHICLE, TERMINAL_TAKEN, NO_TERMINAL = range(5)  # results of 0x8100
_REPLY = Struct(">HHB")
_REGISTERED = Struct(">HB")
_DWORD = Struct(">I")


def reply_8001(peer: Peer, serial: int, to: Message, result: int = DONE) -> bytes:
    """The general answer to `to`."""
    return written(peer, serial, 0x8001, _REPLY.pack(to.serial, to.msg_id, result))[0]


def reply_8100(peer: Peer, serial: int, to: Message, result: int, code: str = "") -> bytes:
    """The answer to a registration; the code it has to authenticate with goes only with `REGISTERED`."""
    given = code.encode("gbk") if result == REGISTERED else b""
    return written(peer, serial, 0x8100, _REGISTERED.pack(to.serial, result) + given)[0]


def ask_8003(peer: Peer, serial: int, first_serial: int, numbers: Sequence[int]) -> bytes:
    """Ask for the fragments of these numbers again, of the message whose first fragment had `first_serial`.

    At most 255 before 2019, where the count is one byte; more are left for the next asking.
    """
    wide = peer.edition == "2019"
    asked = numbers[: 509 if wide else 255]
    count = len(asked).to_bytes(2 if wide else 1, "big")
    body = first_serial.to_bytes(2, "big") + count + b"".join(number.to_bytes(2, "big") for number in asked)
    return written(peer, serial, 0x8003, body)[0]


def time_8004(peer: Peer, serial: int, now: datetime) -> bytes:
    """The answer to a request for the time: UTC, unlike the times of positions."""
    return written(peer, serial, 0x8004, _bcd(now.astimezone(UTC)))[0]


def parameters_8103(peer: Peer, serial: int, values: Mapping[int, int | str]) -> list[bytes]:
    """Set parameters: a number is a DWORD, a text a STRING. (0x0001 heartbeat s, 0x0020 strategy, 0x0029 interval s, 0x002C
    distance m, 0x0030 corner degrees, 0x0055 highest speed km/h.)"""
    if len(values) > 255:
        raise ValueError("at most 255 parameters in one message")
    body = bytes((len(values),))
    for parameter, value in values.items():
        content = value.encode("gbk") if isinstance(value, str) else _DWORD.pack(value)
        if len(content) > 255:
            raise ValueError(f"parameter {parameter:#06x}: at most 255 bytes")
        body += _DWORD.pack(parameter) + bytes((len(content),)) + content
    return written(peer, serial, 0x8103, body)


def _bcd(at: datetime) -> bytes:
    return bytes.fromhex(at.strftime("%y%m%d%H%M%S"))
