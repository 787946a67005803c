"""The key file, for a safe: encrypted with a passphrase, so that it may be kept where others have access.

The law of this file: a backup without the key is unreadable, and the key without a backup is nothing; whoever has both has
everything. So the two are kept apart, and the key alone leaves the house in this form only.

The passphrase becomes a key by scrypt (N 2^17, r 8, p 1: 128 MiB, half a second), which encrypts with AES-256-GCM.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from checkpoint.store.copying import sync

MIN_CHARS = 12
_KIND: Literal["checkpoint-key"] = "checkpoint-key"


class WrongPassphrase(ValueError):
    """The passphrase does not open this file, or the file was altered."""


class _Locked(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["checkpoint-key"]
    format: Literal[1]
    salt: str
    nonce: str
    locked: str


def lock(key_file: Path, passphrase: str, entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """The key file's contents under a passphrase, as JSON."""
    salt, nonce = entropy(16), entropy(12)
    locked = _cipher(passphrase, salt).encrypt(nonce, key_file.read_bytes(), _KIND.encode())
    form = _Locked(kind=_KIND, format=1, salt=salt.hex(), nonce=nonce.hex(), locked=locked.hex())
    return msgspec.json.format(msgspec.json.encode(form), indent=2) + b"\n"


def is_locked(path: Path) -> bool:
    """Whether a file is a key under a passphrase."""
    return _read(path.read_bytes()) is not None


def unlock(path: Path, passphrase: str, to: Path) -> None:
    """Write the key file that `lock` was given. Raises `WrongPassphrase`."""
    form = _read(path.read_bytes())
    try:
        if form is None:
            raise WrongPassphrase(str(path))
        cipher = _cipher(passphrase, bytes.fromhex(form.salt))
        secret = cipher.decrypt(bytes.fromhex(form.nonce), bytes.fromhex(form.locked), _KIND.encode())
    except (InvalidTag, ValueError):
        raise WrongPassphrase(str(path)) from None
    write_new(to, secret)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, where none is. Raises `FileExistsError`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def _read(data: bytes) -> _Locked | None:
    try:
        return msgspec.json.decode(data, type=_Locked)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase.encode()))
