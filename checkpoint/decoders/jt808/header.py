"""The header of a JT/T 808 message: who says what, in which edition of the standard, and which part of it this is.

Bit 14 of the attributes tells 2019 from the editions before. 2011 and 2013 have one header; only a registration's layout
tells them apart (`bodies.register`), so a message that is not of 2019 is read as one of 2013 unless the caller knows better.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal

import msgspec

from checkpoint.decoders.jt808.frames import BODY_MAX, Malformed, opened, sealed

Edition = Literal["2011", "2013", "2019"]
_START = Struct(">HH")
_WORD = Struct(">H")
_PARTS = Struct(">HH")
_LENGTH, _FRAGMENTED, _2019 = 0x03FF, 1 << 13, 1 << 14


class Peer(msgspec.Struct, frozen=True):
    """A terminal as it is written to: in its edition, with its number as it writes that itself."""

    edition: Edition
    phone_field: bytes


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a terminal, or one fragment of it (`total` above 1; `number` from 1).

    `phone` is the terminal's identity: the digits without the zeros that fill the field up. `encryption` is not 0 when the
    body is enciphered. `fragments` is how many a message was put together from, `marks` tells each of them from another with its
    number, in this process.
    """

    msg_id: int
    version: Edition
    phone: str
    phone_field: bytes
    serial: int
    body: bytes
    total: int = 1
    number: int = 1
    encryption: int = 0
    fragments: int = 1
    marks: tuple[int, ...] = ()

    @property
    def fragment(self) -> bool:
        return self.total > 1

    @property
    def peer(self) -> Peer:
        return Peer(self.version, self.phone_field)


def parse(frame: bytes, edition: Edition = "2013") -> Message:
    """Read what is between two flags. Raises `Malformed`. `edition` is the terminal's, as far as it has not the mark of 2019."""
    data = opened(frame)
    if len(data) < 12:
        raise Malformed("short")
    msg_id, attributes = _START.unpack_from(data)
    version: Edition = edition if edition != "2019" else "2013"
    at, phone_end = 4, 10
    if attributes & _2019:
        version, at, phone_end = "2019", 5, 15
    body_at = phone_end + (6 if attributes & _FRAGMENTED else 2)
    if len(data) < body_at:
        raise Malformed("short")
    if len(data) - body_at != attributes & _LENGTH:
        raise Malformed("length")
    total = number = 1
    if attributes & _FRAGMENTED:
        total, number = _PARTS.unpack_from(data, phone_end + 2)
        if not 1 <= number <= total:
            raise Malformed("fragment")
    field = data[at:phone_end]
    return Message(
        msg_id=msg_id,
        version=version,
        phone=phone(field),
        phone_field=field,
        serial=_WORD.unpack_from(data, phone_end)[0],
        body=data[body_at:],
        total=total,
        number=number,
        encryption=attributes >> 10 & 7,
    )


def phone(field: bytes) -> str:
    """The digits of the number in a header, without leading zeros.

    Some makers write the first 14 digits of an IMEI there as one binary number; its check digit is put back then.
    """
    digits = field.hex()
    if digits.isdecimal():
        return digits.lstrip("0") or "0"
    number = str(int.from_bytes(field, "big"))
    return number + _luhn(number)


def _luhn(digits: str) -> str:
    """The check digit that belongs behind the digits (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def written(peer: Peer, serial: int, msg_id: int, body: bytes) -> list[bytes]:
    """The frames of a message, ready for the wire; more than one when the body is too long for one frame.

    The serials run on from `serial`: a message of n frames takes n of them.
    """
    pieces = [body[at : at + BODY_MAX] for at in range(0, len(body), BODY_MAX)] or [b""]
    if len(pieces) > 0xFFFF:
        raise ValueError("the body is longer than a message can be")
    fragmented = _FRAGMENTED if len(pieces) > 1 else 0
    frames = []
    for index, piece in enumerate(pieces):
        if peer.edition == "2019":
            head = _START.pack(msg_id, len(piece) | fragmented | _2019) + b"\x01"
        else:
            head = _START.pack(msg_id, len(piece) | fragmented)
        head += peer.phone_field + _WORD.pack((serial + index) & 0xFFFF)
        if fragmented:
            head += _PARTS.pack(len(pieces), index + 1)
        frames.append(sealed(head + piece))
    return frames
