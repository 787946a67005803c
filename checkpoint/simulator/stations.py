"""The stations' ends: what every station knows, and a kiosk for each that judges, writes down, and pushes.

The law of this file: a verdict is what the core's rules say on the facts known by then, never what a script wants; facts are
numbered and chained as a kiosk's outbox does it, and forgotten only when the server has said that it holds them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from checkpoint.core import facts, passes
from checkpoint.core.book import Book
from checkpoint.core.facts import Fact, Happening, LoopPublished, PassCompared, Scanned, Shown
from checkpoint.core.journey import view_of
from checkpoint.core.loop import Loop, Loops, parse
from checkpoint.core.rules import decide, step_s_of
from checkpoint.core.verdict import Gate
from kiosk.kept import FIRST_PREV, Enrolment, Head, chained

BATCH = 400


class Known:
    """What the stations of a loop know: everything told by then. With the lines up, all of them know the same."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.book = Book()
        self.loops = Loops([loop])
        self.keys: dict[str, Ed25519PublicKey] = {}
        self.staff: tuple[str, ...] = ()
        self.cursor = 0

    def learn(self, fact: Fact) -> None:
        """Take a fact in."""
        if self.book.add(fact) and isinstance(fact.what, LoopPublished):
            self.loops.add(parse(fact.what.document))

    async def pull(self, client: httpx.AsyncClient, kiosk: Kiosk) -> list[Fact]:
        """Read the server's feed to its end, as this kiosk; returns the facts that were news."""
        news: list[Fact] = []
        while True:
            asked = {"after": str(self.cursor), "limit": "500"}
            answer = await client.get("/api/v1/feed", params=asked, headers=kiosk.headers)
            answer.raise_for_status()
            page = msgspec.json.decode(answer.content, type=_Page)
            for told in page.facts:
                fact = facts.decode(bytes(told.fact))
                if fact.id not in self.book:
                    news.append(fact)
                self.learn(fact)
            self.keys = {i.key_id: Ed25519PublicKey.from_public_bytes(bytes.fromhex(i.public_key)) for i in page.issuers}
            self.staff = tuple(member.id for member in page.staff)
            self.cursor = page.cursor
            if not page.more:
                return news


