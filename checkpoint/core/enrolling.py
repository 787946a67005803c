"""What the QR code of a kiosk's enrolment says: where the server is, and the token that works there once.

The text is `CE1` and base32 (RFC 4648 upper case, no padding) of `address#token` in UTF-8, so that a hand scanner types it
right under any keyboard. What a person pastes may also be `address#token` itself, or the token alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

PREFIX = "CE1"
MAX_CHARS = 600
_WRITTEN = re.compile(r"(https?://[^\s#]+)#(\S+)", re.IGNORECASE)
_HEX = re.compile(r"[0-9A-F]{32}")


class NoEnrolment(ValueError):
    """The text says neither a server nor a token."""


class Enrolment(NamedTuple):
    """A server's address, empty where the text did not say it, and the token."""

    server: str
    token: str


def code(server: str, token: str) -> str:
    """The text of the QR code."""
    packed = base64.b32encode(f"{server.rstrip('/')}#{token}".encode()).decode()
    return PREFIX + packed.rstrip("=")


def begins(text: str) -> bool:
    """Whether a text is meant for an enrolment, whole or torn."""
    return text.strip().upper().startswith(PREFIX)


def is_code(text: str) -> bool:
    """Whether a text says both server and token."""
    try:
        return bool(read(text).server)
    except NoEnrolment:
        return False


def read(text: str) -> Enrolment:
    """What was scanned, pasted or typed. Raises `NoEnrolment`."""
    said = text.strip()
    if not said or len(said) > MAX_CHARS or not said.isprintable() or " " in said:
        raise NoEnrolment("one token wanted")
    if begins(said):
        said = _unpacked(said.upper().removeprefix(PREFIX))
        if _WRITTEN.fullmatch(said) is None:
            raise NoEnrolment("half a code")
    written = _WRITTEN.fullmatch(said)
    if written is not None:
        return Enrolment(written[1].rstrip("/"), written[2])
    # A hand scanner types capitals; our tokens are hexadecimal digits, and small.
    return Enrolment("", said.lower() if _HEX.fullmatch(said) else said)


def _unpacked(packed: str) -> str:
    try:
        return base64.b32decode(packed + "=" * (-len(packed) % 8)).decode()
    except (binascii.Error, ValueError):
        raise NoEnrolment("half a code") from None
