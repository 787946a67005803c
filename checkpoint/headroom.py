"""How much room a disk has, and a reserve on it that is let go when it has none.

The law of this file: on a full disk even a deletion fails. So a file lies beside the data from the start, its blocks taken and
not only promised; when a write was refused it is given up, and what must still be written is written in its place. It is
laid again once there is twice as much room as it takes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """How much a program without privileges may still write there."""
    return shutil.disk_usage(folder).free


class Reserve:
    """The file. Not for many threads at once: it belongs to whoever writes."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self.laid = size > 0 and path.exists() and path.stat().st_size >= size

    def lay(self) -> None:
        """Take the room, if there is enough of it."""
        try:
            if self.laid or not self._size or free_bytes(self._path.parent) < 2 * self._size:
                return
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            self.let_go()
            return
        self.laid = True

    def let_go(self) -> bool:
        """Give the room up. Whether there was any to give."""
        laid, self.laid = self.laid, False
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        return laid
