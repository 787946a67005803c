"""Whether a backup can be brought back: by bringing it back, to a place where nothing depends on it.

The law of this file: what is proved is what will be used. The file is unpacked as a restore unpacks it, SQLite looks at every
page, our own walk looks at every link and seal, and the chains end where the manifest says they do.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from checkpoint.backup.manifest import Manifest, Unusable, believe, read
from checkpoint.store import Store
from checkpoint.store.copying import soundness, survey, sync
from checkpoint.store.keys import KEY_FILE, WrongKey, load
from checkpoint.store.migrations import MIGRATIONS

DATABASE = "checkpoint.db"
_PORTION = 1 << 20


def opened(backup: Path, key_file: Path, scratch: Path) -> Manifest:
    """Believe a backup and lay the key beside the place where its database will be: in `scratch`, an empty folder of ours.

    Raises `Unusable`, `WrongKey`.
    """
    manifest = read(backup)
    if not key_file.is_file():
        raise Unusable("no-key", backup=str(backup), key_file=str(key_file))
    (scratch / KEY_FILE).touch(0o600)
    shutil.copyfile(key_file, scratch / KEY_FILE)
    believe(backup, manifest, load(scratch, create=False), len(MIGRATIONS))
    return manifest


def unpacked(backup: Path, manifest: Manifest, scratch: Path) -> Path:
    """The database of a believed backup, as a file on the disk that is what the manifest says. Raises `Unusable`."""
    path = scratch / DATABASE
    digest, size = hashlib.sha256(), 0
    try:
        path.touch(0o600)
        with gzip.open(backup / manifest.file.name) as packed, path.open("wb") as whole:
            while portion := packed.read(_PORTION):
                digest.update(portion)
                size += len(portion)
                whole.write(portion)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Unusable("torn", backup=str(backup), file=manifest.file.name) from None
    if (size, digest.hexdigest()) != (manifest.file.whole_size, manifest.file.whole_sha256):
        raise Unusable("altered", backup=str(backup), file=manifest.file.name)
    sync(path)
    return path


def proved(backup: Path, manifest: Manifest, database: Path, now: Callable[[], datetime]) -> Store:
    """The unpacked database, open and up to date with this program, once all of it is proved. Raises `Unusable`, `WrongKey`."""
    if wrong := soundness(database):
        raise Unusable("unsound", backup=str(backup), what=wrong)
    if survey(database) != manifest.held:
        raise Unusable("differs", backup=str(backup))
    store = Store.open(database, now)
    try:
        found = store.verify()
        if found.first is not None:
            raise Unusable("unsound", backup=str(backup), what=str(found.first))
    except BaseException:
        store.close()
        raise
    return store


__all__ = ["DATABASE", "WrongKey", "opened", "proved", "unpacked"]
