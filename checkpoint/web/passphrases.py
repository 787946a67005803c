"""Passphrases, after NIST SP 800-63B-4 (section 3.1.1.2): long, of any characters, never one that everybody knows.

The law of this file: a passphrase is normalised (NFKC) before it is counted, judged or hashed, in one place; it is long enough
by itself (15 characters) or beside a second factor (8); nothing is asked of its characters, and nobody has to change it by
the calendar. What is refused beside its length is only what can be guessed: what stands in lists of common passwords, or is
made of such words, of a row or a repetition, of this product's words or of the account's own names.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

ALONE_CHARS, BESIDE_CHARS, MOST_CHARS = 15, 8, 200
# What is looked at of that which somebody typed: it may shrink when it is normalised.
MOST_TYPED = 5 * MOST_CHARS
# Fewer guesses than that (powers of ten) are too few: an attacker who has the hash makes them in a day.
GUESSABLE, STRONG = 8.0, 14.0
_JUDGED_CHARS = 72  # what the estimate looks at, of either end: it grows with the square of the length
PRODUCT = (
    "checkpoint", "closed loop", "closedloop", "coordinator", "administrator", "laboratory", "carrier", "kiosk", "password",
    "passphrase", "bihuantong", "guanliyuan", "闭环通", "闭环",
    "指挥调度", "系统管理", "承运单位", "检测机构", "密码", "口令",
)  # fmt: skip
_HASHER = PasswordHasher()
_ESTIMATING = Lock()
# Each hash takes 64 MiB for a moment: so many at once, and the others wait.
_HASHING = BoundedSemaphore(4)


class Unfit(ValueError):
    """A passphrase that cannot be taken; `key` is the text that says why, `number` how many characters it speaks of."""

    def __init__(self, key: str, number: int = 0) -> None:
        super().__init__(key)
        self.key, self.number = key, number


def normal(text: str) -> str:
    """A passphrase as it is counted, judged and hashed: the same characters whichever keyboard typed them."""
    return unicodedata.normalize("NFKC", text)


def stands_alone(passphrase: str) -> bool:
    """Whether it is long enough to be the only proof."""
    return len(normal(passphrase)) >= ALONE_CHARS


def check(passphrase: str, names: Iterable[str], *, beside_a_factor: bool) -> None:
    """Raises `Unfit` when this may not become an account's passphrase. `names` are its own. Slow: call it in a thread."""
    text = normal(passphrase)
    least = BESIDE_CHARS if beside_a_factor else ALONE_CHARS
    if len(text) < least:
        raise Unfit("passphrase.too-short", least)
    if len(text) > MOST_CHARS:
        raise Unfit("passphrase.too-long", MOST_CHARS)
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise Unfit("passphrase.control")
    if guesses(text, names) < GUESSABLE:
        raise Unfit("passphrase.guessable")


def guesses(passphrase: str, names: Iterable[str] = ()) -> float:
    """About how many guesses find it, as a power of ten."""
    text = normal(passphrase).casefold()
    own = [*(word for name in names for word in _words(name)), *PRODUCT]
    if text in _common():
        return 0.0
    # What is left of it without the words that anybody would try first, and without what they are glued together with.
    left = text
    for word in sorted(own, key=len, reverse=True):
        left = left.replace(word.casefold(), "")
    if len(re.sub(r"[\W\d_]", "", left)) == 0 and left != text:
        return 0.0
    with _ESTIMATING:  # it keeps the words given in a table of its own, shared by all threads
        ends = {text[:_JUDGED_CHARS], text[-_JUDGED_CHARS:]}
        return max(float(zxcvbn(end, own)["guesses_log10"]) for end in ends)


def strength(passphrase: str, names: Iterable[str] = ()) -> str:
    """How strong it is, in one of four words: `short`, `weak`, `good`, `strong`."""
    if len(normal(passphrase)) < BESIDE_CHARS:
        return "short"
    power = guesses(passphrase, names)
    return "weak" if power < GUESSABLE else "strong" if power >= STRONG else "good"


def _words(name: str) -> list[str]:
    """A name and its parts, as far as they are long enough to be looked for."""
    parts = [name, *re.split(r"[\W_]+", name)]
    least = 2 if any(ord(c) > 0x2E7F for c in name) else 3
    return [part for part in parts if len(part) >= least]


@cache
def _common() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])


# -- hashes -----------------------------------------------------------------------------------------------------------


def hashed(passphrase: str) -> str:
    """A passphrase as it is kept (argon2id). Slow by intent: call it in a thread."""
    with _HASHING:
        return _HASHER.hash(normal(passphrase))


def fits(passphrase: str, held: str) -> bool:
    """Whether this is the passphrase of that hash; for none (""), as slow a no. Slow by intent: call it in a thread."""
    held_or_none = held or _nobodys()
    try:
        with _HASHING:
            return _HASHER.verify(held_or_none, normal(passphrase[:MOST_TYPED])) and bool(held)
    except (VerifyMismatchError, InvalidHashError):
        return False


def outdated(held: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(held)


@cache
def _nobodys() -> str:
    """Verified against when there is no such account, so that the time taken does not tell. Made when first asked for: it
    costs as much as it is meant to, and most starts never need it."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def readable() -> str:
    """A passphrase of 89 random bits that can be read aloud: six groups of three, no letter mistaken for another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(3)) for _ in range(6))
