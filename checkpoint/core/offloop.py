"""Outside the corridor and every station: suspected by one fix, confirmed when it cannot well be the receiver's fault.

The law of this file: a receiver that errs throws its fixes aside at once, for a few fixes, and then reports a truck that
drives on beside its line, with the line's own course. A truck that leaves drives away: its course turns off the line, and
each fix lies farther out than the one before. What looks like driving away is believed by the policy's numbers; anything
else must last for longer, and a receiver that stands and repeats itself has said it only once.

What a silence hides is not seen, and the first that a receiver says after one is the worst it ever says: it starts cold, sure
of a place that is none, and settles towards the truth. What begins so must show that the truck itself drives off (all its
fixes together are no line thrown aside, nor one that comes nearer), be too far off for that, or last longer than that does.
"""

from __future__ import annotations

from datetime import datetime
from math import atan2, copysign, cos, degrees, inf, radians, sin
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.episodes import EVIDENCE_FIXES, Step, Values, Watcher, cited
from checkpoint.core.facts import Cited
from checkpoint.core.fixes import Episode
from checkpoint.core.loop import Leg
from checkpoint.core.ways import Ways

_STAMP_S = 1.0  # whole-second stamps: three fixes at ten seconds may lie 19 s apart
_MORE_FIXES = 2  # than the policy asks for, when the truck was not seen to drive away
_TIMES_AS_LONG = 2.0
_AWAY_SHARE = 0.15  # of the ground covered is gained sideways, at least: about nine degrees to the line
_AWAY_M = 10.0  # ... and more than a receiver wanders between two fixes
_COURSE_DEG = 8.0  # how far a course is off that a device says
_ASIDE_M = 20.0  # what a receiver may wander sideways in one step
_SLOW_KMH = 8.0  # slower than this a course says nothing
_RARE_S = 45.0  # in steps longer than this a truck can turn off, and turn again to drive beside its line
_SILENCE_TIMES = 2.5  # as long as the device's rhythm: one fix that is missing is no silence
_SILENCE_S = 20.0  # nor is what a receiver comes through warm
_COLD_FIXES = 3  # after a silence: what begins with one of them may be all its fault
_COLD_M = 500.0  # no receiver that is sure of itself errs so far
_COLD_S = 240.0  # ... nor for so long
_MOST_ANEW = 2  # silences within one suspicion that begin its count again
_STANDS_M = 15.0
_REPEATS_S = 180.0  # a standing receiver is asked again after this long


def aside_m(step: Step) -> float:
    """Metres off the line's middle, with the side: left of it is positive."""
    return copysign(step.match.off_m, step.match.left_m)


def drove_aside(before: Step, step: Step) -> bool | None:
    """Whether the truck's own courses explain how it came off the line in one step; None when they are not known.

    Either seen from the line, whose own bends then do not matter, or as the crow flies between the two courses, when the
    truck goes straight on where the line bends away.
    """
    there = _course(step)
    if there is None:
        return None
    here = _course(before)
    ground = max(before.speed_kmh, step.speed_kmh) / 3.6 * step.dt_s
    slack = _ASIDE_M + sin(radians(_COURSE_DEG)) * ground
    lefts = (0.0 if here is None else _left_of_line(here, before), _left_of_line(there, step))
    came = aside_m(step) - aside_m(before)
    if ground * min(*lefts, 0.0) - slack <= came <= ground * max(*lefts, 0.0) + slack:
        return True
    if here is None or step.moved_m > ground + slack:
        return False
    east = (step.fix.lon - before.fix.lon) * step.scale[0]
    north = (step.fix.lat - before.fix.lat) * step.scale[1]
    turned = (there - here + 180) % 360 - 180
    went = (degrees(atan2(east, north)) - here - turned / 2 + 180) % 360 - 180
    beyond = min(abs(went) - abs(turned) / 2, 90.0)
    return step.moved_m * sin(radians(beyond)) <= slack


def _course(step: Step) -> float | None:
    """The course that the device says, when it moves fast enough to know one."""
    fix = step.fix
    return fix.course_deg if fix.speed_kmh is not None and fix.speed_kmh >= _SLOW_KMH else None


