"""A badge: the card with which a member of staff signs on at a kiosk, checked with no network.

The text in its QR code is `CB1` and base32 (RFC 4648 upper case, no padding) of 20 random bytes, so that a hand scanner types
it right under any keyboard, and nobody takes it for a pass (`CP1`) or the other way round. What is kept of it, here and at
every kiosk, is `sha256:<hex>`: a secret of 160 bits needs no slow hash, as a PIN does; whoever holds the list cannot make the
card from it. A badge is made with entropy that is passed in, shown once to be printed, and forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

PREFIX = "CB1"
SECRET_BYTES = 20
_TEXT = re.compile(r"CB1[A-Z2-7]{32}")


def make(secret: bytes) -> str:
    """The text of a new badge from 20 random bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret of {SECRET_BYTES} bytes wanted")
    return PREFIX + base64.b32encode(secret).decode()


def begins(text: str) -> bool:
    """Whether a text is meant for a badge, whole or torn."""
    return text.strip().upper().startswith(PREFIX)


def normal(text: str) -> str | None:
    """A whole badge's text as it is compared; None when it is none, or a part of one."""
    found = text.strip().upper()
    return found if _TEXT.fullmatch(found) else None


def seal(text: str) -> str:
    """What is kept in place of a badge. Raises `ValueError` when the text is no badge."""
    badge = normal(text)
    if badge is None:
        raise ValueError("a badge's text wanted")
    return f"sha256:{hashlib.sha256(badge.encode()).hexdigest()}"


def fits(text: str, sealed: str) -> bool:
    """Whether this is the badge that was sealed. A text that is no seal fits nothing."""
    badge = normal(text)
    return badge is not None and sealed.startswith("sha256:") and hmac.compare_digest(seal(badge).encode(), sealed.encode())
