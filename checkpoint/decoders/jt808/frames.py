"""JT/T 808 on the wire: frames between `7e` flags, two bytes escaped, one byte of checksum (section 4 of each edition).

The law of this file: it knows bytes only, and keeps no more of them than one frame can be long. A flag is a delimiter:
frames may touch, share a flag or come in halves, and whatever a line's noise does to one frame, the next is read.
"""

from __future__ import annotations

FLAG = b"\x7e"
BODY_MAX = 1023  # ten bits of the header say how long a body is
_HEADER_MAX = 21  # 2019, a fragment
WIRE_MAX = 2 * (_HEADER_MAX + BODY_MAX + 1)  # every byte of it escaped


class Malformed(ValueError):
    """What was received is not as the standard has it. `word` says what is wrong, for machines.

    `checksum`, `escape`, `short` (ends too early), `length` (another than the header says), `fragment` (no such number),
    `enciphered` (the body; no key was agreed), `kind` (a body asked for that the message does not have).
    """

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Splitter:
    """Cuts what a connection delivers into frames: what is between two flags, still escaped.

    `overlong` counts frames that were dropped because they exceeded what a frame can be, `stray` the bytes that came before
    the first flag. Holds at most `WIRE_MAX` bytes between two calls.
    """

    def __init__(self) -> None:
        self.overlong = 0
        self.stray = 0
        self._rest = b""
        self._begun = False
        self._dropping = False

    @property
    def held(self) -> int:
        """Bytes of a frame that has not ended yet."""
        return len(self._rest)

    def feed(self, received: bytes) -> list[bytes]:
        if not self._begun:
            at = received.find(FLAG)
            if at < 0:
                self.stray += len(received)
                return []
            self.stray += at
            received = received[at:]
            self._begun = True
        *ended, rest = received.split(FLAG)
        frames = []
        for piece in ended:
            if self._dropping or len(self._rest) + len(piece) > WIRE_MAX:
                self.overlong += 1
            elif self._rest or piece:
                frames.append(self._rest + piece)
            self._rest, self._dropping = b"", False
        if self._dropping or len(self._rest) + len(rest) > WIRE_MAX:
            self._rest, self._dropping = b"", True
        else:
            self._rest += rest
        return frames


def checksum(data: bytes) -> int:
    """All bytes exclusive-ored; folded in halves, a long number at a time."""
    folded, width = int.from_bytes(data, "big"), 1 << (max(len(data), 1) - 1).bit_length()
    while width > 1:
        width >>= 1
        folded ^= folded >> (8 * width)
    return folded & 0xFF


def escape(data: bytes) -> bytes:
    return data.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02")


def unescape(frame: bytes) -> bytes:
    """What was between the flags as its sender had it. Raises `Malformed`."""
    if b"\x7d" not in frame:
        return frame
    if frame.count(b"\x7d") != frame.count(b"\x7d\x01") + frame.count(b"\x7d\x02"):
        raise Malformed("escape")
    return frame.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")


def opened(frame: bytes) -> bytes:
    """Header and body of a frame: unescaped, then verified. Raises `Malformed`."""
    data = unescape(frame)
    if checksum(data):  # with its own checksum at the end a whole frame comes to naught
        raise Malformed("checksum")
    return data[:-1]


def sealed(data: bytes) -> bytes:
    """A frame for the wire from header and body: checksum, escapes, flags."""
    return FLAG + escape(data + bytes((checksum(data),))) + FLAG
