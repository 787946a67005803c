"""A small fleet on the demonstration's loop, made of facts and readings: what the board's tests look at.

Every truck is in one of the states that the board tells apart. Nothing here asks for a network or a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import checkpoint.demo
from checkpoint.core.book import Book
from checkpoint.core.facts import (
    AlertAcknowledged,
    Alerted,
    AntigenRead,
    CheckedIn,
    Cited,
    Entered,
    Fact,
    Happening,
    Left,
    Loaded,
    LoopPublished,
    PassGranted,
    Scanned,
    Shown,
    SwabTaken,
    Voided,
    WarningAnswered,
    WarningRaised,
)
from checkpoint.core.fixes import Crossing, DeviceAlarm
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import Leg, Loop, Loops, parse
from checkpoint.core.rules import judge
from checkpoint.core.track import Episode, Fix, TrackReading
from checkpoint.core.verdict import Judgement
from checkpoint.watch import Pulse

DOCUMENT = (Path(checkpoint.demo.__file__).parent / "loop.json").read_text(encoding="utf-8")
NOW = datetime(2026, 5, 3, 6, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Look(NamedTuple):
    """What the watch would know of a vehicle."""

    view: View
    judgement: Judgement


@cache
def loop() -> Loop:
    """The demonstration's loop."""
    return parse(DOCUMENT)


class StillWatch:
    """A watch that saw what it was given, and looks no further."""

    def __init__(self, looks: dict[str, Look]) -> None:
        self._looks = looks
        self.seen: list[set[str]] = []

    def looks(self) -> dict[str, Look]:
        return self._looks

    def look(self, vehicle: str) -> Look | None:
        return self._looks.get(vehicle)

    def noticed(self, vehicles: set[str]) -> None:
        self.seen.append(set(vehicles))

    def pulse(self) -> Pulse:
        return Pulse(running=True, age_s=0.0, rounds=1, rounds_s=0.1, read_to=0)

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Told:
    """Facts in the telling; each gets an id of its own."""

    def __init__(self, plate: str, number: int, carrier: str = "carrier-1") -> None:
        self.plate, self.pass_id, self.person = plate, f"330304-{number:07d}", f"p-{number:04d}"
        self.facts: list[Fact] = []
        self.say(
            PassGranted(
                pass_id=self.pass_id, generation=1, vehicle=plate, crew=(self.person,), loop=loop().id, carrier=carrier,
                not_before=NOW - 48 * HOUR, expires=NOW + 96 * HOUR,
            ),
            NOW - 48 * HOUR,
            witness="desk:coordinator",
        )  # fmt: skip

    def say(self, what: Happening, at: datetime, station: str = "", witness: str = "", by: str = "staff-1") -> str:
        fact_id = f"{self.pass_id}-{len(self.facts)}"
        witness = witness or (f"kiosk:{station}" if station else "server")
        self.facts.append(Fact(id=fact_id, at=at, witness=witness, what=what, by=by, station=station))  # type: ignore[arg-type]
        return fact_id

    def scanned(self, station: str, at: datetime, word: str = "GO", reason: str = "in-order", step: str = "drive-on") -> None:
        shown = Shown(word=word, reasons=(reason,), next_step=step)  # type: ignore[arg-type]
        self.say(
            Scanned(digest="0" * 32, medium="screen", shown=shown, pass_id=self.pass_id, vehicle=self.plate, loop=loop().id),
            at, station,
        )  # fmt: skip
        self.say(Entered(vehicle=self.plate, pass_id=self.pass_id), at, station)

    def left(self, station: str, at: datetime) -> None:
        self.say(Left(vehicle=self.plate, pass_id=self.pass_id), at, station)

    def loaded(self, at: datetime) -> None:
        self.scanned("ouhai-depot", at - 20 * MINUTE)
        self.say(Loaded(vehicle=self.plate, pass_id=self.pass_id, parcels_count=640, seal="S-001"), at, "ouhai-depot")
        self.left("ouhai-depot", at + 10 * MINUTE)

    def sampled(self, at: datetime, *, read: bool, station: str = "ouhai-sampling") -> None:
        self.say(SwabTaken(specimen=f"a-{self.pass_id}", person=self.person, test="antigen", vehicle=self.plate), at, station)
        self.say(
            SwabTaken(specimen=f"s-{self.pass_id}", person=self.person, test="pcr", vehicle=self.plate, tube=f"T{self.pass_id}"),
            at + MINUTE, station,
        )  # fmt: skip
        if read:
            self.say(AntigenRead(specimen=f"a-{self.pass_id}", person=self.person, result="negative"), at + 16 * MINUTE, station)

    def warned(self, kind: str, colour: str, since: datetime, evidence: Sequence[Cited] = (), subject: str = "") -> str:
        return self.say(
            WarningRaised(
                finding=kind, vehicle=self.plate, colour=colour, since=since,  # type: ignore[arg-type]
                subject=subject or f"vehicle:{self.plate}", evidence=tuple(evidence), loop=loop().id, loop_version=1,
            ),
            since + MINUTE,
        )  # fmt: skip

    def look(self, leg: Leg | None = None, share: float = 0.0, station: str = "", minutes_ago: int = 1, **more: object) -> Look:
        """Judge it, with a track that ends at a share of a leg."""
        plan = loop()
        track = None
        if leg is not None:
            along_m = plan.paths[leg].length_m * share
            lon, lat = plan.paths[leg].at(along_m)
            lon += float(str(more.pop("east", 0)))
            at = NOW - minutes_ago * MINUTE
            fix = Fix(device=f"d-{self.plate}", fixed_at=at, lat=round(lat, 6), lon=round(lon, 6), accuracy_m=8, speed_kmh=72)
            values: dict[str, object] = {
                "last": fix, "placed": fix, "pace": 1.05, "pace_s": 3_000.0,
                "leg": leg, "along_m": along_m, "off_m": 12.0, "station": station, "interval_s": 60.0,
                "place": "on", "fixes_count": 100,
            } | more  # fmt: skip
            track = TrackReading(**values)  # type: ignore[arg-type]
        view = view_of(Book(self.facts), self.plate, Loops([plan]), track, NOW)
        return Look(view, judge(view, NOW))


