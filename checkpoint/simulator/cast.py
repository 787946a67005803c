"""Who plays what: one row a truck, so that all of the board's stories can be read here before they are seen there.

`Cue` says where in its day a truck is when the curtain rises: at so many kilometres of a leg, or so long after somebody at a
station wrote something down. Its script then begins as much earlier as it takes to get there. Names and plates are invented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from checkpoint.core.facts import AntigenRead, CheckedIn, Happening, Loaded, Shown, SwabTaken, Unloaded
from checkpoint.core.loop import Leg
from checkpoint.simulator.road import Road
from checkpoint.simulator.script import Did, Event, Habits, Moved, Showed, Truck, life


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A moment of a script: on a leg at so many kilometres, or when `what` was written down. `ago` says how long ago that
    moment is when the curtain rises."""

    leg: Leg | None = None
    km: float = 0.0
    what: type[Happening] | None = None
    ago: timedelta = timedelta()

    def met(self, event: Event) -> bool:
        """Whether this event is the moment."""
        if self.what is not None:
            return isinstance(event, Did) and isinstance(event.what, self.what)
        return isinstance(event, Moved) and event.moment.leg == self.leg and event.moment.along_m >= self.km * 1000


@dataclass(frozen=True, kw_only=True)
class Role:
    """One truck of the cast.

    `plays` ends the catalogue key that says what is to be seen. `tracker`: a Traccar client reports its positions; else the
    driver's phone does. `terminal`: the number of the truck's own terminal, which reports in their place to a server that hears
    terminals. `guest`: the link to its pass is left to the person watching. `result_ago`: the laboratory reports its PCR that
    long before now.
    """

    plate: str
    crew: tuple[str, ...]
    carrier: str
    habits: Habits
    cue: Cue
    plays: str
    tracker: bool = False
    terminal: str = ""
    guest: bool = False
    result_ago: timedelta | None = None


