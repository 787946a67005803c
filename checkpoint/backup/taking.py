"""Taking a backup of a SQLite installation, while its server runs or not.

The law of this file: a backup grows in a folder whose name begins with a dot and is renamed when it was read back and proved.
Killed at any moment, out of room at any moment, it leaves nothing that has a backup's name; what it does leave, the next one
sweeps away. One at a time in a folder. What was never proved has never been taken.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from checkpoint.backup.manifest import FILE, FORMAT, Manifest, Packed, Unusable, hash_of, read, stamped
from checkpoint.backup.proving import DATABASE, opened, proved, unpacked
from checkpoint.headroom import free_bytes
from checkpoint.store import StorageFull
from checkpoint.store.copying import copy, survey, sync
from checkpoint.store.keys import KEY_FILE, load
from checkpoint.version import VERSION

PACKED = f"{DATABASE}.gz"
_NAME = re.compile(r"checkpoint-(\d{8}T\d{6}Z)(?:-\d+)?")
_FORM = "%Y%m%dT%H%M%SZ"
_GROWING = ".growing-"
_LOCK = ".lock"
# After each portion (1 MiB) as long a rest as this: about 100 MB a second at most, and the disk is the server's again.
REST_S = 0.01
# The database twice over, once packed, is more than ever lies there at a time.
_TIMES = 2
_PORTION = 1 << 20


class AlreadyTaking(RuntimeError):
    """Another backup into the same folder is on its way."""


def take(
    database: Path,
    key_file: Path,
    folder: Path,
    now: Callable[[], datetime],
    *,
    spare_bytes: int = 0,
    rest: Callable[[], None] = lambda: time.sleep(REST_S),
) -> Path:
    """Take a backup into a folder and prove it; returns its own folder there. `spare_bytes` stay free on that disk.

    Raises `StorageFailed` (`StorageFull` without room), `Unusable` when what was written does not read back, `AlreadyTaking`,
    `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone_in(folder):
        wanted = _TIMES * sum(p.stat().st_size for p in (database, database.with_name(f"{database.name}-wal")) if p.exists())
        if free_bytes(folder) < wanted + spare_bytes:
            raise StorageFull(f"{(wanted + spare_bytes) >> 20} MB wanted in {folder}, {free_bytes(folder) >> 20} are free")
        growing = folder / f"{_GROWING}{os.getpid()}"
        growing.mkdir(mode=0o700)
        try:
            taken_at = now().astimezone(UTC)
            _grown(database, key_file, growing, taken_at, rest)
            _prove(growing, key_file, now)
            named = _free_name(folder, taken_at)
            sync(growing)
            growing.rename(named)
            sync(folder)
        except OSError as error:
            shutil.rmtree(growing, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no room in {folder}") from error
            raise
        except BaseException:
            shutil.rmtree(growing, ignore_errors=True)
            raise
    return named


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One at a time; whatever grows there when we are alone was given up by one that was killed."""
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyTaking(str(folder)) from None
        for left in folder.glob(f"{_GROWING}*"):
            shutil.rmtree(left)
        yield


def _grown(database: Path, key_file: Path, growing: Path, taken_at: datetime, rest: Callable[[], None]) -> None:
    whole = growing / DATABASE
    copy(database, whole, rest)
    held, whole_size, digest = survey(whole), whole.stat().st_size, hashlib.sha256()
    packed, manifest_file = growing / PACKED, growing / FILE
    packed.touch(0o600)
    manifest_file.touch(0o600)
    # Level 1: ours are short texts over and over, and a fifth smaller is not worth three times the time beside a server.
    with whole.open("rb") as source, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as target:
        while portion := source.read(_PORTION):
            digest.update(portion)
            target.write(portion)
            rest()
    whole.unlink()
    sync(packed)
    manifest = Manifest(
        format=FORMAT,
        program=VERSION,
        taken_at=taken_at,
        database="sqlite",
        file=Packed(
            name=PACKED,
            size=packed.stat().st_size,
            sha256=hash_of(packed),
            whole_size=whole_size,
            whole_sha256=digest.hexdigest(),
        ),
        held=held,
    )
    text = msgspec.json.format(msgspec.json.encode(stamped(manifest, load(key_file.parent, create=False))), indent=2)
    manifest_file.write_bytes(text + b"\n")
    sync(manifest_file)


def _prove(backup: Path, key_file: Path, now: Callable[[], datetime]) -> None:
    scratch = backup / ".scratch"
    scratch.mkdir(mode=0o700)
    try:
        manifest = opened(backup, key_file, scratch)
        proved(backup, manifest, unpacked(backup, manifest, scratch), now).close()
    finally:
        shutil.rmtree(scratch)


def _free_name(folder: Path, taken_at: datetime) -> Path:
    name = f"checkpoint-{taken_at.strftime(_FORM)}"
    tries = (folder / (name if i == 1 else f"{name}-{i}") for i in range(1, 1_000))
    return next(path for path in tries if not path.exists())


# -- what is there ------------------------------------------------------------------------------------------------------


def backups(folder: Path) -> list[Path]:
    """The backups in a folder, the oldest first. Their names alone are looked at."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())


def taken_at(backup: Path) -> datetime:
    """When a backup was taken, to the second, by its name."""
    found = _NAME.fullmatch(backup.name)
    assert found is not None
    return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC)


def discard(backup: Path) -> None:
    """Remove a backup: first its name, so that no half of it is ever taken for one."""
    going = backup.with_name(f"{_GROWING}{backup.name}")
    backup.rename(going)
    sync(going.parent)
    shutil.rmtree(going)


def check(backup: Path, key_file: Path, now: Callable[[], datetime], scratch: Path) -> Manifest:
    """Prove a backup in an empty folder of ours; returns its manifest. Raises `Unusable`, `WrongKey`."""
    manifest = opened(backup, key_file, scratch)
    proved(backup, manifest, unpacked(backup, manifest, scratch), now).close()
    return manifest


def overdue(folder: Path, every: timedelta, now: datetime) -> bool:
    """Whether the newest backup in a folder is older than two of its rhythms, or there is none."""
    there = backups(folder)
    return not there or now - taken_at(there[-1]) > 2 * every


__all__ = [
    "KEY_FILE", "AlreadyTaking", "Unusable", "backups", "check", "discard", "overdue", "read", "take", "taken_at",
]  # fmt: skip
