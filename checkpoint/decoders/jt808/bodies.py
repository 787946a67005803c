"""What a JT/T 808 terminal says beside where it is: it registers, authenticates, answers. Strings are GBK.

`register` is where 2011 and 2013 part: their headers are the same, their registrations are not.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from checkpoint.decoders.jt808.frames import Malformed
from checkpoint.decoders.jt808.header import Edition, Message

ANSWER, HEARTBEAT, LOGOUT, TIME, REGISTER, AUTHENTICATE = 0x0001, 0x0002, 0x0003, 0x0004, 0x0100, 0x0102
_WORDS = Struct(">HH")
_ANSWER = Struct(">HHB")

# Edition -> how many bytes maker, model and terminal's id have.
_REGISTRATION: dict[Edition, tuple[int, int, int]] = {"2011": (5, 8, 7), "2013": (5, 20, 7), "2019": (11, 30, 30)}
_2011_LONGEST = 36  # a longer registration under the old header is one of 2013
_IMEI, _SOFTWARE = 15, 20


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """0x0100. `plate` is the vehicle's own number (VIN) when `plate_colour` is 0. `version` is the terminal's edition."""

    version: Edition
    province: int
    city: int
    maker: str
    model: str
    terminal_id: str
    plate_colour: int
    plate: str


class Authentication(msgspec.Struct, frozen=True, kw_only=True):
    """0x0102: the code that a registration was answered with; terminals of 2019 add who they are."""

    code: str
    imei: str = ""
    software: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """0x0001: to our message `msg_id` with our serial. `result`: 0 done, 1 failed, 2 not understood, 3 not supported."""

    serial: int
    msg_id: int
    result: int


def register(message: Message) -> Registration:
    """Raises `Malformed`, as all here do, when the body is too short, a fragment, enciphered, or another message's."""
    body = read(message, REGISTER, 25)
    version: Edition = message.version
    if version != "2019":
        version = "2011" if len(body) <= _2011_LONGEST or _vehicle_of_2011(body) else "2013"
    maker, model, terminal_id = _REGISTRATION[version]
    colour_at = 4 + maker + model + terminal_id
    if len(body) <= colour_at:
        raise Malformed("short")
    province, city = _WORDS.unpack_from(body)
    return Registration(
        version=version,
        province=province,
        city=city,
        maker=text(body[4 : 4 + maker]),
        model=text(body[4 + maker : 4 + maker + model]),
        terminal_id=body[colour_at - terminal_id : colour_at].decode("latin-1").strip("\0 "),  # bytes, not a STRING
        plate_colour=body[colour_at],
        plate=text(body[colour_at + 1 :]),
    )


def _vehicle_of_2011(body: bytes) -> bool:
    """A vehicle's own number of 17 letters and digits where 2011 has the plate: as one of 2013 it would name a colour that is a
    letter or digit, which none is."""
    number = body[25:]
    return len(number) == 17 and number.isascii() and number.isalnum()


def authenticate(message: Message) -> Authentication:
    if message.version != "2019":
        return Authentication(code=text(read(message, AUTHENTICATE, 1)))
    body = read(message, AUTHENTICATE, 1)
    imei_at = 1 + body[0]
    if len(body) < imei_at:
        raise Malformed("short")
    software_at = imei_at + _IMEI
    return Authentication(
        code=text(body[1:imei_at]),
        imei=text(body[imei_at:software_at]),
        software=text(body[software_at : software_at + _SOFTWARE]),
    )


def answer(message: Message) -> Answer:
    serial, msg_id, result = _ANSWER.unpack_from(read(message, ANSWER, _ANSWER.size))
    return Answer(serial=serial, msg_id=msg_id, result=result)


def read(message: Message, msg_id: int, least: int) -> bytes:
    """The body, when it can be read as that of `msg_id` and has so many bytes. Raises `Malformed`."""
    if message.msg_id != msg_id:
        raise Malformed("kind")
    if message.fragment:
        raise Malformed("fragment")
    if message.encryption:
        raise Malformed("enciphered")
    if len(message.body) < least:
        raise Malformed("short")
    return message.body


def text(field: bytes) -> str:
    """A string without what fills its field up. GB 18030 reads all that GBK does, and the characters of newer plates."""
    return field.decode("gb18030", "replace").strip("\0 ")
