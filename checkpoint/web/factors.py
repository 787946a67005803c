"""The second proof: one-time codes of an app (TOTP), and recovery codes for the day the phone is gone.

The law of this file: a code works once. A step of the clock that was used, or lies before one that was, is not taken again;
one step early or late is forgiven.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from checkpoint.store.registry import Factor, Registry

STEP_S, TOLERANCE = 30, 1
RECOVERY_CODES = 10
# How strong a proof is. A recovery code stands in for the strongest: without it, who lost a passkey could not remove it.
BY_PASSPHRASE, BY_CODE, BY_PASSKEY = 1, 2, 3
BY_RECOVERY = BY_PASSKEY
TOTP, PASSKEY = "totp", "passkey"


def strongest(kinds: Collection[str]) -> int:
    """The strongest proof that an account with these factors can give."""
    return BY_PASSKEY if PASSKEY in kinds else BY_CODE if TOTP in kinds else BY_PASSPHRASE


def new_secret() -> str:
    """The secret that an app and we share: 160 random bits, base32."""
    return pyotp.random_base32()


def address_of(secret: str, name: str, issuer: str) -> str:
    """What an app reads from the QR code."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=name, issuer_name=issuer)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Which step of the clock a code belongs to, or None when to none near now."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    totp, step = pyotp.TOTP(secret, interval=STEP_S), int(now.timestamp()) // STEP_S
    fitting = [
        near for near in range(step - TOLERANCE, step + TOLERANCE + 1) if secrets.compare_digest(totp.generate_otp(near), digits)
    ]
    return fitting[-1] if fitting else None


def code_fits(registry: Registry, factors: Collection[Factor], code: str, now: datetime) -> bool:
    """Whether a code is one of these factors' own, and use it up."""
    for factor in factors:
        if factor.kind == TOTP:
            step = step_of(factor.secret, code, now)
            if step is not None and registry.use_factor(factor.id, step):
                return True
    return False


# -- recovery codes ---------------------------------------------------------------------------------------------------


def recovery_code() -> str:
    """A code of 79 random bits that can be written down: four groups of four, no letter mistaken for another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def recovery_hash(code: str) -> str:
    """How a recovery code is kept. It is as hard to guess as a key, so that a plain hash is enough."""
    plain = "".join(c for c in code.casefold() if c.isalnum())
    return hashlib.sha256(f"recovery {plain}".encode()).hexdigest()
