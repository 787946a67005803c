"""What the board says of every truck and every warning: small values made from what the watch sees, ready to be drawn.

Pure: a look in, rows out, nothing asked of anybody. A row holds ids, keys and instants; names, texts and local times are
put in by the templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

import msgspec

from checkpoint.core.facts import Cited, Colour, Scanned, Word
from checkpoint.core.journey import View, WarningState
from checkpoint.core.loop import Leg, Loop
from checkpoint.core.rules import FOR_DRIVER, ahead, must_be_answered
from checkpoint.core.rules.ahead import behind, place_on_line
from checkpoint.core.rules.terminal import beside
from checkpoint.core.verdict import Finding, Judgement

State = Literal["off-loop", "silent", "unknown", "resting", "at-station", "standing", "driving", "not-started"]
Show = Literal["open", "unanswered", "red", "driver", "ended"]
SHOWS: tuple[Show, ...] = ("open", "unanswered", "red", "driver", "ended")
_URGENCY: dict[str, int] = {"red": 0, "yellow": 1, "": 2}


class LookLike(Protocol):
    """What the watch knows of a vehicle: the view, and the judgement of it."""

    @property
    def view(self) -> View: ...
    @property
    def judgement(self) -> Judgement: ...


class Next(NamedTuple):
    """The station a truck reaches next that it must visit, or the end of its leg; and about when: nine arrivals of ten lie
    between `earliest` and `latest` (both None where nobody can say)."""

    station: str
    eta: datetime
    distance_m: float
    earliest: datetime | None = None
    latest: datetime | None = None


class Truck(msgspec.Struct, frozen=True, kw_only=True):
    """One truck as the board shows it. `colour` is the worst of its open confirmed warnings, `share` how far along its leg.

    `open_count` counts open warnings, `unanswered_count` those that nobody took; `suspected` names what is found but not
    yet confirmed, and so not warned of. `behind_s` is how far behind the plan it is likely to reach the end of its leg.
    `contradicted` are the alarms that its own terminal holds and that we do not find.
    """

    vehicle: str
    state: State
    colour: Colour | Literal[""]
    leg: Leg | None
    share: float | None
    off_m: float | None
    station: str
    next: Next | None
    lon: float | None
    lat: float | None
    heard_at: datetime | None
    word: Word | Literal[""]
    word_at: datetime | None
    journey: str
    loop: str
    crew_count: int
    open_count: int
    unanswered_count: int
    kinds: tuple[str, ...]
    suspected: tuple[str, ...]
    behind_s: int | None = None
    contradicted: tuple[str, ...] = ()


class WarningRow(msgspec.Struct, frozen=True, kw_only=True):
    """One warning as the board shows it, with what it cites. `values` fills its text; `gathered` are
    the warnings shown under it."""

    id: str
    vehicle: str
    kind: str
    colour: Colour
    confirmed: bool
    late: bool
    for_driver: bool
    since: datetime
    raised_at: datetime
    state: Literal["open", "cleared", "withdrawn"]
    ended_at: datetime | None
    answer_by: datetime | None
    to_answer: bool
    answered_at: datetime | None
    answered_by: str
    answer: str
    evidence: tuple[Cited, ...]
    alerted: tuple[str, ...]
    acknowledged: tuple[str, ...]
    loop: str
    loop_version: int
    values: dict[str, object]
    gathered: tuple[WarningRow, ...] = ()


def trucks(looks: Mapping[str, LookLike], now: datetime) -> tuple[Truck, ...]:
    """Every truck, the most urgent first: red, yellow, unanswered before answered, then by plate.

    One for which a pass was asked and nothing more is not on any road yet: it waits under *Passes*.
    """
    rows = [truck(look.view, look.judgement, now) for look in looks.values() if _known(look.view)]
    return tuple(sorted(rows, key=lambda t: (_URGENCY[t.colour], -t.unanswered_count, t.state == "not-started", t.vehicle)))


def _known(view: View) -> bool:
    return bool(view.passes or view.journeys or view.track or view.warnings)


def truck(view: View, judgement: Judgement, now: datetime) -> Truck:
    """One truck's row."""
    opened = [w for w in view.warnings if w.open and w.confirmed]
    colours = {w.colour for w in opened}
    place = place_on_line(view)
    leg, along_m = place or (None, None)
    share = None
    if view.loop is not None and leg is not None and along_m is not None:
        share = min(max(along_m / view.loop.paths[leg].length_m, 0.0), 1.0)
    last = view.track.last if view.track is not None else None
    late = behind(view, now)
    scan = next((f for f in reversed(view.journey.scans if view.journey else ()) if isinstance(f.what, Scanned)), None)
    return Truck(
        vehicle=view.vehicle,
        state=state(view, judgement),
        colour="red" if "red" in colours else "yellow" if colours else "",
        leg=leg,
        share=share,
        off_m=view.track.off_m if view.track is not None else None,
        station=station_of(view),
        next=_next(view, now),
        lon=last.lon if last else None,
        lat=last.lat if last else None,
        heard_at=last.fixed_at if last else None,
        word=scan.what.shown.word if scan is not None and isinstance(scan.what, Scanned) else "",
        word_at=scan.at if scan is not None else None,
        journey=view.journey.id if view.journey else "",
        loop=view.loop.id if view.loop else "",
        crew_count=len(view.pass_.crew) if view.pass_ else 0,
        open_count=len(opened),
        unanswered_count=sum(1 for w in opened if w.answered_at is None),
        kinds=tuple(dict.fromkeys(w.raised.finding for w in sorted(opened, key=urgency))),
        suspected=tuple(dict.fromkeys(f.kind for f in judgement.findings if not f.confirmed and f.until is None)),
        behind_s=int(late.total_seconds()) if late is not None else None,
        contradicted=tuple(b.alarm.name for b in beside(view, judgement.findings) if b.agrees is False and b.alarm.until is None),
    )