def _left_of_line(course_deg: float, step: Step) -> float:
    """How much of a way along a course leads to the left of the line: -1 to 1."""
    east, north = sin(radians(course_deg)), cos(radians(course_deg))
    return north * step.match.east - east * step.match.north


class _Thrown(NamedTuple):
    """The supposition that a receiver errs by one constant vector, in metres, since it threw the first fix out; the truck
    drives on along the line of `leg`, from `from_m` to where it would be now."""

    leg: Leg
    from_m: float
    along_m: float
    ms: float
    east_m: float
    north_m: float
    settles: bool = False  # a cold receiver's vector may shrink

    def driven_on(self, step: Step) -> _Thrown:
        """The truck at this step, farther along its line."""
        ms = step.speed_kmh / 3.6 if step.fix.speed_kmh is not None or self.settles else self.ms
        return self._replace(along_m=self.along_m + (ms + self.ms) / 2 * step.dt_s, ms=ms)

    def explains(self, step: Step, path: geo.Path) -> bool:
        """Whether the truck would be reported there: round a bend its distance off the line grows too."""
        east, north = _from_line(path, self.along_m, step)
        course = radians(path.bearing_at(self.along_m))
        aside = (east - self.east_m) * cos(course) - (north - self.north_m) * sin(course)
        slack = max(_ASIDE_M, _AWAY_SHARE * (self.along_m - self.from_m))
        gone = self.north_m * sin(course) - self.east_m * cos(course) if self.settles else 0.0  # with the whole vector
        return min(gone, 0.0) - slack < aside < max(gone, 0.0) + slack


def _from_line(path: geo.Path, along_m: float, step: Step) -> geo.LonLat:
    """Metres east and north of a place on the line."""
    lon, lat = path.at(along_m)
    return (step.fix.lon - lon) * step.scale[0], (step.fix.lat - lat) * step.scale[1]