def _m(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


_FIRST, _SECOND, _THIRD = "瓯海保供车队", "浙南物流", "潘桥运输"
# The sign-in name of each carrier.
CARRIERS = {_FIRST: "carrier", _SECOND: "carrier-2", _THIRD: "carrier-3"}
CAST: tuple[Role, ...] = (
    Role(plate="浙C1K026", crew=("陈志远",), carrier=_FIRST, tracker=True, guest=True,
         plays="guest",
         habits=Habits(cruise_kmh=77), cue=Cue(leg="outbound", km=36)),
    Role(plate="浙C2M518", crew=("林建国", "林小军"), carrier=_FIRST, plays="past-taizhou",
         habits=Habits(cruise_kmh=79), cue=Cue(leg="outbound", km=131)),
    Role(plate="浙C3F907", crew=("周海燕",), carrier=_SECOND, plays="at-the-break",
         habits=Habits(cruise_kmh=76), cue=Cue(leg="outbound", km=265.9, ago=_m(9))),
    Role(plate="浙CD80316", crew=("吴国强",), carrier=_THIRD, tracker=True, terminal="10000000316", plays="on-the-bridge",
         habits=Habits(cruise_kmh=80), cue=Cue(leg="outbound", km=341)),
    Role(plate="浙C5P331", crew=("黄晓东", "郑丽"), carrier=_SECOND, plays="near-destination",
         habits=Habits(cruise_kmh=78), cue=Cue(leg="outbound", km=438)),
    Role(plate="浙C6R742", crew=("徐伟民",), carrier=_FIRST, plays="unloading",
         habits=Habits(cruise_kmh=78), cue=Cue(what=Unloaded, ago=_m(2))),
    Role(plate="浙C7A159", crew=("孙立新",), carrier=_THIRD, plays="leaving-shanghai",
         habits=Habits(cruise_kmh=77), cue=Cue(leg="inbound", km=52)),
    Role(plate="浙C8B264", crew=("朱文斌",), carrier=_FIRST, plays="south-of-the-bay",
         habits=Habits(cruise_kmh=79), cue=Cue(leg="inbound", km=171)),
    Role(plate="浙CF27185", crew=("高永康", "何晴"), carrier=_SECOND, plays="in-ninghai",
         habits=Habits(cruise_kmh=76, rests_h=9, bay="A05", bed="109"), cue=Cue(leg="inbound", km=263)),
    Role(plate="浙C0D483", crew=("罗成",), carrier=_THIRD, plays="in-linhai",
         habits=Habits(cruise_kmh=78), cue=Cue(leg="inbound", km=372)),
    Role(plate="浙C1E590", crew=("梁志军",), carrier=_FIRST, plays="almost-home",
         habits=Habits(cruise_kmh=80), cue=Cue(leg="inbound", km=447)),
    Role(plate="浙C2G671", crew=("宋佳明",), carrier=_SECOND, tracker=True, terminal="10000000671", plays="strays",
         habits=Habits(cruise_kmh=74, strays=(166, 31, 2400)), cue=Cue(leg="outbound", km=167.5, ago=_m(8))),
    Role(plate="浙C3H762", crew=("谢东升",), carrier=_THIRD, plays="silent",
         habits=Habits(cruise_kmh=75, quiet=("outbound", 64, 118)), cue=Cue(leg="outbound", km=64, ago=_m(19))),
    Role(plate="浙C4J853", crew=("韩雪峰", "唐敏"), carrier=_FIRST,
         plays="waits-for-reading",
         habits=Habits(cruise_kmh=78), cue=Cue(what=SwabTaken, ago=_m(9))),
    Role(plate="浙C5L944", crew=("冯建平",), carrier=_SECOND, plays="asleep",
         habits=Habits(cruise_kmh=77, rests_h=11, rests_first=True, bay="A03", bed="105"),
         cue=Cue(what=CheckedIn, ago=_m(7 * 60 + 40))),
    Role(plate="浙C6N135", crew=("邓少华", "曹磊"), carrier=_THIRD, plays="overstays",
         habits=Habits(cruise_kmh=77, rests_h=29, rests_first=True, bay="B07", bed="117"),
         cue=Cue(what=CheckedIn, ago=_m(25 * 60 + 30))),
    Role(plate="浙C7Q226", crew=("彭春明",), carrier=_FIRST, tracker=True,
         plays="positive",
         habits=Habits(cruise_kmh=78, pcr="positive"), cue=Cue(leg="outbound", km=214), result_ago=_m(1.5)),
    Role(plate="浙C8S317", crew=("曾庆华",), carrier=_SECOND, plays="not-left",
         habits=Habits(cruise_kmh=78, lingers_min=95), cue=Cue(what=Loaded, ago=_m(58))),
    Role(plate="浙CB09408", crew=("萧俊杰",), carrier=_THIRD, plays="just-loaded",
         habits=Habits(cruise_kmh=78, pooled="POOL-0418-07"), cue=Cue(what=Loaded, ago=_m(4))),
    Role(plate="浙C0T599", crew=("田野",), carrier=_FIRST,
         plays="goes-on",
         habits=Habits(cruise_kmh=78, pooled="POOL-0418-07"), cue=Cue(what=AntigenRead, ago=_m(1))),
)  # fmt: skip


def crowd(count: int, dice: Random) -> tuple[Role, ...]:
    """As many trucks as wanted, each with one lap that is over: for measuring."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return tuple(
        Role(
            plate=f"浙C{letters[i // 1000 % 24]}{letters[dice.randrange(24)]}{i % 1000:03d}",
            crew=(f"司机{i + 1}",),
            carrier=_FIRST,
            plays="one-lap",
            tracker=i % 3 == 0,
            habits=Habits(cruise_kmh=dice.uniform(72, 82), laps=1),
            cue=Cue(what=SwabTaken, ago=timedelta(hours=16) + timedelta(hours=7) * dice.random()),
        )
        for i in range(count)
    )


def begins(role: Role, road: Road, now: datetime, dice: Callable[[], Random]) -> datetime:
    """When a role's script begins so that its cue is where it should be at `now`. Plays the script once, for nobody."""
    start = now - timedelta(days=7)
    truck = Truck(vehicle=role.plate, pass_id="0-0", crew=role.crew, habits=role.habits, dice=dice())  # noqa: S106 (a number)
    script = life(truck, road, start)
    answer: Shown | None = None
    tested = out = False
    while True:
        event = script.send(answer)
        # The sampling station lies on the way back, and is where a day begins: that is not yet the way back.
        out = out or (isinstance(event, Moved) and event.moment.leg == "outbound")
        if role.cue.met(event) and (out or role.cue.leg != "inbound"):
            return now - role.cue.ago - (event.at - start)
        answer = None
        if isinstance(event, Showed):
            # As at a first coming: nothing is known of the crew, and later everything is in order.
            answer = Shown(word="GO", reasons=() if tested else ("evidence-missing",), next_step="drive-on")
            tested = True
