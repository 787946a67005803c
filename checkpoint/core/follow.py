"""Follow one vehicle along its loop, one fix at a time and in order.

The law of this file: `step` takes the next fix and never looks back further than what the follower keeps; nothing kept
is ever changed in place, so that `fork` gives a place to read on from again when a late fix comes in before it.

What a fix goes through, in this order: can it be used, could the truck have come here, which station is it in, where on
which line is it; then the watchers are told. A leg changes where trucks turn: after the two points and the stations
around them, after a silence long enough to have turned there, or when the truck is plainly on the other line alone. In
between, driving back along a road that both legs share is what it looks like: the wrong way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from math import atan2, cos, degrees, inf, radians, sin
from typing import Literal, NamedTuple, TypeVar

from checkpoint.core import geo
from checkpoint.core.episodes import SLOW_KMH, Step, Unknown, WrongWay
from checkpoint.core.fixes import Episode, Fix, TrackReading, TrackVisit
from checkpoint.core.loop import LEGS, Leg
from checkpoint.core.offloop import OffLoop
from checkpoint.core.pace import Pace
from checkpoint.core.passing import Passing
from checkpoint.core.rests import Rest
from checkpoint.core.said import Said
from checkpoint.core.shift import DatumSuspect
from checkpoint.core.shortcut import Shortcut
from checkpoint.core.ways import Fence, Match, Ways

ASSUMED_ACCURACY_M = 15.0  # of a device that does not say
_ACCURACY_CAP_M = 100.0  # a device that claims less accuracy than this is not excused further
_GAP_S = 600.0
_GAP_INTERVALS = 4.0
_CRUISE_MS = 25.0
_PAUSE_S = 60.0  # between two fixes so far apart a truck may have stood
_EDGE_M = 30.0  # leaving a station is believed beyond this
_FAR_M = 300.0  # ... or by one fix beyond this
_DRIVES_KMH, _DRIVES_M = 5.0, 15.0  # less than this is a receiver at rest
_VOTES_M = 50.0  # a poorer fix does not say which leg it is
_AGREEING = 3  # fixes that must agree on a place the truck could not have reached
_DEFAULT_INTERVAL_S = 60.0
_T = TypeVar("_T")
_OTHER: dict[Leg, Leg] = {"outbound": "inbound", "inbound": "outbound"}


class _OnLine:
    """Where the truck was last on one line, and the ground covered since then and since the whole line was searched."""

    __slots__ = ("along_m", "reach_m", "searched_m")

    def __init__(self, along_m: float | None = None, reach_m: float = 0.0, searched_m: float = inf) -> None:
        self.along_m = along_m
        self.reach_m = reach_m
        self.searched_m = searched_m

    def fork(self) -> _OnLine:
        return _OnLine(self.along_m, self.reach_m, self.searched_m)


class _Out(NamedTuple):
    """Fixes outside the boundary of a station that are not believed yet: since when, how far the first was, how many of
    them show a truck that drives, and how far the last such was."""

    at: datetime
    metres: float
    driving: int
    seen_m: float


class _Inside:
    """An open visit: since when, the last fix inside, those outside that are not believed yet."""

    __slots__ = ("fence", "last", "out", "since")

    def __init__(self, fence: Fence, since: datetime, last: datetime, out: _Out | None = None) -> None:
        self.fence = fence
        self.since = since
        self.last = last
        self.out = out


class _Doubted(NamedTuple):
    """Fixes of one device that the truck could not have reached: the first, the last, how many, and whether another
    device went on reporting from within reach."""

    first: Fix
    last: Fix
    fixes: int
    contested: bool


class Follower:
    """All that is kept of a track up to some fix."""

    def __init__(self, ways: Ways) -> None:
        policy = ways.loop.policy
        self.ways = ways
        self.count = 0
        self.last: Fix | None = None
        self._last_s = 0.0
        self._quiet_s = 0.0  # the longest silence since the fix that was believed last
        self._believed: Step | None = None
        self._doubted: _Doubted | None = None
        self._lines = {leg: _OnLine() for leg in LEGS}
        self._leg: Leg | None = None
        self._undecided = True
        self._base: dict[Leg, float] = {}
        self._votes: tuple[Leg | None, int] = (None, 0)
        self._elsewhere = 0
        self._inside: tuple[_Inside, ...] = ()
        self._clear_m = 0.0  # no station is nearer than this
        self._rhythm: dict[str, tuple[float, tuple[float, ...]]] = {}
        self.visits: tuple[TrackVisit, ...] = ()
        self.episodes: tuple[Episode, ...] = ()
        self._off = OffLoop(ways)
        self._wrong = WrongWay(policy)
        self._unknown = Unknown(policy)
        self._datum = DatumSuspect()
        self._rest = Rest(policy)
        self._shortcut = Shortcut(ways)
        self._said = Said()
        self._pace = Pace()
        self._passing = Passing()

    def fork(self) -> Follower:
        """A copy to read on from."""
        twin = object.__new__(Follower)
        twin.__dict__.update(self.__dict__)
        twin._lines = {leg: line.fork() for leg, line in self._lines.items()}
        twin._rhythm = dict(self._rhythm)
        twin._off, twin._wrong, twin._unknown = self._off.fork(), self._wrong.fork(), self._unknown.fork()
        twin._datum, twin._rest, twin._said = self._datum.fork(), self._rest.fork(), self._said.fork()
        twin._shortcut = self._shortcut.fork()
        twin._pace, twin._passing = self._pace.fork(), self._passing.fork()
        return twin

    def forget(self, before: datetime) -> None:
        """Let go of visits and episodes that ended before an instant, and of what devices said and was passed before it."""
        self.visits = tuple(v for v in self.visits if v.until is None or v.until >= before)
        self.episodes = tuple(e for e in self.episodes if e.until is None or e.until >= before)
        self._said.forget(before)
        self._passing.forget(before)

    # -- one fix --------------------------------------------------------------------------------------------------------

    def step(self, fix: Fix) -> None:
        """Take the next fix."""
        at_s = fix.fixed_at.timestamp()
        self._keep_rhythm(fix.device, at_s)
        quiet_s = at_s - self._last_s if self.last is not None else 0.0
        self.count += 1
        self.last, self._last_s = fix, at_s
        self._quiet_s = max(self._quiet_s, quiet_s)
        self._said.step(fix, self.ways)
        if not self._usable(fix):
            self._close(self._unknown.unusable(fix, self._is_gap(quiet_s)))
            return
        if (known_again := self._unknown.usable()) is not None:
            self._close(known_again)
        step = self._reached(fix, at_s)
        if step is None:
            return
        self._visit(step)
        self._place(step)
        self._watch(step)
        self._believed, self._quiet_s = step, 0.0
        self._said.placed(step)

    def _usable(self, fix: Fix) -> bool:
        if not fix.stands_for_a_place or (fix.lat == 0 and fix.lon == 0):  # 0, 0 is what receivers say when they know nothing
            return False
        if not (-90 < fix.lat < 90 and -180 <= fix.lon <= 180):
            return False
        return fix.accuracy_m is None or fix.accuracy_m <= self.ways.loop.policy.accuracy_ignored_m

    def _keep_rhythm(self, device: str, at_s: float) -> None:
        before = self._rhythm.get(device)
        gaps = before[1] if before is not None else ()
        if before is not None and at_s > before[0] and not self._rest.standing:
            gaps = (*gaps[-8:], at_s - before[0])
        self._rhythm[device] = at_s, gaps

    @property
    def interval_s(self) -> float:
        """The rhythm of the device that reports most often now: the middle of its recent gaps while moving."""
        middles = [
            sorted(gaps)[len(gaps) // 2] for at_s, gaps in self._rhythm.values() if len(gaps) >= 3 and at_s > self._last_s - 3600
        ]
        return min(middles, default=_DEFAULT_INTERVAL_S)

    def _is_gap(self, dt_s: float) -> bool:
        return dt_s > _GAP_S and dt_s > _GAP_INTERVALS * self.interval_s

    # -- could the truck have come here ---------------------------------------------------------------------------------

    def _reached(self, fix: Fix, at_s: float) -> Step | None:
        """The step from the last believed fix; None when it is out of reach and must be doubted."""
        said = fix.accuracy_m
        accuracy = ASSUMED_ACCURACY_M if said is None or said <= 0 else max(said, 1.0)
        place, scale = (fix.lon, fix.lat), geo.scale_m(fix.lat)
        before = self._believed
        dt_s = moved = 0.0
        leaped = gap = False
        if before is not None:
            dt_s = at_s - before.at_s
            moved = geo.apart_m((before.fix.lon, before.fix.lat), place, scale)
            gap = self._is_gap(dt_s)
            slack = accuracy + before.accuracy_m + 30
            if moved > slack + dt_s * 1.5 * self.ways.loop.policy.max_speed_kmh / 3.6:
                if not self._agreed(fix, at_s):
                    return None
                leaped = gap = True
            elif not gap:
                leaped = _displaced(before, fix, dt_s, moved, accuracy)
        if self._doubted is not None:
            contested = not leaped and self._doubted.last.device != fix.device
            self._doubted = self._doubted._replace(contested=True) if contested else None
        speed = fix.speed_kmh if fix.speed_kmh is not None else moved / dt_s * 3.6 if dt_s else 0.0
        return Step(
            fix=fix,
            at_s=at_s,
            dt_s=dt_s,
            quiet_s=self._quiet_s,
            moved_m=moved,
            gap=gap,
            leaped=leaped,
            speed_kmh=speed,
            accuracy_m=accuracy,
            scale=scale,
            leg=None,
            match=_NOWHERE,
            excess_m=inf,
            back_in=False,
            station="",
        )

    def _agreed(self, fix: Fix, at_s: float) -> bool:
        """Whether enough doubted fixes of one device agree with each other that the truck must be there after all.

        Against another device that goes on reporting from elsewhere, the one that moves is believed over the one that lies
        still: a phone left behind does not hide where the truck is.
        """
        doubted = self._doubted
        if doubted is None or doubted.last.device != fix.device or not self._near(doubted.last, fix):
            if doubted is None or not doubted.contested or doubted.last.device == fix.device:
                self._doubted = _Doubted(fix, fix, 1, False)
            return False
        self._doubted = doubted = doubted._replace(last=fix, fixes=doubted.fixes + 1)
        if doubted.fixes < _AGREEING or at_s - doubted.first.fixed_at.timestamp() < self.ways.loop.policy.confirm_s:
            return False
        gone = geo.distance_m((doubted.first.lon, doubted.first.lat), (fix.lon, fix.lat))
        return not doubted.contested or (gone > _FAR_M and self._rest.standing)

    def _near(self, a: Fix, b: Fix) -> bool:
        apart = geo.distance_m((a.lon, a.lat), (b.lon, b.lat))
        return apart <= 100 + (b.fixed_at - a.fixed_at).total_seconds() * 1.5 * self.ways.loop.policy.max_speed_kmh / 3.6

    # -- which station --------------------------------------------------------------------------------------------------

    def _visit(self, step: Step) -> None:
        self._clear_m -= step.moved_m
        if not self._inside and self._clear_m > 0:
            return
        places, allowed = self._datum.places(step), min(step.accuracy_m, _ACCURACY_CAP_M)
        if not self._inside:
            self._clear_m = min([self.ways.clear_m(place, step.scale) for place in places])
            if self._clear_m > 0:
                return
        inside = {v.fence.station: v for v in self._inside}
        kept: list[_Inside] = []
        for fence in self.ways.fences:
            outside = min([fence.outside_m(place) for place in places])
            visit = inside.get(fence.station)
            if outside == 0.0:
                if visit is not None:
                    visit = _Inside(fence, visit.since, step.fix.fixed_at)
                elif not step.leaped or step.gap:
                    visit = _Inside(fence, step.fix.fixed_at, step.fix.fixed_at)
            elif visit is not None:
                visit = self._leaving(visit, step, outside, allowed)
            if visit is not None:
                kept.append(visit)
            if not step.station and (visit is not None or outside <= allowed):
                step.station = fence.station
        self._inside = tuple(kept)

    def _leaving(self, visit: _Inside, step: Step, outside: float, allowed: float) -> _Inside | None:
        """The visit as it stands after a fix outside the boundary; None when the truck has left.

        A truck leaves by driving. A receiver at rest that is sure of another place stands there too: that alone must last
        as long as a stop before it is believed.
        """
        if outside <= _EDGE_M + allowed:
            return _Inside(visit.fence, visit.since, step.fix.fixed_at)
        out = visit.out or _Out(step.fix.fixed_at, min(outside, step.moved_m), 0, outside)
        # Where a device says no speed and reports every second, one step is too short to show driving; several are not.
        farther = step.fix.speed_kmh is None and not step.leaped and outside - out.seen_m > _DRIVES_M + step.accuracy_m
        if farther or _drives(step):
            out = out._replace(driving=out.driving + 1, seen_m=outside)
        enough = 2 if step.fix.speed_kmh is not None else 3
        left = out.driving >= enough or step.gap or (out.driving and outside > _FAR_M)
        if not left and (step.fix.fixed_at - out.at).total_seconds() < self.ways.loop.policy.stop_s:
            return _Inside(visit.fence, visit.since, visit.last, out)
        # Silent at rest by design: it stayed until it must have started in order to be where it is now.
        until = max(visit.last, out.at - timedelta(seconds=out.metres / _CRUISE_MS))
        closed = TrackVisit(station=visit.fence.station, since=visit.since, until=until)
        self.visits = _in_order(self.visits, (closed,), _begun_there)
        return None

    # -- where on which line --------------------------------------------------------------------------------------------

    def _place(self, step: Step) -> None:
        ground = step.moved_m  # round a hairpin it is more than the straight way
        if step.fix.speed_kmh is not None and not step.gap:
            ground = max(ground, step.speed_kmh / 3.6 * step.dt_s)
        for line in self._lines.values():
            line.reach_m += ground
            line.searched_m += step.moved_m
        course = self._course(step)
        self._may_have_turned(step)
        turning = bool(self._inside) and any(v.out is None and self._may_turn(v.fence, step) for v in self._inside)
        if turning:
            self._undecide()
        if self._undecided or self._leg is None:
            found = {leg: self._match(leg, step, course) for leg in LEGS}
            self._decide(step, found, course, turning)
            nearest: Leg = min(LEGS, key=lambda leg: found[leg].off_m - found[leg].half_m)
            step.match = found[self._leg or nearest]
        else:
            step.match = match = self._match(self._leg, step, course)
            if match.off_m <= match.half_m:
                self._elsewhere = 0
                found = {}
            else:
                found = {self._leg: match}
                self._look_elsewhere(step, found, self._leg, course)
        step.leg = None if self._undecided else self._leg
        allowed = min(step.accuracy_m, _ACCURACY_CAP_M)
        share = self.ways.loop.policy.return_share
        if not found:  # inside its own corridor: nobody looked at the other
            step.excess_m = step.match.off_m - step.match.half_m - allowed
            step.back_in = step.match.off_m - allowed <= share * step.match.half_m
            return
        step.excess_m = min(match.off_m - match.half_m for match in found.values()) - allowed
        step.back_in = any(match.off_m - allowed <= share * match.half_m for match in found.values())

    def _may_turn(self, fence: Fence, step: Step) -> bool:
        """At a point a truck turns; at a station around it, when it pauses there. What drives through has not turned."""
        return fence.end or (fence.turning and (step.speed_kmh < SLOW_KMH or step.dt_s > _PAUSE_S))

    def _match(self, leg: Leg, step: Step, course: float | None) -> Match:
        way, line, place = self.ways.legs[leg], self._lines[leg], (step.fix.lon, step.fix.lat)
        match, whole = way.follow(place, step.scale, line.along_m, line.reach_m, course, line.searched_m)
        if whole:
            line.searched_m = 0.0
        line.along_m, line.reach_m = match.along_m, 0.0
        return match

    def _course(self, step: Step) -> float | None:
        """Which way the truck goes: what the device says at speed, or what the step shows."""
        if step.fix.course_deg is not None and step.speed_kmh >= 8:
            return step.fix.course_deg
        before = self._believed
        if before is None or step.gap or not max(60.0, 3 * step.accuracy_m) <= step.moved_m <= 1_000:
            return None
        east = (step.fix.lon - before.fix.lon) * step.scale[0]
        north = (step.fix.lat - before.fix.lat) * step.scale[1]
        return degrees(atan2(east, north)) % 360

    def _undecide(self) -> None:
        self._undecided, self._base, self._votes, self._elsewhere = True, {}, (None, 0), 0

    def _decide(self, step: Step, found: dict[Leg, Match], course: float | None, turning: bool) -> None:
        """While the leg is open: each step may vote for one, and two votes in a row settle it. Poor fixes say nothing."""
        if step.accuracy_m > _VOTES_M:
            return
        if turning or not self._base:
            self._base = {leg: match.along_m for leg, match in found.items()}
            return
        vote = self._vote(step, found, course)
        if vote is None:
            return
        self._votes = (vote, self._votes[1] + 1) if self._votes[0] == vote else (vote, 1)
        if self._votes[1] >= 2:
            self._leg, self._undecided, self._votes, self._base = vote, False, (None, 0), {}

    def _vote(self, step: Step, found: dict[Leg, Match], course: float | None) -> Leg | None:
        if step.moved_m < 20 or step.leaped:
            return None
        if min(match.off_m for match in found.values()) > 1_500:
            return None
        for leg in LEGS:
            mine, other = found[leg], found[_OTHER[leg]]
            if mine.off_m <= mine.half_m and other.off_m > 2 * other.half_m + 50:
                return leg
        if course is not None:
            east, north = sin(radians(course)), cos(radians(course))
            ahead = {leg: m.east * east + m.north * north for leg, m in found.items()}
            for leg in LEGS:
                if ahead[leg] > 0.5 and ahead[_OTHER[leg]] < 0:
                    return leg
        gained = {leg: match.along_m - self._base[leg] for leg, match in found.items()}
        if abs(gained["outbound"] - gained["inbound"]) >= 150:
            return "outbound" if gained["outbound"] > gained["inbound"] else "inbound"
        return None

    def _look_elsewhere(self, step: Step, found: dict[Leg, Match], leg: Leg, course: float | None) -> None:
        """Outside its own corridor: the other line's counts too; plainly there for a while, the leg is open again."""
        other = _OTHER[leg]
        found[other] = self._match(other, step, course)
        there = found[other].off_m <= found[other].half_m and found[leg].off_m > 2 * found[leg].half_m
        self._elsewhere = self._elsewhere + 1 if there else 0
        if self._elsewhere >= self.ways.loop.policy.confirm_fixes:
            self._undecide()
            self._base = {name: match.along_m for name, match in found.items()}

    def _may_have_turned(self, step: Step) -> None:
        """Time enough since the last fix to have turned at the end of the line opens the question of the leg again."""
        if self._leg is None or self._undecided:
            if step.gap:
                self._undecide()
            return
        could_m = step.dt_s * self.ways.loop.policy.max_speed_kmh / 3.6
        left_m = self.ways.legs[self._leg].length_m - (self._lines[self._leg].along_m or 0.0)
        elsewhere = step.leaped and step.gap  # found where it could not have been: nothing known of its way there
        if left_m > could_m and not elsewhere:
            return
        point = self.ways.legs[_OTHER[self._leg]].path.points[0]
        if elsewhere or left_m + geo.apart_m(point, (step.fix.lon, step.fix.lat), step.scale) <= could_m:
            self._undecide()

    # -- what it means --------------------------------------------------------------------------------------------------

    def _watch(self, step: Step) -> None:
        suspected = self._datum.since_s
        self._close(self._datum.step(step, self.ways))
        if suspected is None and self._datum.since_s is not None:
            self._clear_m = 0.0  # where it is, too, is no longer only where it says
            # What looked like leaving the line was the shift all along.
            self.episodes = tuple(e for e in self.episodes if not self._datum.accounts_for(e))
            excursion = self._off.open()
            if excursion is not None and self._datum.accounts_for(excursion):
                self._off.drop()
        # A place that only a shift puts on the line is matched to its pieces by chance: it proves no way between them.
        shortcut = self._shortcut.step(step)
        if step.excess_m > 0 and self._datum.explains(step, self.ways):
            step.excess_m, step.back_in = 0.0, True
        if step.excess_m > 0:
            self._off.interval_s = self.interval_s
        for closed in (self._off.step(step), shortcut, self._wrong.step(step), self._rest.step(step)):
            if closed is not None:
                self._close(closed)
        self._pace.step(step, self.ways.loop)
        self._passing.step(step, self.ways.loop)

    def _close(self, episode: Episode | None) -> None:
        if episode is not None:
            self.episodes = _in_order(self.episodes, (episode,), _begun_as)

    # -- what it says ---------------------------------------------------------------------------------------------------

    def reading(self) -> TrackReading:
        """What the fixes so far say."""
        watchers = (self._off, self._wrong, self._unknown, self._datum, self._rest)
        under_way = tuple([e for watcher in watchers if (e := watcher.open()) is not None])
        step = self._believed
        return TrackReading(
            last=self.last,
            placed=step.fix if step is not None else None,
            leg=self._leg,
            along_m=self._lines[self._leg].along_m if self._leg is not None else None,
            off_m=step.match.off_m if step is not None else None,
            station=self._inside[0].fence.station if self._inside else "",
            place=self._where(),
            interval_s=self.interval_s,
            at_rest_since=self._rest.at_rest_since,
            driving_since=self._rest.driving_since,
            driven_s=self._rest.driven_s,
            visits=_in_order(self.visits, self._open_visits(), _begun_there) if self._inside else self.visits,
            episodes=_in_order(self.episodes, under_way, _begun_as) if under_way else self.episodes,
            fixes_count=self.count,
            pace=round(self._pace.times, 4),
            pace_s=round(self._pace.seen_s, 1),
            alarms=self._said.alarms(),
            crossings=self._said.crossings,
            passed=self._passing.passed,
        )

    def _where(self) -> Literal["on", "off", "unknown"]:
        if self._believed is None or self._unknown.confirmed:
            return "unknown"
        return "off" if self._off.confirmed else "on"

    def _open_visits(self) -> tuple[TrackVisit, ...]:
        return tuple(TrackVisit(station=v.fence.station, since=v.since, until=None) for v in self._inside)


