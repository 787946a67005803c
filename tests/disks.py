"""A small disk of a test's own, to be filled to the last byte.

Where this machine lets us mount one it is a real file system (tmpfs); where it does not, a layer under SQLite counts the bytes,
says how many are left, and refuses more. Either way it is full when it is full: nothing here is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import apsw

from checkpoint import headroom
from checkpoint.store import room

# The layer that speaks to the real disk, before anything of ours is put on top.
BELOW = apsw.vfs_names()[0]


class Disk:
    """A folder with so much room, and a file that takes as much of it as one likes."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self._filler = folder / "filler"

    def free(self) -> int:
        """How many bytes may still be written."""
        return shutil.disk_usage(self.folder).free

    def leave(self, free: int) -> None:
        """Fill the disk up until so much is left, or make room until it is."""
        size = self._filler.stat().st_size if self._filler.exists() else 0
        size += self.free() - free
        with self._filler.open("ab") as file:
            if size < file.tell():
                file.truncate(max(size, 0))
            elif size > file.tell():
                os.posix_fallocate(file.fileno(), file.tell(), size - file.tell())

    def fill(self) -> None:
        """Take every byte."""
        self.leave(0)
        with self._filler.open("ab") as file:  # what rounding left
            try:
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, 2), 512)
                    file.seek(0, 2)
            except OSError:
                return


class Counted(Disk):
    """The same where nothing can be mounted: the room is counted, and nothing but the database is held to it."""

    def free(self) -> int:
        taken = sum(file.stat().st_size for file in self.folder.iterdir() if file.name != "filler")
        return max(self.size - taken - self._given, 0)

    _given = 0

    def leave(self, free: int) -> None:
        self._given += self.free() - free

    def fill(self) -> None:
        self.leave(0)
        self._given = self.size  # whatever is given up goes first to what was promised already
        taken = sum(file.stat().st_size for file in self.folder.iterdir())
        self._given = self.size - taken


class _CountedFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], disk: Counted) -> None:
        super().__init__(BELOW, name, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the interface's name
        more = offset + len(data) - self.xFileSize()
        if more > 0 and more > self._disk.free():
            raise apsw.FullError("the test's disk is full")
        super().xWrite(data, offset)


class _CountedFiles(apsw.VFS):
    def __init__(self, disk: Counted) -> None:
        super().__init__("counted", BELOW, makedefault=True)
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or Path(path).parent != self._disk.folder:
            return apsw.VFSFile(BELOW, name, flags)
        return _CountedFile(name, flags, self._disk)


@contextmanager
def small_disk(folder: Path, size: int, *, mounted: bool = True) -> Iterator[Disk]:
    """A disk of so many bytes at a folder, mounted where that is allowed (and wished)."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "checkpoint-test", str(folder)]
    if mounted and shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        try:
            yield Disk(folder, size)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    disk = Counted(folder, size)
    files = _CountedFiles(disk)
    try:
        with patch.object(headroom, "free_bytes", lambda _: disk.free()), patch.object(room, "free_bytes", lambda _: disk.free()):
            yield disk
    finally:
        files.unregister()
