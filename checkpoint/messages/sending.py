"""One event over the wire, once: to the very address that was looked at, within so many seconds, following nobody elsewhere.

The law of this file: of the answer nothing is read but its status, so that whoever answers with a flood fills nothing here, and
whoever answers drop by drop holds nobody up. No proxy, cookie or password of this machine's environment goes along.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import httpx

from checkpoint.messages.targets import Place, Targets, Unfit
from checkpoint.version import VERSION

CONNECT_S, IN_ALL_S = 5.0, 10.0


class Sent(NamedTuple):
    """What came of a sending: the status answered (None: none was), and why it failed (the end of `webhooks.why.<why>`)."""

    status: int | None
    why: str

    @property
    def taken(self) -> bool:
        """Whether the other end took it."""
        return not self.why


class Sender:
    """Sends; from any thread. `most_s` is how long one sending may take in all."""

    def __init__(self, targets: Targets, most_s: float = IN_ALL_S) -> None:
        self._targets, self._most_s = targets, most_s

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """Send a body to an address. Never raises for what the other end does."""
        try:
            place = self._targets.place(url)
        except Unfit as unfit:
            return Sent(None, unfit.key)
        try:
            status = asyncio.run(asyncio.wait_for(self._post(place, headers, body), self._most_s))
        except (TimeoutError, httpx.TimeoutException):
            return Sent(None, "slow")
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return Sent(None, "unreachable")
        return Sent(status, "" if 200 <= status < 300 else "refused")

    async def _post(self, place: Place, headers: Mapping[str, str], body: bytes) -> int:
        carried = {**headers, "Host": place.called, "Content-Type": "application/json", "User-Agent": f"checkpoint/{VERSION}"}
        timeout = httpx.Timeout(self._most_s, connect=CONNECT_S)
        # The name is said in the handshake, and is what the certificate must be for, though we dial the address.
        named = {"sni_hostname": place.host}
        async with httpx.AsyncClient(verify=self._trusted, timeout=timeout, trust_env=False, follow_redirects=False) as client:
            asked = client.build_request("POST", place.url, content=body, headers=carried, extensions=named)
            answered = await client.send(asked, stream=True)
            await answered.aclose()
            return answered.status_code
