"""A server and a station's kiosk in one process, with a line between them that a test can spoil; and passes to show there."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import qrcode
from PIL import Image
from starlette.testclient import TestClient

from checkpoint.core import pins
from checkpoint.core.facts import Fact, Happening, PassRevoked, ResultReported, SwabTaken
from checkpoint.granting import PassOffice
from checkpoint.store import Store
from checkpoint.web.app import create_app
from kiosk.station import Kiosk, open_kiosk
from tests.ground import T0, Still, store_in, wish

PIN = "2580"
SERVER = "https://loop.example"


class Line(httpx.BaseTransport):
    """The wire: `trouble()` says of each request whether it passes (""), is lost, its answer is lost, or comes twice."""

    def __init__(self, server: TestClient, trouble: Callable[[], str] = lambda: "") -> None:
        self.server, self.trouble = server, trouble
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        trouble = self.trouble()
        self.asked.append(f"{request.method} {request.url.path}")
        if trouble == "dead":
            raise httpx.ConnectError("no network", request=request)
        if trouble == "portal":
            return httpx.Response(200, text="<html>Welcome to our guest network</html>")
        if trouble == "twice":
            self._deliver(request)
        answer = self._deliver(request)
        if trouble == "answer-lost":
            raise httpx.ReadTimeout("no answer", request=request)
        return answer

    def _deliver(self, request: httpx.Request) -> httpx.Response:
        got = self.server.request(request.method, str(request.url), content=request.read(), headers=dict(request.headers))
        return httpx.Response(got.status_code, headers={"Content-Type": got.headers.get("content-type", "")}, content=got.content)


@dataclass
class Ground:
    """Everything a station's test needs. `steady` is the machine's count that nobody can set."""

    clock: Still
    store: Store
    server: TestClient
    office: PassOffice
    kiosk: Kiosk
    line: Line
    station: str
    staff: str
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def pull(self) -> None:
        """Read the feed to its end."""
        while self.kiosk.link.pull_once():
            pass

    def push(self) -> None:
        """Send until nothing waits."""
        while self.kiosk.link.push_once():
            pass

    def pass_(self, **changes: Any) -> str:
        """Grant a pass; returns its number."""
        crew = changes.pop("crew", None)
        wanted = wish(**changes) if crew is None else wish(crew=crew, **changes)
        return self.office.grant(self.office.request(wanted, "carrier"), "coordinator").pass_id

    def live(self, number: str) -> str:
        """What the driver's phone shows now."""
        text = self.office.screen(number).live_text(self.clock())
        assert text is not None
        return text

    def sheet(self, number: str) -> str:
        """What the printed sheet says."""
        return self.office.sheet_text(number)

    def crew(self, number: str) -> tuple[str, ...]:
        """Who is on the pass."""
        return self.office.pass_state(number).crew

    def tell(
        self, what: Happening, *, ago: timedelta = timedelta(), station: str = "", witness: str = "desk:coordinator"
    ) -> Fact:
        """Put a fact straight into the server's record."""
        at = self.clock() - ago
        named = hashlib.sha256(f"{what!r}{at}{self.rng.random()}".encode()).hexdigest()[:16]
        fact = Fact(id=named, at=at, witness=witness, what=what, station=station)  # type: ignore[arg-type]
        self.store.record(fact)
        return fact

    def tested(self, number: str, *, ago: timedelta = timedelta(hours=5)) -> None:
        """Everybody on the pass has a negative PCR taken so long ago."""
        for i, person in enumerate(self.crew(number)):
            specimen, tube = f"{number}-{i}-{ago}", f"T{number[-3:]}{i}{int(ago.total_seconds())}"
            self.tell(
                SwabTaken(specimen=specimen, person=person, test="pcr", tube=tube),
                ago=ago,
                station="sampling-1",
            )
            self.tell(ResultReported(test="pcr", result="negative", laboratory="lab", tube=tube), ago=ago - timedelta(hours=3))

    def revoke(self, number: str) -> None:
        self.tell(PassRevoked(pass_id=number, reason="误发"))

    def sign_on(self) -> None:
        assert self.kiosk.desk.sign_on(self.staff, PIN)

    @property
    def shown(self) -> tuple[str, tuple[str, ...]]:
        """The word and the reasons on the screen."""
        verdict = self.kiosk.desk.screen().verdict
        assert verdict is not None
        return verdict.word, tuple(found.row.reason for found in verdict.reasons)

    @property
    def notice(self) -> str:
        """The key of the sentence on the screen."""
        said = self.kiosk.desk.screen().notice
        return said.key if said is not None else ""


@contextmanager
def ground(
    folder: Path,
    *,
    station: str = "sampling-1",
    clock: Still | None = None,
    trouble: Callable[[], str] = lambda: "",
    reserve_bytes: int = 0,
    where: str = "",
) -> Iterator[Ground]:
    """A server with one loop, and a kiosk enrolled at one of its stations over a line; the feed read once."""
    clock = clock or Still()
    store = store_in(folder, clock, where)
    store.registry.sealing_key()
    staff = store.registry.add_staff("陈站长", pins.seal(PIN, b"0123456789abcdef"))
    rng = random.Random(11)
    with TestClient(create_app(store, clock, public_url=SERVER), base_url=SERVER) as server:
        token = "enrol-token"
        store.registry.add_kiosk(station, hashlib.sha256(token.encode()).hexdigest(), clock() + timedelta(days=1))
        line = Line(server)
        kiosk = open_kiosk(
            folder / "kiosk",
            clock,
            transport=line,
            entropy=rng.randbytes,
            steady=lambda: _steady(clock),
            reserve_bytes=reserve_bytes,
        )
        kiosk.enrol(token, SERVER)
        office = PassOffice(store, clock, store.record, rng.randbytes)
        found = Ground(
            clock=clock, store=store, server=server, office=office, kiosk=kiosk, line=line, station=station, staff=staff.id
        )
        found.pull()
        line.trouble = trouble
        yield found
        kiosk.close()
    store.close()


def _steady(clock: Still) -> float:
    return (clock() - T0).total_seconds()


def picture(text: str, *, side: int = 720, box: int = 6, border: int = 4) -> Image.Image:
    """A pass as a phone shows it, in the middle of a grey frame."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=box, border=border)
    code.add_data(text)
    symbol = code.make_image().get_image().convert("L")
    frame = Image.new("L", (max(side, symbol.width), max(side, symbol.height)), 90)
    frame.paste(symbol, ((frame.width - symbol.width) // 2, (frame.height - symbol.height) // 2))
    return frame


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """A frame as the page sends it."""
    data = io.BytesIO()
    image.convert("RGB").save(data, "JPEG", quality=quality)
    return data.getvalue()
