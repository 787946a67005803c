"""What the kiosk's file says of people and keys is of no use without the key beside it.

A key file beside the kiosk's file (`kiosk.key`, readable by its owner only) holds 32 random bytes. Names of people and
staff, their sealed PINs and badges, and the kiosk's own keys are encrypted with it (AES-256-GCM), each bound to its place.

What that protects, and what not: a copy of `kiosk.db` alone, in a backup, a support case or on a disk whose key file was
wiped, tells no name and opens nothing. Whoever takes the whole folder, or is this machine's user, has both. Against a stolen
machine only an encrypted disk helps, and closing the kiosk at the server.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_log = logging.getLogger(__name__)

KEY_FILE = "kiosk.key"
LOCKED = "v1:"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class Unreadable(ValueError):
    """What is kept was not locked with this key, or was altered."""


class Vault:
    """Locks and unlocks texts with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def lock(self, text: str, place: str) -> str:
        """A text as it is kept; `place` (table, column, row) is bound in: it opens nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return LOCKED + base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())).decode()

    def unlock(self, kept: str, place: str) -> str:
        """The text that `lock` was given for this place. Raises `Unreadable`."""
        try:
            data = base64.b64decode(kept.removeprefix(LOCKED), validate=True)
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise Unreadable(place) from None


def open_vault(folder: Path) -> Vault:
    """The vault of a folder; its key is made at the first start. One that others can read is made its owner's own again."""
    path = folder / KEY_FILE
    if not path.exists():
        _write_new(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        # A station must not stay dark for it: what the lost key locked, the server tells again; the kiosk is enrolled anew.
        _log.error("%s does not hold 64 hex digits: a new key is made", KEY_FILE)
        path.unlink()
        _write_new(path)
        key = bytes.fromhex(path.read_text().strip())
    return Vault(key)


def _write_new(path: Path) -> None:
    """Write a new key, whole or not at all. When another process made one a moment ago, theirs is the key."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(os.urandom(_KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