class Fleet(NamedTuple):
    """Looks by plate, and every fact told, the publication of the loop first."""

    looks: dict[str, Look]
    facts: tuple[Fact, ...]


_SEEN = Cited(what="fix", at=NOW - MINUTE, values={"lat": 29.4, "lon": 121.4, "off_m": 190, "accuracy_m": 14})
_ALARM = DeviceAlarm(
    name="route-deviation", device="terminal-139", since=NOW - 28 * MINUTE, seen_until=NOW - MINUTE, until=None,
    fixes_count=27, farthest_m=42.0, evidence=(_SEEN,),
)  # fmt: skip
# A truck of which something is only suspected, whose terminal says what we do not find, and whose phone crossed a boundary.
DOUBTED: dict[str, Any] = {
    "episodes": (Episode(kind="off-loop", since=NOW - MINUTE, confirmed_at=None, until=None, evidence=(_SEEN,)),),
    "alarms": (_ALARM,),
    "crossings": (Crossing(station="taizhou-service", entered=True, at=NOW - 50 * MINUTE, device="phone", outside_m=240.0),),
}


@cache
def fleet() -> Fleet:
    """Twelve trucks: driving, at stations, waiting for a reading, resting, overstaying, off the loop, silent, tested positive."""
    told: list[Told] = []
    looks: dict[str, Look] = {}

    def truck(plate: str, carrier: str = "carrier-1") -> Told:
        told.append(Told(plate, len(told) + 17, carrier))
        return told[-1]

    def keep(one: Told, look: Look) -> None:
        looks[one.plate] = look

    for plate, share in (("浙C10086", 0.12), ("浙C20718", 0.44), ("浙CD01234", 0.47), ("沪A55T21", 0.83)):
        one = truck(plate, "carrier-2" if plate.startswith("沪") else "carrier-1")
        one.loaded(NOW - 9 * HOUR * share - HOUR)
        keep(one, one.look("outbound", share, **DOUBTED if plate == "浙C20718" else {}))
    for plate, share in (("浙C33R07", 0.30), ("浙C90211", 0.62)):
        one = truck(plate)
        one.loaded(NOW - 20 * HOUR)
        one.scanned("jiading-depot", NOW - 11 * HOUR)
        one.left("jiading-depot", NOW - 10 * HOUR)
        keep(one, one.look("inbound", share))

    off = truck("浙C47T35")
    off.loaded(NOW - 5 * HOUR)
    since = NOW - 22 * MINUTE
    cited = (
        Cited(what="fix", at=since, values={"lat": 29.81234, "lon": 121.50321, "off_m": 640, "accuracy_m": 12}),
        Cited(what="fix", at=since + 3 * MINUTE, values={"lat": 29.82, "lon": 121.52, "off_m": 2100, "accuracy_m": 9}),
    )
    off.warned("off-loop", "red", since, cited, subject="off-loop")
    episode = Episode(kind="off-loop", since=since, confirmed_at=since + MINUTE, until=None, evidence=cited)
    keep(off, off.look("outbound", 0.57, east=0.12, off_m=11400.0, place="off", episodes=(episode,)))

    silent = truck("浙C66N02")
    silent.loaded(NOW - 4 * HOUR)
    silent.warned(
        "silent", "red", NOW - 70 * MINUTE, (Cited(what="fix", at=NOW - 80 * MINUTE, values={"lat": 29.1, "lon": 121.3}),)
    )
    keep(silent, silent.look("outbound", 0.36, minutes_ago=80))

    waiting = truck("浙C71K90")
    waiting.loaded(NOW - 21 * HOUR)
    waiting.scanned("jiading-depot", NOW - 12 * HOUR)
    waiting.left("jiading-depot", NOW - 11 * HOUR)
    waiting.scanned("ouhai-sampling", NOW - 9 * MINUTE, "HOLD", "antigen-unread", "wait-timer")
    waiting.sampled(NOW - 8 * MINUTE, read=False)
    keep(waiting, waiting.look("inbound", 0.985, "ouhai-sampling", at_rest_since=NOW - 10 * MINUTE))

    resting = truck("浙C82Q16")
    resting.loaded(NOW - 30 * HOUR)
    resting.scanned("ouhai-rest", NOW - 8 * HOUR)
    resting.sampled(NOW - 9 * HOUR, read=True)
    resting.say(CheckedIn(vehicle=resting.plate, persons=(resting.person,), bay="A03", beds=("1",)), NOW - 8 * HOUR, "ouhai-rest")
    keep(resting, resting.look("inbound", 0.99, "ouhai-rest", at_rest_since=NOW - 8 * HOUR))

    over = truck("浙C05W58")
    over.loaded(NOW - 44 * HOUR)
    over.scanned("ouhai-rest", NOW - 27 * HOUR)
    over.say(CheckedIn(vehicle=over.plate, persons=(over.person,), bay="B07", beds=("2",)), NOW - 27 * HOUR, "ouhai-rest")
    warning = over.warned(
        "overstay", "yellow", NOW - 3 * HOUR, (Cited(what="CheckedIn", at=NOW - 27 * HOUR, values={"bay": "B07"}),)
    )
    over.say(
        WarningAnswered(warning=warning, vehicle=over.plate, answer="已联系司机,十四时前离站。"), NOW - 2 * HOUR, by="staff-1",
        witness="desk:coordinator",
    )  # fmt: skip
    keep(over, over.look("inbound", 0.99, "ouhai-rest", at_rest_since=NOW - 27 * HOUR))

    positive = truck("浙C18L44")
    positive.loaded(NOW - 7 * HOUR)
    positive.sampled(NOW - 8 * HOUR, read=True)
    swabbed = (
        Cited(what="SwabTaken", at=NOW - 8 * HOUR, values={"specimen": "s-1", "test": "pcr", "station": "ouhai-sampling"}),
    )
    warning = positive.warned("positive-result", "red", NOW - 12 * MINUTE, swabbed)
    for order, place in enumerate(("jinshan-gate", "jiading-depot")):
        positive.say(Alerted(warning=warning, vehicle=positive.plate, place=place, order=order), NOW - 11 * MINUTE)
    positive.say(AlertAcknowledged(warning=warning, vehicle=positive.plate, place="jinshan-gate"), NOW - 6 * MINUTE)
    mistaken = positive.say(Left(vehicle=positive.plate, pass_id=positive.pass_id), NOW - 5 * HOUR, "wenzhou-south-gate")
    positive.say(Voided(target=mistaken, reason="扫错车辆"), NOW - 4 * HOUR, witness="desk:coordinator")
    keep(positive, positive.look("outbound", 0.71))

    queue = truck("浙C29H63")
    queue.loaded(NOW - 26 * HOUR)
    queue.warned(
        "queue-long",
        "yellow",
        NOW - 4 * MINUTE,
        (Cited(what="arrival", at=NOW - 19 * MINUTE, values={"station": "ouhai-sampling"}),),
    )
    keep(queue, queue.look("inbound", 0.985, "ouhai-sampling", at_rest_since=NOW - 19 * MINUTE))

    idle = truck("浙C00001")
    keep(idle, idle.look())

    published = LoopPublished(loop=loop().id, version=1, document=DOCUMENT)
    first = Fact(id="loop-published", at=NOW - 90 * HOUR, witness="desk:coordinator", what=published)
    return Fleet(looks, (first, *(fact for one in told for fact in one.facts)))
