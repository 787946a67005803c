"""The one secret of an installation, in its versions, and what is made from it.

A file beside the database (`master.key`, readable by its owner only) holds 32 random bytes a version, in hex, a line each,
the newest last; it is never in the database, so that a copy of the database alone tells no name and forges no row. Its keys are
derived from it (HKDF-SHA256): one encrypts (AES-256-GCM, bound to the place the value stands in), one makes lookup marks for
values that must be found without being read (HMAC), one seals the ledger's rows. What leaves the house and may come back is
stamped with keys of their own (HMAC), one a purpose: they outlive the loss of the database, as the key file does.

The newest version encrypts, marks, seals and stamps; every version opens and proves what it once made. Of a version that was
dropped only the keys that prove stay in the file (a line that begins with `left`): it reads no name any more.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "master.key"
_NONCE_BYTES = 12
_LEFT = "left"
# What is stamped: facts told to kiosks, manifests of backups.
STAMPS = ("told", "backup")


class WrongKey(RuntimeError):
    """The key file does not belong to this database, is missing beside a database in use, or can be read by others."""


class Proof:
    """What a version of the secret can prove: seals and stamps. All that stays of one that was dropped."""

    def __init__(self, seal: bytes, stamps: Sequence[bytes]) -> None:
        self._seal = seal
        self._stamps = dict(zip(STAMPS, stamps, strict=True))

    def seal(self, data: bytes) -> bytes:
        """The seal over a ledger row, 16 bytes: nobody without the key file writes a row that verifies."""
        return hmac.digest(self._seal, data, "sha256")[:16]

    def stamp(self, purpose: str, data: bytes) -> bytes:
        """The stamp, 32 bytes, under something that leaves this house and may be shown to it again: nobody else makes one."""
        return hmac.digest(self._stamps[purpose], data, "sha256")

    def line(self) -> str:
        """As the key file has it."""
        return " ".join([_LEFT, self._seal.hex(), *(stamp.hex() for stamp in self._stamps.values())])


class Version(Proof):
    """One version of the secret with all that is derived from it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("32 bytes wanted")
        super().__init__(_derived(secret, b"ledger"), [_derived(secret, purpose.encode()) for purpose in STAMPS])
        self._secret = secret
        self._cipher = AESGCM(_derived(secret, b"registry"))
        self._lookup = _derived(secret, b"lookup")

    @property
    def name(self) -> str:
        """What people call this version: eight hex digits that tell nothing of it."""
        return self.mark("check", "").hex()[:8]

    def line(self) -> str:
        """As the key file has it."""
        return self._secret.hex()

    def proof(self) -> Proof:
        """What stays when this version is dropped."""
        return Proof(self._seal, list(self._stamps.values()))

    def lock(self, data: bytes, place: str) -> bytes:
        """Bytes as they are kept at rest."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place.encode())

    def unlocked(self, data: bytes, place: str) -> bytes | None:
        """The bytes that were locked with this version for this place, or None."""
        try:
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):  # too short to be locked is not locked
            return None

    def opened(self, data: bytes, place: str) -> str | None:
        """The text that was encrypted with this version for this place, or None."""
        found = self.unlocked(data, place)
        return found.decode() if found is not None else None

    def mark(self, kind: str, text: str) -> bytes:
        """The mark of a value, 32 bytes."""
        return hmac.digest(self._lookup, f"{kind}\x1f{text}".encode(), "sha256")


class Keys:
    """Encrypts, marks and seals with the newest version of the secret; opens and proves with every one."""

    def __init__(self, *secrets_: bytes, proofs: Sequence[Proof] = ()) -> None:
        self.versions = tuple(Version(secret) for secret in secrets_)
        self.proofs = tuple(proofs)
        self.newest = self.versions[-1]
        # The common case first.
        self._opening = self.versions[::-1]
        # Everything that can prove a seal or a stamp, the newest first.
        self.proving: tuple[Proof, ...] = (*self._opening, *self.proofs)

    def encrypt(self, text: str, place: str) -> bytes:
        """A text as it is kept at rest. `place` (table, column and row) is bound in: it opens nowhere else."""
        return self.newest.lock(text.encode(), place)

    def lock(self, data: bytes, place: str) -> bytes:
        """Bytes as they are kept at rest, bound to their place."""
        return self.newest.lock(data, place)

    def unlock(self, data: bytes, place: str) -> bytes:
        """What `lock` was given for this place; what an earlier program kept in clear is as it is. Whether it is what it was,
        seals and hashes say."""
        found = (version.unlocked(data, place) for version in self._opening)
        return next((each for each in found if each is not None), data)

    def decrypt(self, data: bytes, place: str) -> str:
        """The text that `encrypt` was given for this place. Raises `WrongKey`."""
        for version in self._opening:
            text = version.opened(data, place)
            if text is not None:
                return text
        raise WrongKey(f"what is kept at {place} was not encrypted with this key, or was altered")

    def mark(self, kind: str, text: str) -> bytes:
        """The mark by which a value is found again without being readable, 32 bytes."""
        return self.newest.mark(kind, text)

    def is_ours(self, mark: bytes, kind: str, text: str) -> bool:
        """Whether any version that is here made this mark of a value."""
        return any(hmac.compare_digest(version.mark(kind, text), mark) for version in self.versions)

    def seal(self, data: bytes) -> bytes:
        """The seal over a ledger row, 16 bytes: nobody without the key file writes a row that verifies."""
        return self.newest.seal(data)

    def stamp(self, purpose: str, data: bytes) -> bytes:
        """The stamp, 32 bytes, under something that leaves this house and may be shown to it again: nobody else makes one."""
        return self.newest.stamp(purpose, data)

    def proves(self, wanted: object, make: Callable[[Proof], bytes]) -> bool:
        """Whether any version, dropped ones included, made this seal or stamp; `make` makes it with one of them."""
        return any(make(proof) == wanted for proof in self.proving)

    def lines(self) -> list[str]:
        """The key file's lines."""
        return [*(proof.line() for proof in self.proofs), *(version.line() for version in self.versions)]


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"checkpoint " + purpose).derive(secret)