def _drives(step: Step) -> bool:
    """Whether a step shows a truck that drives: by what the device says, or else by the ground covered."""
    said = step.fix.speed_kmh
    return not step.leaped and (said >= _DRIVES_KMH if said is not None else step.moved_m > _DRIVES_M + step.accuracy_m)


def _begun_there(visit: TrackVisit) -> tuple[datetime, str]:
    return visit.since, visit.station


def _begun_as(episode: Episode) -> tuple[datetime, str]:
    return episode.since, episode.kind


def _in_order(before: tuple[_T, ...], more: tuple[_T, ...], key: Callable[[_T], tuple[datetime, str]]) -> tuple[_T, ...]:
    """What is in order with some more, in order: they mostly come last, and a track of days must not be sorted again."""
    found = (*before, *more)
    if len(more) > 1 or (before and key(more[0]) < key(before[-1])):
        found = tuple(sorted(found, key=key))
    return found


_NOWHERE = Match(inf, 0.0, 0, 0.0, 0.0, 1.0, inf)


def _displaced(before: Step, step: Fix, dt_s: float, moved_m: float, accuracy_m: float) -> bool:
    """Whether the step between two fixes is not one that their own speeds and courses allow: then one is displaced.

    Straight ground is never more than driven ground, and it lies between the courses at its two ends. Only asked of short
    steps: in longer ones nobody knows what was driven in between.
    """
    a, b = before.fix, step
    if dt_s > 15 or a.speed_kmh is None or b.speed_kmh is None:
        return False
    speed = max(a.speed_kmh, b.speed_kmh) / 3.6
    noise = 10 + (accuracy_m + before.accuracy_m) / 2
    if moved_m > 1.1 * speed * dt_s + 0.25 * dt_s * dt_s + noise:
        return True
    if a.course_deg is None or b.course_deg is None or min(a.speed_kmh, b.speed_kmh) < 15 or moved_m < 3 * noise:
        return False
    went = degrees(atan2((b.lon - a.lon) * before.scale[0], (b.lat - a.lat) * before.scale[1]))
    turned = (b.course_deg - a.course_deg + 180) % 360 - 180
    aside = (went - a.course_deg - turned / 2 + 180) % 360 - 180
    return abs(aside) > abs(turned) / 2 + 30
