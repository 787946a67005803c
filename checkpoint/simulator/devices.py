"""The devices' ends: a driver's phone with its link and its live pass, and a truck's tracker. Both keep what they could not
send, and both see with noise: an error that drifts, as receivers have it, and the accuracy they believe in."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from html.parser import HTMLParser
from random import Random
from typing import Protocol
from urllib.parse import urljoin

import httpx
import msgspec

from checkpoint.core import geo, passes
from checkpoint.simulator.road import Moment

BATCH = 200
AT_ONCE = 8
KNOTS_PER_KMH = 1 / 1.852


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fix as a device reports it, WGS-84."""

    fixed_at: datetime
    lat: float
    lon: float
    accuracy_m: float
    speed_kmh: float
    course_deg: float


class Receiver:
    """Satellite reception: an error of a few metres that wanders slowly."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._east_m = self._north_m = 0.0

    def see(self, moment: Moment) -> Seen:
        """What the receiver makes of where it is."""
        dice = self._dice
        self._east_m = 0.7 * self._east_m + dice.gauss(0, 3.0)
        self._north_m = 0.7 * self._north_m + dice.gauss(0, 3.0)
        east, north = geo.scale_m(moment.place[1])
        return Seen(
            fixed_at=moment.at,
            lat=round(moment.place[1] + self._north_m / north, 6),
            lon=round(moment.place[0] + self._east_m / east, 6),
            accuracy_m=round(dice.uniform(4, 14), 1),
            speed_kmh=round(max(0.0, moment.speed_kmh + dice.gauss(0, 1.5)), 1) if moment.speed_kmh else 0.0,
            course_deg=round((moment.course_deg + dice.gauss(0, 2)) % 360, 1) if moment.speed_kmh else 0.0,
        )


class Device(Protocol):
    """Whatever reports a truck's positions."""

    def see(self, moment: Moment) -> None:
        """Take a fix and keep it."""

    async def push(self, client: httpx.AsyncClient) -> int:
        """Send what is kept, the oldest first; returns how many fixes the server now holds."""


class Tracker:
    """A Traccar client: one request a fix, forgotten when answered."""

    def __init__(self, device: str, receiver: Receiver) -> None:
        self.device, self._receiver = device, receiver
        self._kept: list[Seen] = []
        self._pushing = asyncio.Lock()

    def see(self, moment: Moment) -> None:
        """Take a fix and keep it."""
        self._kept.append(self._receiver.see(moment))

    async def push(self, client: httpx.AsyncClient) -> int:
        """Send what is kept, a few requests at a time."""
        sent = 0
        async with self._pushing:
            while self._kept:
                some = self._kept[:AT_ONCE]
                await asyncio.gather(*(self._tell(client, seen) for seen in some))
                self._kept = self._kept[len(some) :]
                sent += len(some)
        return sent

    async def _tell(self, client: httpx.AsyncClient, seen: Seen) -> None:
        asked = {
            "id": self.device,
            "timestamp": str(round(seen.fixed_at.timestamp())),
            "lat": f"{seen.lat:.6f}",
            "lon": f"{seen.lon:.6f}",
            "speed": f"{seen.speed_kmh * KNOTS_PER_KMH:.2f}",
            "bearing": f"{seen.course_deg:.0f}",
            "accuracy": f"{seen.accuracy_m:.1f}",
        }
        (await client.post("/api/v1/positions/osmand", params=asked)).raise_for_status()


class Phone:
    """A driver's phone: opens the link once, keeps the pass, shows it live, and sends its positions in batches."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._kept: list[Seen] = []
        self._pushing = asyncio.Lock()
        self._cookies = httpx.Cookies()

    async def open(self, client: httpx.AsyncClient, link: str) -> LivePass:
        """Open a link as the driver does: look at it, and say that this is the phone. Returns the pass it then shows."""
        page = await self._ask(client, "GET", link)
        if page.opened is None:
            page = await self._ask(client, "POST", page.form, page.fields)
        if page.opened is None:
            raise RuntimeError("the link opened no pass")
        return LivePass(page.opened)

    async def _ask(self, client: httpx.AsyncClient, method: str, url: str, fields: dict[str, str] | None = None) -> _Page:
        for _ in range(5):
            asked = client.build_request(method, url, data=fields or None, headers={"Accept": "text/html"})
            self._cookies.set_cookie_header(asked)
            answer = await client.send(asked)
            self._cookies.extract_cookies(answer)
            if not answer.has_redirect_location:
                answer.raise_for_status()
                return _Page(answer.text, str(answer.url))
            method, url, fields = "GET", urljoin(str(answer.url), answer.headers["location"]), None
        raise RuntimeError("the link leads nowhere")

    def see(self, moment: Moment) -> None:
        """Take a fix and keep it."""
        self._kept.append(self._receiver.see(moment))

    async def push(self, client: httpx.AsyncClient) -> int:
        """Send what is kept, a batch at a time."""
        sent = 0
        async with self._pushing:
            while self._kept:
                some = self._kept[:BATCH]
                asked = client.build_request("POST", "/driver/positions", content=msgspec.json.encode({"fixes": some}))
                asked.headers["Content-Type"] = "application/json"
                self._cookies.set_cookie_header(asked)
                (await client.send(asked)).raise_for_status()
                self._kept = self._kept[len(some) :]
                sent += len(some)
        return sent


class Credential(Protocol):
    """A pass as a driver can show it."""

    def text_at(self, at_s: float) -> str:
        """What is held before the kiosk at an instant (seconds since 1970)."""


class Sheet:
    """A pass on paper: the same text, always."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text_at(self, at_s: float) -> str:
        """What is printed."""
        return self._text


class LivePass:
    """A pass as a phone holds it: the sealed text, and the chain from which each minute's step is shown."""

    def __init__(self, held: dict[str, str]) -> None:
        self._text = passes.PREFIX + _b32(bytes.fromhex(held["data-sealed"]))
        self._begins_s, self._step_s = int(held["data-begins"]), int(held["data-step-s"])
        values = [bytes.fromhex(held["data-seed"])]
        for _ in range(int(held["data-steps"])):
            values.append(passes.chain(values[-1], 1))
        self._values = values[::-1]

    def text_at(self, at_s: float) -> str:
        """What the screen shows at an instant (seconds since 1970)."""
        step = min(max(int((at_s - self._begins_s) // self._step_s), 0), len(self._values) - 1)
        return passes.with_step(self._text, step, self._values[step])


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


class _Page(HTMLParser):
    """What a phone needs of a page: the pass, once it is shown; before that the form that opens it."""

    def __init__(self, text: str, url: str) -> None:
        super().__init__()
        self.opened: dict[str, str] | None = None
        self.form, self.fields = url, dict[str, str]()
        self._url = url
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the pass, and the form with its hidden fields."""
        held = {name: value or "" for name, value in attrs}
        if "data-sealed" in held:
            self.opened = held
        elif tag == "form" and held.get("method", "").lower() == "post":
            self.form = urljoin(self._url, held.get("action", ""))
        elif tag == "input" and held.get("type") == "hidden":
            self.fields[held.get("name", "")] = held.get("value", "")
