"""Signatures after the Standard Webhooks specification: whoever holds the secret can tell that an event is ours and whole.

The law of this file: what is signed is `id.timestamp.body`, with HMAC-SHA256 and the secret's bytes; a signature is `v1,` and
base64. While a secret is being renewed there are two, the new one first, with a space between. A receiver refuses a timestamp
that is more than five minutes off and an id that it has seen: then nothing that somebody recorded can be played again.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

BEGINS_WITH = "whsec_"
SECRET_BYTES = 32
TOLERANCE = timedelta(minutes=5)
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def secret_of(entropy: bytes) -> str:
    """A secret as its owner is shown it."""
    return BEGINS_WITH + base64.b64encode(entropy).decode()


def headers(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that an event is sent with."""
    timestamp = str(int(at.timestamp()))
    signatures = " ".join(f"v1,{_signature(secret, message_id, timestamp, body)}" for secret in secrets)
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: signatures}


def genuine(secret: str, given: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether an event with these headers (names in small letters) was signed with the secret, a moment ago."""
    timestamp = given.get(TIMESTAMP, "")
    if not timestamp.isascii() or not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    wanted = f"v1,{_signature(secret, given.get(ID, ''), timestamp, body)}"
    return any(hmac.compare_digest(each.encode(), wanted.encode()) for each in given.get(SIGNATURE, "").split(" "))


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(BEGINS_WITH))
    return base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")).decode()
