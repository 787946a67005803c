"""Room on the disk: how much there is, and what is not taken in any more for want of it.

The law of this file: what fills a disk is refused first, what nobody can tell again is refused last. Positions go first: they
are nearly all of the bytes, and whoever sends them keeps them. Then what can wait for a desk. What was seen at a station, a
result, a call for help or an answer is taken for as long as the disk takes it; when it does not, the reserve is let go for
just this. Nothing here has to be set right by hand: with room, everything is taken in again.

On a disk that is not ours (a database server's) we know no room: then nothing is refused before the database refuses it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import msgspec

from checkpoint.headroom import Reserve, free_bytes
from checkpoint.store.database import StorageFull

log = logging.getLogger(__name__)
Intake = Literal["positions", "desk", "stations"]
RESERVE_FILE = "checkpoint.reserve"
# The reserve is this part of the headroom: of 256 MB, 16.
_PART = 16


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How much may still be written (None: not known to us), how that is called, and which intake is refused now.

    `low`: less than the headroom is free. `last`: the reserve is given up, or less than it is free.
    """

    free_bytes: int | None = None
    state: Literal["ample", "low", "last"] = "ample"
    refused: tuple[Intake, ...] = ()


_REFUSED: dict[str, tuple[Intake, ...]] = {"ample": (), "low": ("positions",), "last": ("positions", "desk")}


class Headroom:
    """Watches over the room of a folder; `wanted` bytes should stay free. With 0 it watches over nothing."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self._folder, self._wanted = folder, wanted
        self._reserve = Reserve(folder / RESERVE_FILE, wanted // _PART)
        self._told = "ample"

    @property
    def laid(self) -> bool:
        """Whether the reserve lies there, or none is wanted."""
        return self._reserve.laid or not self._wanted

    def look(self) -> Room:
        """How things stand now: one question to the system, cheap enough to ask for every message."""
        if not self._wanted:
            return Room()
        free = free_bytes(self._folder)
        last = free < self._wanted // _PART or (free < self._wanted and not self._reserve.laid)
        state: Literal["ample", "low", "last"] = "last" if last else "low" if free < self._wanted else "ample"
        if state != self._told:
            log.warning(
                "room on the disk: %s, %d MB free; refused: %s", state, free >> 20, ", ".join(_REFUSED[state]) or "nothing"
            )
            self._told = state
        return Room(free_bytes=free, state=state, refused=_REFUSED[state])

    def ask(self, what: Intake) -> None:
        """Raises `StorageFull` when this is not taken in now."""
        room = self.look()
        if what in room.refused:
            raise StorageFull(f"{room.free_bytes} bytes are free: {what} are not taken in")

    def lay(self) -> None:
        """Put the reserve (back) where it belongs, when there is room for it. The writer's thread."""
        self._reserve.lay()

    def let_go(self) -> bool:
        """Give the reserve up, because a write was refused. Whether that made room. The writer's thread."""
        made = self._reserve.let_go()
        if made:
            log.error("the disk is full: the reserve was given up for what cannot wait")
        return made