class OffLoop(Watcher):
    """Outside the union of corridor and stations.

    Suspected after one fix. Confirmed by `confirm_fixes` fixes and `confirm_s` when the truck was seen to drive away, sooner
    when that is decisive: beyond `decisive_half_widths` half-widths with `decisive_fixes`. Otherwise two more fixes are
    asked for over twice the time. Leaving is judged at the corridor's edge, coming back at `return_share` of it and by two
    fixes, so that a truck on the edge makes one episode and not ten. `interval_s` is the device's rhythm, told from outside.
    """

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._policy = ways.loop.policy
        self.interval_s = 0.0
        self._inside: Step | None = None  # the step before this excursion
        self._quiet_s: tuple[float, ...] = ()  # before each of the last fixes
        self._since: datetime | None = None
        self._clear()

    def _clear(self) -> None:
        self._since = None
        self._since_s = 0.0
        self._counts_from_s = 0.0
        self._count = 0
        self._counted_s = 0.0
        self._far = 0
        self._seen_leaving = False
        self._rare = False
        self._leaped = False
        self._cold = False
        self._anew = 0  # how often what speaks for a departure was counted from the start again
        self._nearest = inf
        self._out_ms = 0.0  # how fast a device that says no course came out sideways
        self._thrown: _Thrown | None = None
        self._away = 0  # steps that led farther away
        self._away_ms = 0.0
        self._confirmed: datetime | None = None
        self._decisive = False
        self._evidence: tuple[Cited, ...] = ()
        self._farthest = self._driven = 0.0
        self._along: float | None = None
        self._leg: Leg | None = None
        self._returned: Step | None = None
        self._last: Step | None = None

    @property
    def confirmed(self) -> bool:
        """Whether an excursion is open and confirmed."""
        return self._confirmed is not None

    @property
    def since_s(self) -> float | None:
        """When the open excursion began."""
        return self._since_s if self._since is not None else None

    def step(self, step: Step) -> Episode | None:
        """Told of a step; the episode that has closed with it, or None."""
        self._quiet_s = (*self._quiet_s[1 - _COLD_FIXES :], step.quiet_s)
        inside = step.excess_m <= 0 or bool(step.station)
        if self._since is None:
            if inside:
                self._inside = step
            else:
                self._begin(step, self._inside)
            return None
        if bool(step.station) or step.back_in:
            return self._coming_back(step)
        self._returned = None
        return None if inside else self._further(step)

    def _begin(self, step: Step, before: Step | None) -> None:
        self._since, self._since_s = step.fix.fixed_at, step.at_s
        self._counts_from_s = step.at_s
        self._leg, self._along = step.leg, round(step.match.along_m, 1)
        self._count = self._far = self._away = 0
        self._leaped, self._seen_leaving, self._rare = step.leaped, False, False
        self._cold = any(self._is_silence(quiet_s) for quiet_s in self._quiet_s)
        silence = self._is_silence(step.quiet_s)
        if before is not None and not step.gap and not step.leaped and not silence:
            if step.dt_s > _RARE_S:
                usual_s = min(self.interval_s, before.dt_s)
                self._rare = not self._cold and usual_s > _RARE_S and step.dt_s <= _SILENCE_TIMES * usual_s
            else:
                explained = drove_aside(before, step)
                self._leaped, self._seen_leaving = explained is False, explained is not False
                if explained is None and step.dt_s:
                    self._out_ms = abs(aside_m(step) - aside_m(before)) / step.dt_s
        if before is not None and self._seen_leaving:
            self._thrown = self._thrown_aside(before, step)
            self._seen_leaving = self._thrown is not None
        elif silence:
            self._thrown = self._thrown_cold(step)
        self._add(step)

    def _begin_anew(self, step: Step) -> None:
        """A silence in what is a suspicion still: what was suspected stays, what speaks for it counts from here."""
        self._driven += step.moved_m
        self._anew += 1
        self._counts_from_s = step.at_s
        self._count = self._far = self._away = 0
        self._leaped = self._seen_leaving = self._rare = False
        self._cold, self._nearest, self._last = True, inf, None
        self._thrown = self._thrown_cold(step)

    def _is_silence(self, quiet_s: float) -> bool:
        """Whether the device was silent for longer than it is by its own rhythm."""
        return quiet_s > max(_SILENCE_TIMES * self.interval_s, _SILENCE_S)

    def _may_begin_anew(self, step: Step) -> bool:
        """A device that slows down is not silent again and again, and who is silent again and again is warned of in the end."""
        slows_down = self._last is not None and step.quiet_s <= _SILENCE_TIMES * self._last.dt_s
        return not self._cold or (self._anew < _MOST_ANEW and not slows_down)

    def _add(self, step: Step) -> None:
        last = self._last
        if last is not None:
            self._driven += step.moved_m
            gained = step.match.off_m - last.match.off_m
            thrown = self._thrown = self._thrown.driven_on(step) if self._thrown is not None else None
            # Between two devices at the same instant nothing is driven.
            driven = step.dt_s > 0 and not step.leaped
            goes_away = driven and gained >= max(_AWAY_M, _AWAY_SHARE * step.moved_m)
            if goes_away and (thrown is None or not thrown.explains(step, self._ways.legs[thrown.leg].path)):
                self._away += 1
                self._away_ms = max(self._away_ms, gained / step.dt_s)
        settles = self._cold and last is not None and step.match.off_m < last.match.off_m - _AWAY_M
        self._last = step
        self._nearest = min(self._nearest, step.match.off_m)
        if settles:
            pass  # nearer again: that speaks for the line
        elif not self._leaped or step.moved_m > _STANDS_M or step.at_s - self._counted_s >= _REPEATS_S:
            self._count += 1
            self._counted_s = step.at_s
        self._farthest = max(self._farthest, step.match.off_m)
        beyond = step.excess_m > (self._policy.decisive_half_widths - 1) * step.match.half_m
        self._far = self._far + 1 if beyond else 0
        if len(self._evidence) < EVIDENCE_FIXES and self._confirmed is None:
            self._evidence = (*self._evidence, cited(step))

    def _thrown_aside(self, before: Step, step: Step) -> _Thrown | None:
        """What the first fix outside means if the truck is on its line still, as far along it as its speed says."""
        leg = step.leg
        if leg is None or before.leg != leg or not before.dt_s:
            return None
        ms = step.speed_kmh / 3.6 if step.fix.speed_kmh is not None else before.moved_m / before.dt_s
        return self._thrown_from(leg, before.match.along_m + ms * step.dt_s, ms, step)

    def _thrown_cold(self, step: Step) -> _Thrown | None:
        """What the first fix after a silence means if the truck is on its line, about where it seems to be."""
        if step.leg is None:
            return None
        return self._thrown_from(step.leg, step.match.along_m, step.speed_kmh / 3.6, step)._replace(settles=True)

    def _thrown_from(self, leg: Leg, along_m: float, ms: float, step: Step) -> _Thrown:
        east, north = _from_line(self._ways.legs[leg].path, along_m, step)
        return _Thrown(leg, along_m, along_m, ms, east, north)

    def _may_be_cold(self, lasted_s: float) -> bool:
        """Whether a receiver that starts cold explains all that was seen since a silence."""
        near = self._nearest < _COLD_M and self._away < self._policy.confirm_fixes - 1
        return self._cold and near and lasted_s < _COLD_S

    def _drove_away(self, steps: int) -> bool:
        """Whether the truck was seen to drive off the line and on, away from it, by so many steps. Of a device that reports
        rarely nothing of the kind can be asked."""
        return self._rare or (self._seen_leaving and self._away >= steps and self._out_ms <= 1.5 * self._away_ms + 2.0)

    def _further(self, step: Step) -> Episode | None:
        closed = None
        if step.gap:
            # Where it was in between nobody knows: what was confirmed ends with its last fix, and a new one begins.
            closed = self._close(self._last.fix.fixed_at if self._last is not None else None)
            self._begin(step, None)
            return closed
        if self._confirmed is None and self._is_silence(step.quiet_s) and self._may_begin_anew(step):
            self._begin_anew(step)
        self._add(step)
        if self._confirmed is None:
            policy, lasted_s = self._policy, step.at_s - self._counts_from_s + _STAMP_S
            decisive = self._far >= policy.decisive_fixes and self._drove_away(policy.decisive_fixes - 1)
            plain = (
                self._count >= policy.confirm_fixes
                and lasted_s >= policy.confirm_s
                and self._drove_away(policy.confirm_fixes - 1)
            )
            must = 2 if self._may_be_cold(lasted_s) else 1
            lasting = (
                self._count >= must * (policy.confirm_fixes + _MORE_FIXES)
                and lasted_s >= must * _TIMES_AS_LONG * policy.confirm_s
            )
            if decisive or plain or lasting:
                self._confirmed, self._decisive = step.fix.fixed_at, decisive
        return closed

    def _coming_back(self, step: Step) -> Episode | None:
        if self._confirmed is None:
            self._clear()
            self._inside = step
            return None
        if self._returned is None and not step.gap and not step.station:
            self._returned = step
            self._driven += step.moved_m
            return None
        first = self._returned or step
        # After a gap the return is known, not its moment: the last fix outside ends it, in favour of the driver.
        ended = self._last if step.gap and self._returned is None and self._last is not None else first
        self._inside = step
        return self._close(ended.fix.fixed_at, first)

    def _close(self, until: datetime | None, back: Step | None = None) -> Episode | None:
        closed = None
        if self._confirmed is not None:
            closed = self._episode(until, () if back is None else (cited(back),))
            if back is not None and back.leg is not None and back.leg == self._leg and self._along is not None:
                closed.values.update(self._way_round(back, self._along))
        self._clear()
        return closed

    def _way_round(self, back: Step, left_m: float) -> Values:
        """What it left out of the line, and what it drove instead: a shortcut is more of the one than of the other."""
        return {
            "rejoined_along_m": round(back.match.along_m, 1),
            "driven_m": round(self._driven),
            "skipped_m": round(max(back.match.along_m - left_m, 0.0)),
        }

    def drop(self) -> None:
        """Forget the open excursion: another explanation was found for it."""
        self._clear()

    def open(self) -> Episode | None:
        """The open excursion, suspected or confirmed."""
        return self._episode(None, ()) if self._since is not None else None

    def _episode(self, until: datetime | None, ending: tuple[Cited, ...]) -> Episode:
        assert self._since is not None
        return Episode(
            kind="off-loop",
            since=self._since,
            confirmed_at=self._confirmed,
            until=until,
            evidence=self._evidence + ending,
            values={
                "leg": self._leg,
                "along_m": self._along,
                "farthest_m": round(self._farthest, 1),
                "decisive": self._decisive,
            },
        )
