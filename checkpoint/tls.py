"""https by ourselves, where no proxy does it: a certificate and its key from files, read anew when they change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)


class Certificate:
    """A certificate with its chain, and its key, as PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.files = certificate, key
        self._stamp = self._stamped()

    def _stamped(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self.files)

    def renew(self, context: ssl.SSLContext) -> None:
        """Use the files from the next connection on, if they have changed; a pair that does not fit (one of them is still being
        written) is looked at again later."""
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                context.load_cert_chain(*self.files)
                self._stamp = stamp
                log.info("the certificate was renewed")
        except (OSError, ssl.SSLError):
            log.exception("the renewed certificate cannot be used yet")
