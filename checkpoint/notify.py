"""Telling the supervisor (systemd) how we do: begun, alive, ending. Nothing happens where there is none.

The protocol is one datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names; `@` begins an abstract one.
"""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)
READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def tell(supervisor: str, state: str) -> None:
    """Tell the supervisor at a socket; a supervisor that does not listen must not end us."""
    if not supervisor:
        return
    address = "\0" + supervisor[1:] if supervisor.startswith("@") else supervisor
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as said:
            said.connect(address)
            said.sendall(state.encode())
    except OSError:
        log.warning("the supervisor does not listen")