# -- the file -------------------------------------------------------------------------------------------------------------


def load(folder: Path, create: bool) -> Keys:
    """The keys of an installation. A new key file is written only when `create` says that the database is new."""
    path = folder / KEY_FILE
    if create and not path.exists():
        _write_new(path)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise WrongKey(f"{KEY_FILE} can be read by others: chmod 600 it")
        return parsed(path.read_text())
    except FileNotFoundError:
        raise WrongKey(f"{KEY_FILE} is missing beside the database: put it back from the backup") from None
    except ValueError:
        raise WrongKey(f"{KEY_FILE} does not hold 64 hex digits a line") from None


def parsed(text: str) -> Keys:
    """The keys that a key file's text holds. Raises `ValueError`."""
    found, proofs = [], []
    for line in _meant(text):
        if line.startswith(_LEFT):
            seal, *stamps = (bytes.fromhex(word) for word in line.split()[1:])
            proofs.append(Proof(seal, stamps))
        else:
            found.append(bytes.fromhex(line))
    if not found:
        raise ValueError("no version of the secret")
    return Keys(*found, proofs=proofs)


def _meant(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def with_new_version(folder: Path) -> Keys:
    """Add a new version of the secret to the key file, and read it again."""
    keys = load(folder, create=False)
    return _kept(folder, [*keys.lines(), secrets.token_hex(32)])


def without_version(folder: Path, name: str) -> Keys:
    """Drop a version that is not the newest: what it proves stays, what it opened does not. Raises `LookupError`."""
    keys = load(folder, create=False)
    dropped = next((version for version in keys.versions[:-1] if version.name == name), None)
    if dropped is None:
        raise LookupError(name)
    left = [*keys.proofs, dropped.proof(), *(version for version in keys.versions if version is not dropped)]
    return _kept(folder, [proof.line() for proof in left])


def _kept(folder: Path, lines: Sequence[str]) -> Keys:
    """Put a key file in the place of the last, whole or not at all."""
    path = folder / KEY_FILE
    draft = _drafted(path, "".join(f"{line}\n" for line in lines))
    draft.replace(path)
    _sync_folder(folder)
    return load(folder, create=False)


def _write_new(path: Path) -> None:
    """Write a new key, whole or not at all. When somebody else made one a moment ago, theirs is the key."""
    draft = _drafted(path, secrets.token_hex(32) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    _sync_folder(path.parent)


def _drafted(path: Path, text: str) -> Path:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
