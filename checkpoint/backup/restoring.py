"""Bringing a record back.

The law of this file: the place is taken last. The copy grows in a folder beside it, is proved there and made fit to go on, and
then takes its place in one step that fails when something stands there. Killed at any moment it leaves the place as it was, or
the whole record in it; what it leaves beside, the next one sweeps away. Nothing is overwritten: what stood there is moved
aside, and only when asked to. A database that somebody has open is not touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from checkpoint.backup.manifest import Manifest
from checkpoint.backup.proving import DATABASE, opened, proved, unpacked
from checkpoint.store import BroughtBack
from checkpoint.store.alone import in_use
from checkpoint.store.copying import sync
from checkpoint.store.keys import KEY_FILE, load

_GROWING = ".restoring-"
# A database is these files; without the first the others are leavings.
_BESIDE = ("", "-wal", "-shm", "-journal")


class InTheWay(RuntimeError):
    """The place is taken. `why`: `live` (somebody has it open), `taken` (something stands there), `other-key`."""

    def __init__(self, why: str, place: object) -> None:
        self.why, self.place = why, place
        super().__init__(f"{place}: {why}")


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in its place now: what was proved, and what was done so that it can go on."""

    manifest: Manifest
    facts: int
    brought_back: BroughtBack
    aside: tuple[str, ...]


def restore(backup: Path, key_file: Path, place: Path, now: Callable[[], datetime], *, move_aside: bool = False) -> Restored:
    """Bring a backup back as the database at `place`, the key beside it. Raises `Unusable`, `WrongKey`, `InTheWay`, `OSError`."""
    place = place.absolute()
    folder = place.parent
    _free(place, move_aside)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob(f"{_GROWING}*"):
        shutil.rmtree(left)
    growing = folder / f"{_GROWING}{os.getpid()}"
    growing.mkdir(mode=0o700)
    try:
        manifest = opened(backup, key_file, growing)
        _same_key(folder / KEY_FILE, growing / KEY_FILE)
        store = proved(backup, manifest, unpacked(backup, manifest, growing), now)
        try:
            done = store.bring_back(manifest.taken_at, manifest.digest)
        finally:
            store.close()
        fresh = growing / DATABASE
        sync(fresh)
        _free(place, move_aside)  # asked again: proving takes its time
        aside = _moved_aside(place, now()) if move_aside else ()
        if not (folder / KEY_FILE).exists():
            os.link(growing / KEY_FILE, folder / KEY_FILE)
        try:
            os.link(fresh, place)
        except FileExistsError:
            raise InTheWay("taken", place) from None
        sync(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    facts = manifest.held.counts["facts"]
    return Restored(manifest=manifest, facts=facts, brought_back=done, aside=aside)


def _beside(place: Path) -> list[Path]:
    return [path for end in _BESIDE if (path := place.with_name(place.name + end)).exists()]


def _free(place: Path, move_aside: bool) -> None:
    there = _beside(place)
    if place.is_dir():
        raise InTheWay("taken", place)
    if in_use(place):
        raise InTheWay("live", place)
    if there and not move_aside:
        raise InTheWay("taken", place)


def _same_key(standing: Path, ours: Path) -> None:
    """A key file that stands here already must open what is brought back: it may have newer versions, and has this one."""
    if not standing.exists():
        return
    here, there = (load(path.parent, create=False).versions for path in (standing, ours))
    if not {version.name for version in there} <= {version.name for version in here}:
        raise InTheWay("other-key", standing)


def _moved_aside(place: Path, now: datetime) -> tuple[str, ...]:
    """The database first: a log that is left alone is no database, but a database without its log is an older one."""
    moved = []
    name = f"{place.name}.aside-{now:%Y%m%dT%H%M%SZ}"
    for path in _beside(place):
        to = place.with_name(name + path.name.removeprefix(place.name))
        if to.exists():
            raise InTheWay("taken", to)
        path.rename(to)
        moved.append(to.name)
    sync(place.parent)
    return tuple(moved)
