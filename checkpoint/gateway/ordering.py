"""The orders of one connection, one after the other: sent, answered, written down (see `orders`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from checkpoint.decoders.jt808 import Answer, Peer, delete_route_8607, route_8606
from checkpoint.decoders.jt808.platform import DONE, UNSUPPORTED, parameters_8103
from checkpoint.gateway.orders import SENT_MOST, Wanted, number_of, parameters_of, route_of
from checkpoint.store import StorageFailed
from checkpoint.store.registry import Terminal

if TYPE_CHECKING:
    from checkpoint.gateway.listener import Gateway
    from checkpoint.gateway.session import Session

log = logging.getLogger(__name__)
SENT, TAKEN, REFUSED, NEVER, SILENT, TOO_LONG = "sent", "taken", "refused", "unsupported", "silent", "too-long"
_DELETE, _SET, _PARAMETERS = 0x8607, 0x8606, 0x8103


class Ordering:
    """What one terminal is told while it is connected."""

    def __init__(self, gateway: Gateway, session: Session, terminal: Terminal, peer: Peer) -> None:
        self._gateway, self._session, self._device, self._peer = gateway, session, terminal.device, peer
        self._parameters = (terminal.parameters, terminal.parameters_state)
        self._route = (terminal.route, terminal.route_state)
        # What waits for its answer: the message, its serials, and until when it is waited for.
        self._open: tuple[int, range, float] | None = None
        self._at_work = False
        self._due = 0.0

    def look(self, now: float) -> None:
        """Every second or so: order what is due."""
        if self._at_work or self._session.over:
            return
        if self._open is not None:
            if now < self._open[2]:
                return
            self._open = None
        if now >= self._due:
            self._at_work = True
            self._gateway.begin(self._next(now))

    async def answered(self, answer: Answer) -> None:
        """The terminal's word about an order."""
        if self._open is None or answer.msg_id != self._open[0] or answer.serial not in self._open[1]:
            return
        state = TAKEN if answer.result == DONE else NEVER if answer.result == UNSUPPORTED else REFUSED
        if answer.msg_id == _PARAMETERS:
            await self._write("parameters", self._parameters[0], state)
        elif answer.msg_id == _SET:
            await self._write("route", self._route[0], state)
        self._open, self._due = None, 0.0

    async def _next(self, now: float) -> None:
        try:
            if not await self._tell_parameters(now) and not await self._tell_route(now):
                self._due = now + self._gateway.limits.orders_s
        except StorageFailed as error:
            log.warning("a terminal is not told what it should do: %s", error)
            self._due = now + self._gateway.limits.orders_s
        finally:
            self._at_work = False

    async def _tell_parameters(self, now: float) -> bool:
        if not self._gateway.interval_s:
            return False
        name, values = parameters_of(self._gateway.interval_s)
        if (times := _times(self._parameters, name)) is None:
            return False
        if times >= SENT_MOST:
            await self._write("parameters", name, SILENT)
            return False
        await self._write("parameters", name, f"{SENT} {times + 1}")
        self._sent(_PARAMETERS, now, self._session.send(lambda serial: parameters_8103(self._peer, serial, values)), 1)
        return True

    async def _tell_route(self, now: float) -> bool:
        if self._route[1] == NEVER:
            return False
        wanted = await self._gateway.asked(self._gateway.line_of, self._device)
        if wanted is None or (times := _times(self._route, wanted.name)) is None:
            return False
        if self._route[0] not in ("", wanted.name):
            # The one before, whatever it said to it: gone first.
            before = number_of(self._route[0])
            await self._write("route", "", "")
            self._sent(_DELETE, now, self._session.send(lambda serial: delete_route_8607(self._peer, serial, [before])), 1)
            return True
        return await self._set(wanted, times, now) if wanted.name else False

    async def _set(self, wanted: Wanted, times: int, now: float) -> bool:
        if not wanted.turns or times >= SENT_MOST:
            await self._write("route", wanted.name, SILENT if wanted.turns else TOO_LONG)
            return False
        await self._write("route", wanted.name, f"{SENT} {times + 1}")
        frames = 0

        def write(serial: int) -> list[bytes]:
            nonlocal frames
            made = route_8606(self._peer, serial, route_of(wanted))
            frames = len(made)
            return made

        self._sent(_SET, now, self._session.send(write), frames)
        return True

    def _sent(self, msg_id: int, now: float, serial: int, frames: int) -> None:
        self._open = (msg_id, range(serial, serial + frames), now + self._gateway.limits.answer_s)

    async def _write(self, what: str, content: str, state: str) -> None:
        if what == "parameters":
            self._parameters = (content, state)
        else:
            self._route = (content, state)
        await self._gateway.asked(self._gateway.registry.terminal_told, self._device, what, content, state)


def _times(told: tuple[str, str], name: str) -> int | None:
    """How often a terminal was sent an order of that name without a word from it; None: it has said what it makes of it."""
    content, state = told
    if content != name:
        return 0
    if not state:
        return 0 if name else None
    return int(state.removeprefix(SENT)) if state.startswith(SENT) else None