def station_of(view: View) -> str:
    """The station the truck is in: by its track, or by its last scan while the track says nothing newer."""
    if view.track is not None and view.track.last is not None:
        return view.track.station
    return view.journey.at_station if view.journey is not None else ""


def state(view: View, judgement: Judgement) -> State:
    """The one word for what a truck is doing. Off the loop, silent and unknown come before all else, and are never mixed."""
    ongoing = {f.kind for f in judgement.findings if f.confirmed and f.until is None}
    if "off-loop" in ongoing:
        return "off-loop"
    if "silent" in ongoing:
        return "silent"
    if "position-unknown" in ongoing:
        return "unknown"
    if view.journey is not None and any(stay.until is None for stay in view.journey.stays):
        return "resting"
    if station_of(view):
        return "at-station"
    if view.track is not None and view.track.last is not None:
        return "standing" if view.track.at_rest_since is not None else "driving"
    return "not-started" if view.journey is None else "unknown"


def _next(view: View, now: datetime) -> Next | None:
    if view.journey is None or (view.journey.closed_at is not None and view.journey.closed_at <= now):
        return None
    coming = [a for a in ahead(view, now) if a.distance_m > 0]
    if not coming:
        return None
    leg = view.journey.leg
    must = next((a for a in coming if leg in a.station.required_on), coming[-1])
    return Next(must.station.id, must.eta, must.distance_m, must.earliest, must.latest)


# -- warnings ---------------------------------------------------------------------------------------------------------


def urgency(warning: WarningState) -> tuple[bool, bool, int, datetime]:
    """What orders warnings: open before ended, unanswered before answered, red before yellow, then the oldest."""
    return not _stands(warning), warning.answered_at is not None, _URGENCY[warning.colour], warning.raised_at


def warnings(looks: Iterable[LookLike], show: Show = "open") -> tuple[WarningRow, ...]:
    """The warnings of a choice: open ones with the unanswered and red first, ended ones with the newest first."""
    found = [(w, look) for look in looks for w in look.view.warnings if wanted(w, show)]
    if show == "ended":
        found.sort(key=lambda pair: pair[0].cleared_at or pair[0].withdrawn_at or pair[0].raised_at, reverse=True)
    else:
        found.sort(key=lambda pair: urgency(pair[0]))
    return tuple(warning_row(w, look.judgement.findings) for w, look in found)


def gathered(rows: Iterable[WarningRow]) -> tuple[WarningRow, ...]:
    """The same warnings with those of one alert put together: under the positive result it told of, else under the first of them.

    A positive result ahead of six stations is one thing to read, though each station that keeps silent is answered by itself.
    """
    listed = tuple(rows)
    head_of = {row.id: row.id for row in listed}
    under: dict[str, list[WarningRow]] = {}
    heads: list[WarningRow] = []
    for row in listed:
        alert = next((c.fact for c in row.evidence if c.fact), "") if row.kind == "alert-unacknowledged" else ""
        head = head_of.setdefault(alert, row.id) if alert else row.id
        if head == row.id:
            heads.append(row)
        else:
            under.setdefault(head, []).append(row)
    return tuple(msgspec.structs.replace(row, gathered=tuple(under.get(row.id, ()))) for row in heads)


def wanted(warning: WarningState, show: Show) -> bool:
    """Whether a warning belongs to a choice. All but `ended` speak of what is open, or over and still to be answered."""
    if show == "ended" or not _stands(warning):
        return show == "ended" and not _stands(warning)
    return {
        "open": True,
        "unanswered": warning.answered_at is None,
        "red": warning.colour == "red",
        "driver": warning.raised.finding in FOR_DRIVER,
    }[show]


def _stands(warning: WarningState) -> bool:
    return warning.open or must_be_answered(warning)


def counts(looks: Iterable[LookLike]) -> dict[Show, int]:
    """How many warnings each choice holds."""
    every = [w for look in looks for w in look.view.warnings]
    return {show: sum(wanted(w, show) for w in every) for show in SHOWS}


def warning_row(warning: WarningState, findings: Iterable[Finding] = ()) -> WarningRow:
    """One warning's row; the finding that it speaks of, where it still holds, fills in its text."""
    raised = warning.raised
    values: dict[str, object] = {key: value for cited in raised.evidence for key, value in cited.values.items()}
    mine = (f for f in findings if f.kind == raised.finding and f.subject == raised.subject)
    nearest = min(mine, key=lambda f: abs(f.since - raised.since), default=None)
    values |= nearest.values if nearest is not None else {}
    return WarningRow(
        id=warning.id,
        vehicle=raised.vehicle,
        kind=raised.finding,
        colour=warning.colour,
        confirmed=warning.confirmed,
        late=raised.late,
        for_driver=raised.finding in FOR_DRIVER,
        since=raised.since,
        raised_at=warning.raised_at,
        state=warning.state,
        ended_at=warning.ended or warning.withdrawn_at,
        answer_by=warning.answer_by,
        to_answer=must_be_answered(warning),
        answered_at=warning.answered_at,
        answered_by=warning.answered_by,
        answer=warning.answer,
        evidence=raised.evidence,
        alerted=warning.alerted,
        acknowledged=warning.acknowledged,
        loop=raised.loop,
        loop_version=raised.loop_version,
        values=values,
    )


def loops_of(looks: Iterable[LookLike]) -> tuple[Loop, ...]:
    """The loops that the trucks drive, each once, in the version that the looks were made with."""
    found = {look.view.loop.id: look.view.loop for look in looks if look.view.loop is not None}
    return tuple(found[key] for key in sorted(found))
