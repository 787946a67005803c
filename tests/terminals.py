"""A truck's terminal as JT/T 808 has it speak, in each edition: what tests send and fuzzers begin with.

Written from the tables of the standard, apart from the decoder: what both of them misread would be misread here, too, so the
layouts are spelled out byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from checkpoint.decoders.jt808.header import Edition, Peer, written

EDITIONS: tuple[Edition, ...] = ("2011", "2013", "2019")


class Terminal:
    """One terminal: it numbers its messages itself. Each method gives the frames of one message."""

    def __init__(self, phone: str = "13912345678", edition: Edition = "2013", serial: int = 0) -> None:
        self.phone, self.edition, self.serial = phone, edition, serial
        self.peer = Peer(edition, bytes.fromhex(phone.zfill(20 if edition == "2019" else 12)))

    def say(self, msg_id: int, body: bytes = b"") -> list[bytes]:
        frames = written(self.peer, self.serial, msg_id, body)
        self.serial = (self.serial + len(frames)) & 0xFFFF
        return frames

    def register(self, plate: str = "浙CX1234", *, maker: str = "70111", model: str = "BD-7", colour: int = 2) -> list[bytes]:
        widths = {"2011": (5, 8, 7), "2013": (5, 20, 7), "2019": (11, 30, 30)}[self.edition]
        named = (maker, model, "T123456")
        fields = b"".join(text.encode("gbk").ljust(width, b"\0") for text, width in zip(named, widths, strict=True))
        return self.say(0x0100, bytes.fromhex("0021012c") + fields + bytes((colour,)) + plate.encode("gbk"))

    def authenticate(self, code: str, *, imei: str = "861234567890123", software: str = "V1.2.3") -> list[bytes]:
        said = code.encode("gbk")
        if self.edition == "2019":
            said = bytes((len(said),)) + said + imei.encode().ljust(15, b"\0") + software.encode().ljust(20, b"\0")
        return self.say(0x0102, said)

    def heartbeat(self) -> list[bytes]:
        return self.say(0x0002)

    def locate(self, body: bytes) -> list[bytes]:
        return self.say(0x0200, body)

    def resend(self, bodies: Sequence[bytes], *, blind: bool = True) -> list[bytes]:
        """0x0704; longer than one frame: in fragments."""
        items = b"".join(len(body).to_bytes(2, "big") + body for body in bodies)
        return self.say(0x0704, len(bodies).to_bytes(2, "big") + bytes((blind,)) + items)

    def answer(self, serial: int, msg_id: int, result: int = 0) -> list[bytes]:
        return self.say(0x0001, serial.to_bytes(2, "big") + msg_id.to_bytes(2, "big") + bytes((result,)))


def place(
    at: datetime,
    lat: float,
    lon: float,
    *,
    speed_kmh: float = 0.0,
    course_deg: int = 0,
    altitude_m: int = 0,
    alarms: int = 0,
    status: int = 0b11,
    items: Mapping[int, bytes] | None = None,
) -> bytes:
    """The body of 0x0200: where it is, in WGS-84; `status` without the bits of south and west."""
    status |= (1 << 2 if lat < 0 else 0) | (1 << 3 if lon < 0 else 0)
    body = alarms.to_bytes(4, "big") + status.to_bytes(4, "big")
    body += round(abs(lat) * 1e6).to_bytes(4, "big") + round(abs(lon) * 1e6).to_bytes(4, "big")
    body += altitude_m.to_bytes(2, "big", signed=True) + round(speed_kmh * 10).to_bytes(2, "big")
    body += course_deg.to_bytes(2, "big") + bytes.fromhex((at + timedelta(hours=8)).strftime("%y%m%d%H%M%S"))
    return body + b"".join(bytes((id_, len(content))) + content for id_, content in (items or {}).items())
