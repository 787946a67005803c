"""The kiosk put together: the file, the desk, the line, the scanner, over one folder and one clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from kiosk import scanner
from kiosk.desk import Desk
from kiosk.kept import Enrolment
from kiosk.link import Link
from kiosk.outbox import FILE_NAME, Outbox


@dataclass(frozen=True, kw_only=True)
class Kiosk:
    """One station's program. `no_reader` says why codes cannot be read here; typing and hand scanners still work then."""

    outbox: Outbox
    desk: Desk
    link: Link
    now: Callable[[], datetime]
    no_reader: scanner.NoReader | None

    def enrol(self, token: str, server: str) -> Enrolment:
        """Become a kiosk of that server. Raises `link.NotEnrolled`."""
        enrolment = self.link.enrol(token, server)
        self.desk.enrolled()
        return enrolment

    def close(self) -> None:
        """End the line and close the file."""
        self.link.stop()
        self.outbox.close()


def open_kiosk(
    data: Path,
    now: Callable[[], datetime],
    *,
    transport: httpx.BaseTransport | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    steady: Callable[[], float] = time.monotonic,
    reserve_bytes: int = 0,
) -> Kiosk:
    """Open the kiosk that lives in a folder; the line is not started. `transport` stands in for the network in tests;
    `reserve_bytes` are kept back for a full disk."""
    outbox = Outbox(data / FILE_NAME, reserve_bytes)
    # Desk and line know each other only by these two calls.
    line: list[Link] = []
    desk = Desk(outbox, now, entropy, lambda: line[0].state, lambda: line[0].nudge())
    line.append(Link(outbox, now, desk.learnt, transport=transport, steady=steady, history=desk.history))
    return Kiosk(outbox=outbox, desk=desk, link=line[0], now=now, no_reader=_reader_trouble())


def _reader_trouble() -> scanner.NoReader | None:
    try:
        scanner.check_reader()
    except scanner.NoReader as no_reader:
        return no_reader
    return None
