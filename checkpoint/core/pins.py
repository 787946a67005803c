"""Short secrets that people remember: a staff member's PIN at a kiosk, sealed so that it can be checked with no network.

What is kept is `scrypt:<log2 n>:<r>:<p>:<salt hex>:<hash hex>`. The salt is passed in, so that nothing here is random.
A four-digit PIN falls to whoever holds the sealed text and a day's computing: scrypt makes that cost something, the PIN is
only ever good at a kiosk that is enrolled, and every action it opens names who did it. That is all that is claimed for it.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

SALT_BYTES = 16
MIN_PIN_DIGITS, MAX_PIN_DIGITS = 4, 12
_HASH_BYTES = 32
# 16 MiB and some 40 ms on a kiosk's small processor: a queue does not notice, a guesser does.
_LOG2_N, _R, _P = 14, 8, 1
# What is read from a list may ask for more work than ours, but not for all the memory of the machine.
_MAX_LOG2_N, _MAX_R, _MAX_P = 17, 16, 4


class UnfitPin(ValueError):
    """The text cannot serve as a PIN."""


def normal(pin: str) -> str:
    """A PIN as it is compared: digits of any width a Chinese input method types, folded to ASCII. Raises `UnfitPin`.

    4 to 12 digits; all the same digit is refused.
    """
    digits = unicodedata.normalize("NFKC", pin).strip()
    if not digits.isascii() or not digits.isdecimal() or not MIN_PIN_DIGITS <= len(digits) <= MAX_PIN_DIGITS:
        raise UnfitPin(f"{MIN_PIN_DIGITS} to {MAX_PIN_DIGITS} digits wanted")
    if len(set(digits)) == 1:
        raise UnfitPin("not the same digit all along")
    return digits


def seal(pin: str, salt: bytes) -> str:
    """The text to keep in place of a PIN. `salt` is 16 random bytes, new for every PIN. Raises `UnfitPin`."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt of {SALT_BYTES} bytes wanted")
    return f"scrypt:{_LOG2_N}:{_R}:{_P}:{salt.hex()}:{_hash(normal(pin), salt, _LOG2_N, _R, _P).hex()}"


def fits(pin: str, sealed: str) -> bool:
    """Whether this PIN was sealed in this text. A text that is no seal fits nothing; the time taken tells nothing."""
    try:
        scheme, log2_n, r, p, salt, wanted = sealed.split(":")
        work = int(log2_n), int(r), int(p)
        kept, wanted_hash = bytes.fromhex(salt), bytes.fromhex(wanted)
        typed = normal(pin)
    except ValueError:
        return False
    sane = 1 <= work[0] <= _MAX_LOG2_N and 1 <= work[1] <= _MAX_R and 1 <= work[2] <= _MAX_P
    if scheme != "scrypt" or not sane or len(wanted_hash) != _HASH_BYTES:
        return False
    return hmac.compare_digest(_hash(typed, kept, *work), wanted_hash)


def _hash(pin: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    memory_bytes = 128 * r * ((1 << log2_n) + p + 2)
    return hashlib.scrypt(pin.encode(), salt=salt, n=1 << log2_n, r=r, p=p, maxmem=memory_bytes, dklen=_HASH_BYTES)
