"""The time of a fleet: the past day first, as devices deliver late; then on, as the clock goes.

The law of this file: one heap holds each truck's next event, the earliest is played next, and the truck is answered. What is
played is put before an end (a kiosk, a device, the laboratory), and ends are pushed: all at once after the past, one by one
from then on. An end that cannot reach the server keeps what it has, and is pushed again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import monotonic
from typing import Any

import httpx

from checkpoint.config import Clock, Now
from checkpoint.core.facts import AlertAcknowledged, Alerted, Fact, PassGranted, ResultReported, Shown, SwabTaken, TubeSealed
from checkpoint.core.loop import Loop
from checkpoint.simulator.cast import CARRIERS, Role, begins
from checkpoint.simulator.devices import Credential, Device, Phone, Receiver, Sheet, Tracker
from checkpoint.simulator.offices import Laboratory, Office, Refused, Report
from checkpoint.simulator.road import Moment, Road
from checkpoint.simulator.script import Did, Event, Life, Moved, Showed, Truck, life
from checkpoint.simulator.stations import Kiosk, Known, enrolled
from checkpoint.simulator.terminal import Terminal

_log = logging.getLogger(__name__)
PULL_S = 2.0
POOL_SEALED_AFTER = timedelta(minutes=90)
STAFF = ("王芳", "李强", "张敏", "刘洋")


@dataclass(frozen=True)
class Sealing:
    """A pool that is to be closed."""

    tube: str
    station: str


@dataclass(frozen=True)
class Knowing:
    """A station that was told of a positive result says that it knows."""

    station: str
    warning: str
    vehicle: str


Duty = Report | Sealing | Knowing
"""What is due of an office or a station rather than of a truck."""


@dataclass
class Actor:
    """A truck on the stage: its role, its pass, its device, and where its script stands."""

    role: Role
    truck: Truck
    script: Life
    device: Device
    credential: Credential
    link: str
    unsent: list[Moment] = field(default_factory=list)


@dataclass
class Tally:
    """What was played and what the server holds of it."""

    facts: int = 0
    fixes: int = 0
    results: int = 0
    seconds: float = 0.0
    journeys: int = 0


class Fleet:
    """A fleet before a server. `prepare`, then `play_past`, then `play_on`. `gateway`: where trucks' own terminals connect."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        loop: Loop,
        roles: Sequence[Role],
        seed: int,
        now: Now,
        gateway: tuple[str, int] | None = None,
    ) -> None:
        self._gateway = gateway
        self._client, self._loop, self._roles, self._seed, self._now = client, loop, roles, seed, now
        self._road = Road(loop)
        self._known = Known(loop)
        self._kiosks: dict[str, Kiosk] = {}
        self._actors: list[Actor] = []
        self._laboratory = Laboratory(self._dice("laboratory"))
        self._due: list[Report] = []
        self._heap: list[tuple[datetime, int, Actor | None, Event | Duty]] = []
        self._order = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._offices: dict[str, Office] = {}
        self._carriers: dict[str, Office] = {}
        self.tally = Tally()
        self.begun = now()

    def _dice(self, name: str) -> Random:
        return Random(f"{self._seed}:{name}")  # noqa: S311 (a play, not a secret)

    # -- before the curtain ---------------------------------------------------------------------------------------------

    async def prepare(self, password: str, document: bytes, pin: str) -> None:
        """Sign in, invite the carriers, publish the loop, enrol a kiosk for each station, have passes granted, bind devices."""
        for role in ("administrator", "coordinator", "laboratory"):
            self._offices[role] = await Office.open(self._client, role, password)
        invite = self._offices["administrator"].invite
        for carrier in dict.fromkeys(role.carrier for role in self._roles):
            self._carriers[carrier] = await invite(CARRIERS[carrier], carrier, "carrier", carrier, password)
        coordinator = self._offices["coordinator"]
        await coordinator.publish(document)
        for name in STAFF:
            await coordinator.post("/api/v1/staff", {"name": name, "pin": pin})
        for station in self._loop.stations:
            token = (await coordinator.post("/api/v1/kiosks", {"station": station.id}))["token"]
            self._kiosks[station.id] = await enrolled(self._client, token, self._known, self._dice(station.id))
        await _side_by_side([self._appear(role) for role in self._roles], at_once=4)
        await self._pull()
        grants = {f.what.vehicle: f.what for f in self._known.book.of_kind(PassGranted) if isinstance(f.what, PassGranted)}
        for actor in self._actors:
            grant = grants[actor.role.plate]
            actor.truck.pass_id, actor.truck.crew = grant.pass_id, grant.crew
        self._actors.sort(key=lambda actor: [role.plate for role in self._roles].index(actor.role.plate))
        for actor in self._actors:
            self._next(actor, None)

    async def _appear(self, role: Role) -> None:
        """A truck gets its pass and its device."""
        start = begins(role, self._road, self.begun, lambda: self._dice(role.plate))
        wish = {
            "carrier": role.carrier,
            "vehicle": role.plate,
            "crew": [{"name": name} for name in role.crew],
            "loop": self._loop.id,
            "not_before": min(start, self.begun) - timedelta(hours=1),
            "expires": self.begun + timedelta(days=5),
        }
        request = (await self._carriers[role.carrier].post("/api/v1/pass-requests", wish))["request"]
        granted = await self._offices["coordinator"].post(f"/api/v1/pass-requests/{request}/grant", {})
        receiver = Receiver(self._dice(f"receiver {role.plate}"))
        phone = Phone(receiver)
        credential = await self._credential(role, phone, granted)
        device: Device = phone
        if role.tracker:
            bound = {"vehicle": role.plate, "since": wish["not_before"]}
            if role.terminal and self._gateway is not None:
                await self._offices["coordinator"].post("/api/v1/terminals", bound | {"number": role.terminal})
                device = Terminal(role.terminal, role.plate, receiver, *self._gateway)
            else:
                made = await self._offices["coordinator"].post("/api/v1/devices", bound)
                device = Tracker(made["key"], receiver)
        truck = Truck(vehicle=role.plate, pass_id="", crew=(), habits=role.habits, dice=self._dice(role.plate))
        script = life(truck, self._road, start)
        self._actors.append(Actor(role, truck, script, device, credential, str(granted.get("link", ""))))

    async def _credential(self, role: Role, phone: Phone, granted: dict[str, Any]) -> Credential:
        """The pass as the driver shows it. A guest's link is left unopened; that truck shows its sheet of paper."""
        if role.guest:
            return Sheet(str(granted["sheet"]))
        return await phone.open(self._client, str(granted["link"]))

    # -- the play -------------------------------------------------------------------------------------------------------

    def _next(self, actor: Actor, answer: Shown | None) -> None:
        try:
            event = actor.script.send(answer)
        except StopIteration:
            self.tally.journeys += 1
            return
        self._put(event.at, actor, event)

    def _put(self, at: datetime, actor: Actor | None, event: Event | Duty) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, actor, event))

    def _play(self, at: datetime, actor: Actor | None, event: Event | Duty) -> object:
        """Put one event before its end; returns the end, to be pushed."""
        if isinstance(event, Report):
            self._due.append(event)
            told = ResultReported(test="pcr", result=event.result, laboratory="", tube=event.tube, sampled_at=event.sampled_at)
            self._known.learn(Fact(id=f"told-{event.tube}", at=event.due, witness="lab:", what=told))
            return self._laboratory
        if isinstance(event, Sealing):
            self._kiosks[event.station].record(TubeSealed(tube=event.tube), at)
            return self._kiosks[event.station]
        if isinstance(event, Knowing):
            what = AlertAcknowledged(warning=event.warning, vehicle=event.vehicle, place=event.station)
            self._kiosks[event.station].record(what, at)
            return self._kiosks[event.station]
        assert actor is not None
        answer: Shown | None = None
        end: object
        if isinstance(event, Moved):
            actor.unsent.append(event.moment)
            end = None
            if not event.quiet:
                end = actor.device
                for moment in actor.unsent:
                    actor.device.see(moment)
                actor.unsent.clear()
        elif isinstance(event, Showed):
            end = kiosk = self._kiosks[event.station]
            answer = kiosk.scan(actor.credential.text_at(at.timestamp()), at)
        else:
            end = kiosk = self._kiosks[event.station]
            kiosk.record(event.what, at)
            self._swabbed(actor, event)
        self._next(actor, answer)
        return end

    def _swabbed(self, actor: Actor, event: Did) -> None:
        """A PCR swab goes to the laboratory; a pool that was begun is closed after a while."""
        what = event.what
        if not isinstance(what, SwabTaken) or what.test != "pcr":
            return
        ago = actor.role.result_ago
        due = self.begun - ago if ago is not None else None
        report = self._laboratory.takes(what.tube, event.at, actor.role.habits.pcr, due)
        if report is None:
            return
        self._put(report.due, None, report)
        if what.pooled:
            self._put(event.at + POOL_SEALED_AFTER, None, Sealing(what.tube, event.station))

    async def play_past(self) -> None:
        """Play all that lies before now, and have it delivered."""
        begun = monotonic()
        while self._heap and self._heap[0][0] <= self._now():
            at, _, actor, event = heapq.heappop(self._heap)
            self._play(at, actor, event)
        # Positions and results before what stations saw: a truck without a journey is not looked for, and a journey without
        # a track looks late, a swab without its result owed. The stations then speak all at once, or each looks skipped.
        await _side_by_side([self._push_device(actor.device) for actor in self._actors], at_once=6)
        await self._push_laboratory()
        await _side_by_side([self._push_kiosk(kiosk) for kiosk in self._kiosks.values()], at_once=len(self._kiosks))
        self.tally.seconds = monotonic() - begun

    async def play_on(self) -> None:
        """Play on as the clock goes, until the scripts end or this is cancelled."""
        pulling = asyncio.create_task(self._pulling())
        try:
            while self._heap:
                # An event may lie before others already played, when it was learnt late: it is then played at once.
                wait_s = (self._heap[0][0] - self._now()).total_seconds()
                if wait_s > 0:
                    await asyncio.sleep(min(self._now.real_s(wait_s) if isinstance(self._now, Clock) else wait_s, 1.0))
                    continue
                at, _, actor, event = heapq.heappop(self._heap)
                end = self._play(at, actor, event)
                self._push(end)
            await asyncio.gather(*self._tasks)
        finally:
            pulling.cancel()
            for task in self._tasks:
                task.cancel()

    def _push(self, end: object) -> None:
        """Have an end pushed beside the play."""
        if isinstance(end, Kiosk):
            pushed = self._push_kiosk(end)
        elif isinstance(end, Laboratory):
            pushed = self._push_laboratory()
        elif isinstance(end, Tracker | Phone | Terminal):
            pushed = self._push_device(end)
        else:
            return
        task = asyncio.create_task(_patiently(pushed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _push_kiosk(self, kiosk: Kiosk) -> None:
        sent = await kiosk.push(self._client, self._now)
        self.tally.facts += sent

    async def _push_device(self, device: Device) -> None:
        sent = await device.push(self._client)
        self.tally.fixes += sent

    async def _push_laboratory(self) -> None:
        due, self._due = self._due, []
        try:
            sent = await self._laboratory.send(self._offices["laboratory"], due)
        except (httpx.HTTPError, Refused):
            self._due = due + self._due
            raise
        self.tally.results += sent

    async def _pulling(self) -> None:
        while True:
            await _patiently(self._pull())
            await asyncio.sleep(PULL_S)

    async def _pull(self) -> None:
        for fact in await self._known.pull(self._client, self._kiosks[self._loop.origin]):
            what = fact.what
            if isinstance(what, Alerted):
                after = timedelta(minutes=self._dice(fact.id).uniform(2, 9))
                self._put(fact.at + after, None, Knowing(what.place, what.warning, what.vehicle))

    # -- for whoever watches --------------------------------------------------------------------------------------------

    def guests(self) -> list[tuple[Role, str]]:
        """Whose pass is left to the person watching, and the link to it."""
        return [(actor.role, actor.link) for actor in self._actors if actor.role.guest]

    def aside(self) -> list[str]:
        """Ids of facts that the server set aside: there should be none."""
        return [fact_id for kiosk in self._kiosks.values() for fact_id in kiosk.aside]


async def _patiently(pushed: Coroutine[Any, Any, None]) -> None:
    """A push that may fail: what was not sent is kept by its end, and goes with the next."""
    try:
        await pushed
    except (httpx.HTTPError, Refused) as error:
        _log.warning("not sent now: %s", error)


async def _side_by_side(pushes: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """Run them all, so many at a time; the first failure ends the rest and is raised as it is."""
    waiting = list(pushes)

    async def worker() -> None:
        while waiting:
            await waiting.pop(0)

    workers = [asyncio.create_task(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        for never in waiting:
            never.close()
