"""A process that serves: uvicorn, with a certificate of its own where it has one, and a supervisor that is told how it does."""

from __future__ import annotations

import socket

import uvicorn

from checkpoint.notify import ALIVE, READY, STOPPING, tell
from checkpoint.tls import Certificate

# In ticks, of which there are ten a second.
CERTIFICATE_EVERY, ALIVE_EVERY = 600, 100


class Process(uvicorn.Server):
    """One server process. `supervisor` is the socket of whoever began it; empty: nobody asks."""

    def __init__(self, config: uvicorn.Config, *, certificate: Certificate | None = None, supervisor: str = "") -> None:
        super().__init__(config)
        self._certificate, self._supervisor = certificate, supervisor
        if certificate is not None:
            config.ssl_certfile, config.ssl_keyfile = certificate.files

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            tell(self._supervisor, READY)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: only a loop that turns says that it is alive."""
        if counter % ALIVE_EVERY == 0:
            tell(self._supervisor, ALIVE)
        if counter % CERTIFICATE_EVERY == 0:
            self.renew()
        return await super().on_tick(counter)

    def renew(self) -> None:
        """Look whether the certificate was renewed."""
        if self._certificate is not None and self.config.ssl is not None:
            self._certificate.renew(self.config.ssl)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and say so first."""
        tell(self._supervisor, STOPPING)
        await super().shutdown(sockets)