class Kiosk:
    """One station's kiosk as its wire shows it."""

    def __init__(self, enrolment: Enrolment, known: Known, dice: Random) -> None:
        self.enrolment = enrolment
        self.headers = {"Authorization": f"Bearer {enrolment.bearer}"}
        self._known, self._dice = known, dice
        self._head = Head(0, FIRST_PREV)
        self._waiting: list[tuple[Fact, dict[str, object]]] = []
        self._pushing = asyncio.Lock()
        self._scan_of: dict[str, str] = {}
        self.aside: list[str] = []

    @property
    def station(self) -> str:
        """Where it stands."""
        return self.enrolment.station

    def scan(self, text: str, at: datetime) -> Shown:
        """A pass is held before it: judge, write down, show."""
        try:
            reading, refused = passes.read(text, self._known.keys), ""
        except passes.NotAPass:
            reading, refused = None, "foreign"
        except passes.Untrusted:
            reading, refused = None, "forged"
        vehicle, number = (reading.pass_.plate, reading.pass_.number) if reading else ("", "")
        loop = self._known.loops.in_force(self._known.loop.id, at) or self._known.loop
        policy = loop.policy_at(self.station)
        view = view_of(self._known.book, vehicle, self._known.loops, None, at) if vehicle else None
        paper = reading is not None and reading.pass_.paper
        if paper:
            self.record(PassCompared(pass_id=number, vehicle=vehicle, plate_read=vehicle, names_agree=True), at)
        gate = Gate(
            station=self.station,
            reading=reading,
            loop=loop,
            refused=refused,
            medium="paper" if paper else "screen",
            lists_age_s=20,
            offset_s=0.2,
            plate_read=vehicle if paper else "",
            names_agree=True if paper else None,
        )
        verdict = decide(view, gate, at, policy)
        shown = Shown(
            word=verdict.word,
            reasons=tuple(found.row.reason for found in verdict.reasons),
            next_step=verdict.next_step,
            until=verdict.until,
        )
        step_s = step_s_of(view, reading.pass_, policy) if reading else policy.step_s
        live = passes.is_live(reading, at, step_s, policy.steps_tolerated) if reading and not paper else None
        what = Scanned(
            digest=passes.digest(text),
            medium="paper" if paper else "screen",
            shown=shown,
            pass_id=number,
            vehicle=vehicle,
            generation=reading.pass_.generation if reading else 0,
            live=live,
            loop=verdict.loop,
            loop_version=verdict.loop_version,
            lists_age_s=20,
            offset_s=0.2,
        )
        self._scan_of[vehicle] = self.record(what, at)
        return shown

    def record(self, what: Happening, at: datetime) -> str:
        """Write down what happened; returns the fact's id."""
        vehicle = getattr(what, "vehicle", "")
        if getattr(what, "scan", None) == "" and vehicle in self._scan_of:
            what = msgspec.structs.replace(what, scan=self._scan_of[vehicle])
        fact = Fact(
            id=facts.uuid7(at, self._dice.randbytes(10)),
            at=at,
            witness=self.enrolment.witness,
            what=what,  # type: ignore[arg-type]  # every kind a script uses is one of the union
            by=self._dice.choice(self._known.staff) if self._known.staff and not isinstance(what, Scanned) else "",
            station=self.station,
        )
        body = facts.encode(fact)
        seq = self._head.seq + 1
        told = chained(self._head.hash, seq, body)
        self._waiting.append((fact, {"seq": seq, "prev": self._head.hash, "hash": told, "fact": msgspec.Raw(body)}))
        self._head = Head(seq, told)
        self._known.learn(fact)
        return fact.id

    async def push(self, client: httpx.AsyncClient, now: Callable[[], datetime]) -> int:
        """Send what waits; returns how many the server now holds. What it did not answer for stays."""
        sent = 0
        async with self._pushing:
            while self._waiting:
                batch = self._waiting[:BATCH]
                last = batch[-1][1]
                head = Head(int(str(last["seq"])), str(last["hash"]))
                body = {
                    "entries": [entry for _, entry in batch],
                    "head": {"seq": head.seq, "hash": head.hash, "signature": self.enrolment.signature(head)},
                    "sent_at": now(),
                }
                answer = await client.post("/api/v1/facts", content=msgspec.json.encode(body), headers=self.headers)
                answer.raise_for_status()
                got = msgspec.json.decode(answer.content, type=_Answer)
                aside = [item.id for item in got.set_aside]
                done = {*got.held, *aside}
                if not done:
                    break
                self.aside += aside
                self._waiting = [(fact, entry) for fact, entry in self._waiting if fact.id not in done]
                sent += len(got.held)
        return sent


async def enrolled(client: httpx.AsyncClient, token: str, known: Known, dice: Random) -> Kiosk:
    """A kiosk that spent its one-time token."""
    key = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
    answer = await client.post("/api/v1/enrol", json={"token": token, "public_key": key.public_key().public_bytes_raw().hex()})
    answer.raise_for_status()
    got = answer.json()
    enrolment = Enrolment(
        kiosk=got["kiosk"],
        station=got["station"],
        server=str(client.base_url),
        bearer=got["key"],
        private_key=key.private_bytes_raw().hex(),
    )
    return Kiosk(enrolment, known, dice)


class _Told(msgspec.Struct):
    fact: msgspec.Raw


class _Staff(msgspec.Struct):
    id: str


class _Issuer(msgspec.Struct):
    key_id: str
    public_key: str


class _Page(msgspec.Struct):
    facts: list[_Told]
    cursor: int
    more: bool
    staff: list[_Staff]
    issuers: list[_Issuer]


class _Aside(msgspec.Struct):
    id: str
    why: str = ""


class _Answer(msgspec.Struct):
    held: list[str]
    set_aside: list[_Aside]
