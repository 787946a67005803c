"""Taking a port, before anything else is begun. Light to import: whoever tries a port may have to say no at once."""

from __future__ import annotations

import socket


class PortTaken(OSError):
    """Somebody listens there already, or this address is not ours."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(why)
        self.host, self.port, self.why = host, port, why
        self.setting = "CHECKPOINT_PORT"


def listen(host: str, port: int) -> socket.socket:
    """Take a port. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(1024)
    except OSError as error:
        taken.close()
        raise PortTaken(host, port, error.strerror or str(error)) from None
    taken.set_inheritable(True)
    return taken
