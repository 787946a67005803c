"""A journey to be played back, as values: every place with what it showed and when it came, gaps, and what was said when.

The law of this file: pure, and a gap is a gap: nothing is drawn across a stretch without positions, and what is left out to
draw faster never hides a change of state, a gap's edge, or the change from one device to another. Two clocks everywhere: when
it was so, and when we knew it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from checkpoint.core.facts import Fact, Scanned, Shown, WarningChanged
from checkpoint.core.fixes import Fix, TrackReading
from checkpoint.core.geo import LonLat
from checkpoint.core.journey import WarningState
from checkpoint.core.loop import Leg, Loop
from checkpoint.core.track import Track
from checkpoint.store import Recorded
from checkpoint.store.positions import Arrived

State = Literal["on", "off", "suspected", "wrong-way", "unknown"]
MOST_FRAMES = 2500
_DEPARTURES: dict[str, State] = {"off-loop": "off", "wrong-way": "wrong-way"}
_GAP = timedelta(minutes=2)
_GAP_INTERVALS = 3.0


class Frame(NamedTuple):
    """One position: what it shows by all that is known now, what it showed when it was the newest, whether a gap lies before it,
    where on the ladder's leg the truck was."""

    fix: Fix
    received_at: datetime
    state: State
    then: State
    after_gap: bool
    leg: Leg | None
    share: float | None
    station: str


class Spell(NamedTuple):
    """One warning as it went: when it was so, when we said so, and its colours in turn."""

    id: str
    kind: str
    since: datetime
    until: datetime | None
    said_at: datetime
    over_at: datetime | None
    withdrawn: bool
    late: bool
    colours: tuple[tuple[datetime, str], ...]


class Verdict(NamedTuple):
    """What a gate showed, and when we learnt it."""

    at: datetime
    recorded_at: datetime
    station: str
    shown: Shown


def frames(loop: Loop | None, arrived: Sequence[Arrived]) -> list[Frame]:
    """Every position in the order of time, read as the watch reads them: each with what was shown up to it."""
    if loop is None:
        return [Frame(a.fix, a.received_at, "unknown", "unknown", False, None, None, "") for a in arrived]
    track = Track(loop)
    found: list[Frame] = []
    before: Fix | None = None
    for each in arrived:
        track.add(each.fix)
        reading = track.reading()
        gap = before is not None and each.fix.fixed_at - before.fixed_at > max(_GAP, _GAP_INTERVALS * _rhythm(reading))
        leg, along = reading.leg, reading.along_m
        share = along / loop.paths[leg].length_m if leg is not None and along is not None else None
        then = _state(reading, each.fix)
        found.append(Frame(each.fix, each.received_at, then, then, gap, leg, share, reading.station))
        before = each.fix
    return _as_known_now(found, track.reading())


def _rhythm(reading: TrackReading) -> timedelta:
    return timedelta(seconds=reading.interval_s)


def _state(reading: TrackReading, fix: Fix) -> State:
    """What the newest fix shows, by what is known up to it."""
    if not fix.stands_for_a_place or reading.placed is None or reading.placed.fixed_at != fix.fixed_at:
        return "unknown"
    under_way = {e.kind: e for e in reading.episodes if e.until is None and e.kind in _DEPARTURES}
    if not under_way:
        return "on"
    confirmed = [kind for kind, e in under_way.items() if e.confirmed_at is not None]
    return _DEPARTURES[confirmed[0]] if confirmed else "suspected"


def _as_known_now(found: list[Frame], reading: TrackReading) -> list[Frame]:
    """The frames with what all positions together show: an excursion is one from its first position on."""
    spans: list[tuple[datetime, datetime | None, State]] = [
        (e.since, e.until, _DEPARTURES[e.kind]) for e in reading.episodes if e.kind in _DEPARTURES and e.confirmed_at is not None
    ]
    spans.sort(key=lambda span: span[0])
    known = []
    for frame in found:
        at = frame.fix.fixed_at
        state = next((s for since, until, s in spans if since <= at and (until is None or at < until)), None)
        if frame.then != "unknown":
            frame = frame._replace(state=state or ("suspected" if frame.then == "suspected" else "on"))
        known.append(frame)
    return known


def thinned(found: Sequence[Frame], most: int = MOST_FRAMES) -> list[Frame]:
    """Few enough frames to draw. Both sides of every change (of state, station, leg, device) and of every gap are kept."""
    if len(found) <= most:
        return list(found)
    kept = {0, len(found) - 1}
    for i in range(1, len(found)):
        a, b = found[i - 1], found[i]
        if b.after_gap or (a.state, a.station, a.leg, a.fix.device) != (b.state, b.station, b.leg, b.fix.device):
            kept |= {i - 1, i}
    room = max(most - len(kept), 1)
    kept |= set(range(0, len(found), -(-len(found) // room)))
    return [found[i] for i in sorted(kept)]


def stretches(found: Sequence[Frame]) -> list[tuple[str, list[LonLat]]]:
    """The track in pieces of one state each, `gap` between the two ends of a gap. Positions that say nothing are left out."""
    pieces: list[tuple[str, list[LonLat]]] = []
    before: Frame | None = None
    gap = False
    for frame in found:
        gap |= frame.after_gap
        if frame.state == "unknown":
            continue
        place = (frame.fix.lon, frame.fix.lat)
        if before is None:
            pieces.append((frame.state, [place]))
        elif gap:
            pieces += [("gap", [(before.fix.lon, before.fix.lat), place]), (frame.state, [place])]
        elif pieces[-1][0] == frame.state:
            pieces[-1][1].append(place)
        else:
            pieces.append((frame.state, [(before.fix.lon, before.fix.lat), place]))
        before, gap = frame, False
    return pieces


def spells(warnings: Iterable[WarningState], told: Iterable[Fact]) -> list[Spell]:
    """The warnings as they went, the earliest first."""
    changes: dict[str, list[tuple[datetime, str]]] = {}
    for fact in told:
        if isinstance(fact.what, WarningChanged):
            changes.setdefault(fact.what.warning, []).append((fact.at, fact.what.colour))
    found = [
        Spell(
            id=w.id,
            kind=w.raised.finding,
            since=w.raised.since,
            until=w.ended or w.withdrawn_at,
            said_at=w.raised_at,
            over_at=w.withdrawn_at or w.cleared_at,
            withdrawn=w.withdrawn_at is not None,
            late=w.raised.late,
            colours=((w.raised_at, w.raised.colour), *sorted(changes.get(w.id, ()))),
        )
        for w in warnings
    ]
    return sorted(found, key=lambda spell: (spell.since, spell.id))


def verdicts(told: Iterable[Recorded], vehicle: str) -> list[Verdict]:
    """What gates showed of a vehicle, in order."""
    found = [
        Verdict(r.fact.at, r.recorded_at, r.fact.station, r.fact.what.shown)
        for r in told
        if isinstance(r.fact.what, Scanned) and r.fact.what.vehicle == vehicle
    ]
    return sorted(found, key=lambda verdict: verdict.at)
