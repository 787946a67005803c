"""A disk without power: a layer under SQLite that knows what was synced, and loses the rest at a chosen moment.

Everything written goes to the real file at once, as to a cache that every process sees, and is remembered until its file is
synced. At the `stop_at`-th write, truncation or sync the power goes: that one may have been under way, and nothing comes after
it. `left_behind` then writes what a disk might have kept: what was synced, and of the rest any part, each write whole, not at
all, or torn at the bounds of sectors.

Not modelled: names. A file that was made is there, and one that was deleted is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

from tests.disks import BELOW

SECTOR = 512


@dataclass
class _Kept:
    """One file: its bytes as of its last sync, and what was written since: (offset, bytes), or (size, None) for a cut."""

    synced: bytearray
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for place, data in self.since:
            _do(self.synced, place, data)
        self.since.clear()

    def left(self, chance: Random) -> bytes:
        """What is found of it afterwards."""
        found = bytearray(self.synced)
        # Often all of it went one way: a cache written out in time, or none of it.
        mood = chance.random()
        for place, data in self.since:
            fate = chance.random() if mood < 0.7 else (0.0 if mood < 0.85 else 0.5)
            if fate < 0.35:
                continue
            if fate < 0.7 or data is None:
                _do(found, place, data)
                continue
            at = place
            while at < place + len(data):
                end = min((at // SECTOR + 1) * SECTOR, place + len(data))
                if chance.random() < 0.5:
                    _do(found, at, data[at - place : end - place])
                at = end
        return bytes(found)


def _do(content: bytearray, place: int, data: bytes | None) -> None:
    if data is None:
        del content[place:]
        return
    if len(content) < place:
        content.extend(bytes(place - len(content)))
    content[place : place + len(data)] = data


class PowerLoss(apsw.VFS):
    """The files of one folder, on a disk whose power goes at the `stop_at`-th step (never: 0)."""

    def __init__(self, folder: Path, stop_at: int) -> None:
        super().__init__(f"power-{folder}", BELOW, makedefault=True)
        self.folder, self.stop_at = folder, stop_at
        self.steps, self.off = 0, False
        self.files: dict[str, _Kept] = {}
        self.lock = threading.Lock()

    def step(self) -> bool:
        """One more step; whether the power goes with it."""
        if self.off:
            raise apsw.IOError("there is no power")
        self.steps += 1
        self.off = self.steps == self.stop_at
        return self.off

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - the interface's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or Path(path).parent != self.folder:
            return apsw.VFSFile(BELOW, name, flags)
        with self.lock:
            if path not in self.files:
                self.files[path] = _Kept(bytearray(Path(path).read_bytes() if Path(path).exists() else b""))
        return _File(name, flags, self, self.files[path])

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        if self.off:
            raise apsw.IOError("there is no power")
        super().xDelete(filename, syncdir)
        with self.lock:
            self.files.pop(filename, None)

    def left_behind(self, folder: Path, chance: Random) -> None:
        """Write what a disk might have kept into another folder."""
        for path, kept in self.files.items():
            (folder / Path(path).name).write_bytes(kept.left(chance))


class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], disk: PowerLoss, kept: _Kept) -> None:
        super().__init__(BELOW, name, flags)
        self._disk, self._kept = disk, kept

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.lock:
            gone = self._disk.step()
            self._kept.since.append((offset, bytes(data)))
        if gone:
            raise apsw.IOError("the power went in a write")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self._disk.lock:
            gone = self._disk.step()
            self._kept.since.append((newsize, None))
        if gone:
            raise apsw.IOError("the power went in a cut")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        # The real disk is spared: what counts is what this layer says was synced.
        del flags
        with self._disk.lock:
            if self._disk.step():
                raise apsw.IOError("the power went in a sync")
            self._kept.sync()


@contextmanager
def power_until(folder: Path, stop_at: int) -> Iterator[PowerLoss]:
    """The databases of a folder lie on such a disk while the block lasts."""
    disk = PowerLoss(folder, stop_at)
    try:
        yield disk
    finally:
        disk.unregister()
