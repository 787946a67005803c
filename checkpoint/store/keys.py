"""The one secret of an installation, and what is made from it.

A file beside the database (`master.key`, readable by its owner only) holds 32 random bytes; it is never in the database,
so that a copy of the database alone tells no name and forges no row. Its keys are derived from it (HKDF-SHA256):
one encrypts (AES-256-GCM, bound to the place the value stands in), one makes lookup marks for values that must be
found without being read (HMAC), one seals the ledger's rows. What leaves the house and may come back is stamped with keys
of their own (HMAC), one a purpose: they outlive the loss of the database, as the key file does.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "master.key"
_NONCE_BYTES = 12
# What is stamped: facts told to kiosks, manifests of backups.
STAMPS = ("told", "backup")


class WrongKey(RuntimeError):
    """The key file does not belong to this database, is missing beside a database in use, or can be read by others."""


class Keys:
    """Encrypts, marks and seals with keys derived from the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(_derived(secret, b"registry"))
        self._lookup = _derived(secret, b"lookup")
        self._seal = _derived(secret, b"ledger")
        self._stamps = {purpose: _derived(secret, purpose.encode()) for purpose in STAMPS}

    def encrypt(self, text: str, place: str) -> bytes:
        """A text as it is kept at rest. `place` (table, column and row) is bound in: it opens nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())

    def decrypt(self, data: bytes, place: str) -> str:
        """The text that `encrypt` was given for this place. Raises `WrongKey`."""
        try:
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()).decode()
        except InvalidTag:
            raise WrongKey(f"what is kept at {place} was not encrypted with this key, or was altered") from None

    def mark(self, kind: str, text: str) -> bytes:
        """The mark by which a value is found again without being readable, 32 bytes."""
        return hmac.digest(self._lookup, f"{kind}\x1f{text}".encode(), "sha256")

    def seal(self, data: bytes) -> bytes:
        """The seal over a ledger row, 16 bytes: nobody without the key file writes a row that verifies."""
        return hmac.digest(self._seal, data, "sha256")[:16]

    def stamp(self, purpose: str, data: bytes) -> bytes:
        """The stamp, 32 bytes, under something that leaves this house and may be shown to it again: nobody else makes one."""
        return hmac.digest(self._stamps[purpose], data, "sha256")


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"checkpoint " + purpose).derive(secret)


def load(folder: Path, create: bool) -> Keys:
    """The keys of an installation. A new key file is written only when `create` says that the database is new."""
    path = folder / KEY_FILE
    if create and not path.exists():
        _write_new(path)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise WrongKey(f"{KEY_FILE} can be read by others: chmod 600 it")
        return Keys(bytes.fromhex(path.read_text().strip()))
    except FileNotFoundError:
        raise WrongKey(f"{KEY_FILE} is missing beside the database: put it back from the backup") from None
    except ValueError:
        raise WrongKey(f"{KEY_FILE} does not hold 64 hex digits") from None


def _write_new(path: Path) -> None:
    """Write a new key, whole or not at all. When somebody else made one a moment ago, theirs is the key."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
