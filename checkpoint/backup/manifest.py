"""What a backup says of itself, under the stamp of the installation.

The law of this file: a manifest is believed for its stamp alone, made with a key that is not in the backup; the files are
believed for their hashes in it. Whatever is wrong is said by name (`Unusable`), each with what to do about it.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from checkpoint.store.copying import Survey
from checkpoint.store.keys import Keys

FORMAT = 1
FILE = "manifest.json"
_PORTION = 1 << 20


class Unusable(Exception):
    """This is no backup that can be used. `why` ends a catalogue key, `backup.unusable.<why>`; `values` fill it in."""

    def __init__(self, why: str, **values: object) -> None:
        self.why, self.values = why, values
        super().__init__(f"{why} {values}")


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup: its name, size and SHA-256, and those of what comes out when it is unpacked."""

    name: str
    size: int
    sha256: str
    whole_size: int
    whole_sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `stamp` (hex) is over all the rest."""

    format: int
    program: str
    taken_at: datetime
    database: Literal["sqlite", "postgresql"]
    file: Packed
    held: Survey
    stamp: str = ""

    def body(self) -> bytes:
        """What is stamped."""
        return msgspec.json.encode(msgspec.structs.replace(self, stamp=""))

    @property
    def digest(self) -> str:
        """The manifest's own SHA-256, hex: how the record names the backup it was brought back from."""
        return hashlib.sha256(self.body()).hexdigest()


class _Form(msgspec.Struct):
    format: int = 0


def stamped(manifest: Manifest, keys: Keys) -> Manifest:
    """The manifest under its stamp."""
    return msgspec.structs.replace(manifest, stamp=keys.stamp("backup", manifest.body()).hex())


def read(backup: Path) -> Manifest:
    """The manifest of a backup, not yet believed. Raises `Unusable`."""
    try:
        text = (backup / FILE).read_bytes()
        if msgspec.json.decode(text, type=_Form).format > FORMAT:
            raise Unusable("newer", backup=str(backup))
        return msgspec.json.decode(text, type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise Unusable("none", backup=str(backup)) from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        raise Unusable("altered", backup=str(backup), file=FILE) from None


def believe(backup: Path, manifest: Manifest, keys: Keys, newest_schema: int) -> None:
    """Raise `Unusable` unless this installation's key stamped the manifest, we know its schema, and its file is what it says."""
    if not any(version.mark("check", "").hex() == manifest.held.key_mark for version in keys.versions):
        raise Unusable("foreign", backup=str(backup))
    made = (proof.stamp("backup", manifest.body()).hex() for proof in keys.proving)
    if not any(hmac.compare_digest(each.encode(), manifest.stamp.encode()) for each in made):
        raise Unusable("altered", backup=str(backup), file=FILE)
    if manifest.held.schema > newest_schema:
        raise Unusable("newer", backup=str(backup))
    packed = backup / manifest.file.name
    if not packed.is_file():
        raise Unusable("torn", backup=str(backup), file=manifest.file.name)
    if packed.stat().st_size != manifest.file.size:
        raise Unusable("torn", backup=str(backup), file=manifest.file.name)
    if hash_of(packed) != manifest.file.sha256:
        raise Unusable("altered", backup=str(backup), file=manifest.file.name)


def hash_of(path: Path) -> str:
    """A file's SHA-256, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while portion := file.read(_PORTION):
            digest.update(portion)
    return digest.hexdigest()
