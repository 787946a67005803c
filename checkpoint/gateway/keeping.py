"""What many terminals send, kept in shared commits.

The law of this file: one batch is on its way to the disk at a time, and all that came meanwhile is the next. Each connection
hands in one piece and waits for it before it reads on, so what waits is bounded by the number of connections. A piece is `KEPT`
when it is durable, with the calls for help in it; otherwise nothing can be said of it, its terminal hears nothing, and sends it
again. What a terminal that has proved itself says has room as long as the disk has (`hearing.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from checkpoint.core.fixes import Fix
from checkpoint.gateway.calls import EMERGENCY, Calls
from checkpoint.hearing import MOST_UNUSABLE
from checkpoint.intake import Intake
from checkpoint.store import UNPROVED, StorageFailed, StorageFull, Store

log = logging.getLogger(__name__)
MOST_FIXES = 2_000


class Kept(Enum):
    """What became of a piece."""

    KEPT = "kept"
    NOT_NOW = "not now"


KEPT, NOT_NOW = Kept.KEPT, Kept.NOT_NOW


class Unread(NamedTuple):
    """A position that could not be used, as it came; `emergency`: the driver called for help in it."""

    raw: bytes
    why: str
    emergency: bool = False


class Piece(NamedTuple):
    """What one connection hands in at once: fixes of one device, and what could not be used. `proved`: the device has shown its
    code; what one says that has not is kept apart for good."""

    device: str
    fixes: Sequence[Fix]
    unread: Sequence[Unread] = ()
    proved: bool = True


class Keeping:
    """Gathers pieces, and keeps them. `run` is its one task, on the gateway's loop; the work is done in `thread`."""

    def __init__(self, store: Store, intake: Intake, now: Callable[[], datetime], thread: Executor) -> None:
        self._store, self._intake, self._now, self._thread = store, intake, now, thread
        self._calls = Calls(store, intake, now)
        self._queue: asyncio.Queue[tuple[Piece, asyncio.Future[Kept]]] = asyncio.Queue()

    async def take(self, piece: Piece) -> Kept:
        """What becomes of a piece."""
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((piece, kept))
        return await kept

    async def run(self) -> None:
        """Keep what comes, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            group = [await self._queue.get()]
            count = len(group[0][0].fixes)
            while count < MOST_FIXES and not self._queue.empty():
                group.append(self._queue.get_nowait())
                count += len(group[-1][0].fixes)
            try:
                held = await loop.run_in_executor(self._thread, self._keep, [piece for piece, _ in group])
            except Exception:
                # We failed: said loudly; nobody in it is told that it is held.
                log.exception("positions of terminals could not be kept")
                held = [NOT_NOW] * len(group)
            for (_, kept), well in zip(group, held, strict=True):
                if not kept.done():
                    kept.set_result(well)

    # -- in the thread ----------------------------------------------------------------------------------------------------

    def _keep(self, pieces: list[Piece]) -> list[Kept]:
        proved, strange = [piece for piece in pieces if piece.proved], [piece for piece in pieces if not piece.proved]
        held = self._together(proved) if proved else {}
        if strange:
            held |= self._apart(strange)
        return [held[id(piece)] for piece in pieces]

    def _together(self, pieces: list[Piece]) -> dict[int, Kept]:
        """All in one commit."""
        try:
            self._intake.take_fixes([fix for piece in pieces for fix in piece.fixes])
        except StorageFull:
            # There is no room for where a truck is; for a driver who calls for help there is.
            for piece in pieces:
                with suppress(StorageFailed):
                    self._help(piece)
            return {id(piece): NOT_NOW for piece in pieces}
        except StorageFailed as error:
            log.warning("positions of terminals are not taken in: %s", error)
            return {id(piece): NOT_NOW for piece in pieces}
        return {id(piece): self._rest(piece) for piece in pieces}

    def _rest(self, piece: Piece) -> Kept:
        """What belongs to a piece beside its fixes."""
        if not piece.unread and not any(fix.alarms for fix in piece.fixes):
            return KEPT
        try:
            self._help(piece)
            source = f"device:{piece.device}"
            for unread in piece.unread:
                # A broken device sends for ever: what it sent first is enough to see what it does.
                if len(self._store.aside(MOST_UNUSABLE, source=source)) < MOST_UNUSABLE:
                    self._store.set_aside(source, unread.raw, unread.why)
        except StorageFailed as error:
            log.warning("what terminals sent is not set aside: %s", error)
            return NOT_NOW
        return KEPT

    def _help(self, piece: Piece) -> None:
        if any(EMERGENCY in fix.alarms for fix in piece.fixes):
            self._calls.hear(piece.fixes)
        for unread in piece.unread:
            if unread.emergency:
                self._calls.hear_without_place(piece.device, unread.raw)

    def _apart(self, pieces: list[Piece]) -> dict[int, Kept]:
        """Of numbers that have not proved themselves: kept apart in one commit, as long as there is room for such, and never laid
        to a vehicle. Nobody is told that it is held."""
        try:
            self._store.headroom.ask("positions")
            self._store.add_strangers([(fix, UNPROVED) for piece in pieces for fix in piece.fixes])
        except StorageFailed as error:
            log.warning("positions of strangers are not kept: %s", error)
        return {id(piece): NOT_NOW for piece in pieces}
