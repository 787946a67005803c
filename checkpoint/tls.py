"""https by ourselves, where no proxy does it: a certificate and its key from files, read anew when they change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import NamedTuple

import uvicorn

log = logging.getLogger(__name__)
LOOK_EVERY_TICKS = 600  # of a tenth of a second


class Certificate(NamedTuple):
    """A certificate with its chain, and its key, as PEM files."""

    certificate: Path
    key: Path

    def stamp(self) -> tuple[float, float]:
        """Changes when a file does."""
        return self.certificate.stat().st_mtime, self.key.stat().st_mtime


class TlsServer(uvicorn.Server):
    """uvicorn, with or without a certificate; one that was renewed on the disk is used from the next connection on."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._stamp = certificate.stamp() if certificate else (0.0, 0.0)
        if certificate:
            config.ssl_certfile, config.ssl_keyfile = certificate

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % LOOK_EVERY_TICKS == 0 and self._certificate is not None:
            self.renew()
        return await super().on_tick(counter)

    def renew(self) -> None:
        """Take up the certificate anew if it has changed; a pair that does not fit (one of them is still being written) is
        looked at again later."""
        context = self.config.ssl
        assert self._certificate is not None
        try:
            stamp = self._certificate.stamp()
            if context is not None and stamp != self._stamp:
                context.load_cert_chain(*self._certificate)
                self._stamp = stamp
                log.info("the certificate was renewed")
        except (OSError, ssl.SSLError):
            log.exception("the renewed certificate cannot be used yet")
