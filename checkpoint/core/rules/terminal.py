"""What a truck's own terminal says, beside what we find. Source: JT/T 808, the alarm bits; domain.md, section 5.

The law of this file: a terminal's word about where the truck is never makes a finding about its place, nor ends one. It is
set beside ours, and whether the two agree can be seen. Theft, a door, a crash are another matter: nobody but the terminal
can know of them, so its word is told, and stands until somebody answered. A call for help is a fact, not an alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from checkpoint.core.facts import Cited, Colour
from checkpoint.core.fixes import Crossing, DeviceAlarm, Episode, TrackVisit, is_terminal
from checkpoint.core.journey import View, closes_at
from checkpoint.core.rules.common import seconds
from checkpoint.core.verdict import Finding

DEPARTURE = frozenset({"route-deviation", "route", "area"})
FATIGUE = frozenset({"fatigue", "day-driving-exceeded"})
SERIOUS: dict[str, Colour] = {
    "stolen": "red",
    "collision": "red",
    "rollover": "red",
    "illegal-door": "yellow",
    "illegal-ignition": "yellow",
    "illegal-movement": "yellow",
}
# Which of our own kinds say what an alarm says.
OURS: dict[str, frozenset[str]] = {
    **dict.fromkeys(DEPARTURE, frozenset({"off-loop"})),
    "parked-too-long": frozenset({"unscheduled-stop"}),
    "fatigue": frozenset({"break-due"}),
    "day-driving-exceeded": frozenset({"break-due", "hours-without-rest"}),
    "section-time": frozenset({"late", "unscheduled-stop"}),
}
_BESIDE_S = 600.0  # a phone and our reading may see the same crossing so far apart: fixes are minutes apart there


class Beside(NamedTuple):
    """A device's alarm beside what we find: `agrees` None where we judge nothing of the kind."""

    alarm: DeviceAlarm
    agrees: bool | None


class BesideCrossing(NamedTuple):
    """A phone's word that it crossed a station's boundary, and whether our reading of its track says so too."""

    crossing: Crossing
    agrees: bool


def _bound(view: View, at: datetime) -> bool:
    return any(p.grant.not_before <= at < closes_at(view.passes, p) for p in view.passes)


def _alarms(view: View, names: Iterable[str], now: datetime) -> Iterator[DeviceAlarm]:
    for alarm in view.track.alarms if view.track is not None else ():
        if alarm.name in names and alarm.since <= now and _bound(view, alarm.since):
            yield alarm


def _of(view: View, kind: str, alarm: DeviceAlarm, colour: Colour, until: datetime | None, **more: int) -> Finding:
    return Finding(
        kind=kind,
        vehicle=view.vehicle,
        subject=f"alarm:{alarm.name}",
        colour=colour,
        since=alarm.since,
        until=until,
        for_driver=kind == "terminal-fatigue",
        evidence=tuple(Cited(what=c.what, at=c.at, values={"alarm": alarm.name, **c.values}) for c in alarm.evidence),
        values={"alarm": alarm.name, **more},
    )


def terminal_alarm(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """The truck's own terminal says that it is stolen, has crashed, or was opened, started or moved by somebody it should not
    be: until somebody answered."""
    for alarm in _alarms(view, SERIOUS, now):
        answered = [
            w.answered_at
            for w in view.warnings
            if w.raised.finding == "terminal-alarm"
            and w.raised.subject == f"alarm:{alarm.name}"
            and w.raised.since == alarm.since
            and w.answered_at is not None
        ]
        until = max(answered[0], alarm.until) if answered and alarm.until is not None else None
        yield _of(view, "terminal-alarm", alarm, SERIOUS[alarm.name], until)


def terminal_fatigue(view: View, now: datetime) -> Iterator[Finding | datetime]:
    """The truck's own terminal says that its driver has driven for too long, without a break or in one day: for the driver."""
    driven_s = int(view.track.driven_s) if view.track is not None else 0
    for alarm in _alarms(view, FATIGUE, now):
        yield _of(view, "terminal-fatigue", alarm, "yellow", alarm.until, driven_s=driven_s)


def on_departure(view: View, episode: Episode) -> Literal["agrees", "silent", ""]:
    """Whether the terminal says of an excursion what we say of it; empty when no terminal reports."""
    track = view.track
    if track is None:
        return ""
    if any(a.name in DEPARTURE and _meet(a.since, a.until, episode.since, episode.until) for a in track.alarms):
        return "agrees"
    return "silent" if track.placed is not None and is_terminal(track.placed.device) else ""


def beside(view: View, findings: Iterable[Finding]) -> tuple[Beside, ...]:
    """Every alarm of the devices, the latest first, with whether we find the same at that time."""
    if view.track is None:
        return ()
    spans = [(f.kind, f.since, f.until) for f in findings if f.confirmed]
    spans += [(w.raised.finding, w.raised.since, w.ended) for w in view.warnings if w.withdrawn_at is None]
    return tuple(
        Beside(
            alarm,
            any(k in OURS[alarm.name] and _meet(alarm.since, alarm.until, since, until) for k, since, until in spans)
            if alarm.name in OURS
            else None,
        )
        for alarm in reversed(view.track.alarms)
    )


def crossings_beside(view: View) -> tuple[BesideCrossing, ...]:
    """Every crossing a phone told of, the latest first, with whether we saw the truck come or go then."""
    track = view.track
    if track is None:
        return ()
    return tuple(BesideCrossing(c, any(_same(c, v) for v in track.visits)) for c in reversed(track.crossings))


def _same(crossing: Crossing, visit: TrackVisit) -> bool:
    seen = visit.since if crossing.entered else visit.until
    return crossing.station == visit.station and seen is not None and abs(seen - crossing.at) <= seconds(_BESIDE_S)


def _meet(a: datetime, a_end: datetime | None, b: datetime, b_end: datetime | None) -> bool:
    """Whether two spans have an instant in common; None is an end not seen yet."""
    return (b_end is None or a <= b_end) and (a_end is None or b <= a_end)
