"""The plan: a loop is two points, a line each way, stations, and a policy. Everything that is policy is data with dates.

A loop document is JSON, published in versions; each version is in force from `effective_from` until the next one's (or
`effective_until`). `parse` reads a document and complains with the path of what is wrong; `in_force` picks the version
of a day. Places are WGS-84, `[longitude, latitude]` as in GeoJSON. Durations are seconds, distances metres.

The numbers of `Policy` are the defaults of the domain's rules; a document overrides any of them, for the loop or for one
station.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from checkpoint.core import geo
from checkpoint.core.facts import Word

Service = Literal["gate", "sampling", "loading", "unloading", "rest", "service_area"]
Leg = Literal["outbound", "inbound"]
LEGS: tuple[Leg, Leg] = ("outbound", "inbound")
LonLat = tuple[float, float]


class MalformedLoop(ValueError):
    """The document is not a loop that could be driven; `problems` are the texts, each with its path."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Name(_Part, frozen=True):
    """A name in both languages of the people who read it."""

    zh: str
    en: str


class Circle(_Part, frozen=True):
    """A boundary: all within `radius_m` of a place."""

    center: LonLat
    radius_m: float


class Boundary(_Part, frozen=True):
    """Either a circle or a polygon (one ring, not repeated at its end)."""

    circle: Circle | None = None
    polygon: tuple[LonLat, ...] = ()


class Reason(_Part, frozen=True):
    """One row of the verdict table: what a reason means at a gate, how bad it is, and what the person there does next.

    The worst verdict wins; among equals the lowest rank is shown first. `next_step` is a catalogue key.
    """

    reason: str
    verdict: Word
    rank: int
    next_step: str


# The default table of domain.md section 5; within STOP and HOLD the first thing shown is what the person there can act on.
_TABLE: tuple[tuple[str, Word, str], ...] = (
    ("not-genuine", "STOP", "keep-truck-call"),
    ("plate-differs", "STOP", "check-plate-call"),
    ("tested-positive", "STOP", "isolate-single-pcr"),
    ("pass-revoked", "STOP", "call-new-pass"),
    ("pass-superseded", "STOP", "call-new-pass"),
    ("pass-expired", "STOP", "call-new-pass"),
    ("pass-not-yet-valid", "STOP", "call-new-pass"),
    ("pass-other-loop", "STOP", "call-new-pass"),
    ("pass-not-live", "HOLD", "refresh-pass"),
    ("paper-not-compared", "HOLD", "compare-plate-name"),
    ("stranger-in-cab", "HOLD", "join-or-stay"),
    ("held-for-review", "HOLD", "swab-singly"),
    ("antigen-unread", "HOLD", "wait-timer"),
    ("evidence-missing", "HOLD", "sample-here"),
    ("temperature-or-code", "HOLD", "measure-again"),
    ("red-unanswered", "HOLD", "coordinator-answers"),
    ("lists-old", "HOLD", "connect-or-call"),
    ("clock-unsure", "HOLD", "check-clock"),
    ("pcr-pending", "GO", "drive-on-result-due"),
    ("in-order", "GO", "drive-on"),
)
VERDICTS: tuple[Reason, ...] = tuple(
    Reason(reason=reason, verdict=verdict, rank=rank, next_step=next_step)
    for rank, (reason, verdict, next_step) in enumerate(_TABLE)
)


class Policy(_Part, frozen=True):
    """The numbers and choices of one loop version. Sources: the release rule of 18 April 2022 and domain.md section 5."""

    # evidence
    pcr_valid_s: int = 48 * 3600
    antigen_valid_s: int = 24 * 3600
    pcr_anchor: Literal["sampled", "reported"] = "sampled"
    antigen_anchor: Literal["sampled", "reported"] = "sampled"
    antigen_read_after_s: int = 15 * 60
    antigen_read_before_s: int = 20 * 60
    evidence_required: bool = True
    go_on_antigen: bool = True  # older than the PCR window: PCR + antigen, go on the antigen
    result_owed_s: int = 8 * 3600
    temperature_max_celsius: float = 37.3
    temperature_valid_s: int = 4 * 3600
    temperature_required: bool = False
    health_code_required: bool = False
    pool_size: int = 10
    pooling: bool = True
    # passes and lists
    step_s: int = 60
    steps_tolerated: int = 2
    lists_amber_s: int = 2 * 3600
    lists_hold_s: int = 12 * 3600
    clock_tolerance_s: int = 120
    # machines
    sign_on: Literal["badge-or-pin", "badge-and-pin"] = "badge-or-pin"
    kiosk_history_s: int = 14 * 24 * 3600
    # the line
    half_width_m: float = 150.0
    town_half_width_m: float = 50.0
    return_share: float = 0.8
    confirm_fixes: int = 3
    confirm_s: int = 20
    decisive_half_widths: float = 3.0
    decisive_fixes: int = 2
    off_loop_red_s: int = 15 * 60
    stop_s: int = 15 * 60
    break_after_driving_s: int = 4 * 3600
    break_s: int = 20 * 60
    break_from_driving_s: int = 3 * 3600  # a stop after this much driving may be the break the law demands
    break_slack_s: int = 10 * 60
    wrong_way_m: float = 200.0
    accuracy_ignored_m: float = 200.0
    unknown_s: int = 10 * 60
    silent_yellow_intervals: float = 3.0
    silent_red_intervals: float = 6.0
    silent_yellow_min_s: int = 10 * 60
    silent_red_min_s: int = 30 * 60
    max_speed_kmh: float = 120.0
    # stations
    queue_s: int = 15 * 60
    not_departed_s: int = 30 * 60
    rest_s: int = 24 * 3600
    cruise_kmh: float = 70.0
    town_kmh: float = 40.0
    late_slack_s: int = 30 * 60
    hours_without_rest_s: int = 16 * 3600
    # answering a warning, from when it was told or changed its colour; the domain gives no numbers, these are ours
    answer_yellow_s: int = 60 * 60
    answer_red_s: int = 15 * 60
    verdicts: tuple[Reason, ...] = VERDICTS


class Station(_Part, frozen=True):
    """A place with a boundary and services. `required_on` names the legs on which it must be visited.

    `policy` overrides numbers of the loop's policy at this station. `bays` and `beds` are what a rest station has.
    """

    id: str
    name: Name
    boundary: Boundary
    services: tuple[Service, ...]
    required_on: tuple[Leg, ...] = ()
    bays: tuple[str, ...] = ()
    beds: tuple[str, ...] = ()
    phone: str = ""
    policy: dict[str, msgspec.Raw] = {}

    @property
    def center(self) -> LonLat:
        """The middle of the boundary."""
        if self.boundary.circle is not None:
            return self.boundary.circle.center
        ring = self.boundary.polygon
        return sum(p[0] for p in ring) / len(ring), sum(p[1] for p in ring) / len(ring)


class Section(_Part, frozen=True):
    """From `from_m` metres along the line on, the corridor's half-width is another: `half_width_m`, or in a `town` the
    policy's `town_half_width_m` (put in its place when the document is read)."""

    from_m: float
    half_width_m: float = 0.0
    town: bool = False


class Line(_Part, frozen=True):
    """One way of the loop: a polyline and how wide its corridor is."""

    points: tuple[LonLat, ...]
    sections: tuple[Section, ...] = ()


class Stop(NamedTuple):
    """A station as a leg passes it: how far along the leg's line, how far off it."""

    station: Station
    along_m: float
    off_m: float


class Loop(_Part, frozen=True, dict=True):
    """One version of a loop. `origin` and `destination` are station ids; the two lines run from one to the other and back."""

    id: str
    version: int
    effective_from: datetime
    name: Name
    time_zone: str
    origin: str
    destination: str
    stations: tuple[Station, ...]
    outbound: Line
    inbound: Line
    effective_until: datetime | None = None
    policy: Policy = Policy()
    note: Name | None = None  # e.g. that the line was drawn by hand and is approximate

    def station(self, station_id: str) -> Station | None:
        """The station of that id, or None."""
        return next((s for s in self.stations if s.id == station_id), None)

    def line(self, leg: Leg) -> Line:
        """The line of a leg."""
        return self.outbound if leg == "outbound" else self.inbound

    def policy_at(self, station_id: str | None) -> Policy:
        """The policy as it holds at a station: the loop's, with the station's own numbers put over it."""
        return self._policies.get(station_id or "", self.policy)

    @cached_property
    def _policies(self) -> dict[str, Policy]:
        """The policies of the stations that have numbers of their own."""
        return {s.id: msgspec.structs.replace(self.policy, **_overrides(s)) for s in self.stations if s.policy}

    @cached_property
    def paths(self) -> dict[Leg, geo.Path]:
        """Both lines, measured."""
        return {leg: geo.Path(self.line(leg).points) for leg in LEGS}

    @cached_property
    def stops(self) -> dict[Leg, tuple[Stop, ...]]:
        """The stations each leg passes, in the order it passes them: those within 3 km of its line."""
        return {leg: self._stops(leg) for leg in LEGS}

    def _stops(self, leg: Leg) -> tuple[Stop, ...]:
        path, found = self.paths[leg], []
        first, last = (self.origin, self.destination) if leg == "outbound" else (self.destination, self.origin)
        for station in self.stations:
            near = path.nearest(station.center)
            if station.id == first:
                found.append(Stop(station, 0.0, near.off_m))
            elif station.id == last:
                found.append(Stop(station, path.length_m, near.off_m))
            elif near.off_m <= STATION_ON_LINE_M:
                found.append(Stop(station, near.along_m, near.off_m))
        return tuple(sorted(found, key=lambda stop: (stop.along_m, stop.station.id)))

    @property
    def zone(self) -> ZoneInfo:
        """The time zone people on this loop read their clocks in."""
        return ZoneInfo(self.time_zone)


def _overrides(station: Station) -> dict[str, object]:
    types = {f.name: f.type for f in msgspec.structs.fields(Policy)}
    found: dict[str, object] = {}
    for key, raw in station.policy.items():
        if key not in types or key == "verdicts":
            raise msgspec.ValidationError(f"no such policy number - at `$.policy.{key}`")
        found[key] = msgspec.json.decode(raw, type=types[key])
    return found


MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_VERTICES = 20_000
STATION_ON_LINE_M = 3000.0
MAX_PASS = timedelta(days=31)


def parse(document: str | bytes) -> Loop:
    """Read a loop document. Raises `MalformedLoop` with every problem found and the path of each."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise MalformedLoop([f"the document is larger than {MAX_DOCUMENT_BYTES} bytes - at `$`"])
    try:
        loop = msgspec.json.decode(document, type=Loop)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedLoop([str(error)]) from None
    problems = list(_problems(loop))
    if problems:
        raise MalformedLoop(problems)
    return msgspec.structs.replace(
        loop,
        effective_from=loop.effective_from.astimezone(UTC),
        effective_until=loop.effective_until.astimezone(UTC) if loop.effective_until else None,
        outbound=_with_towns(loop.outbound, loop.policy),
        inbound=_with_towns(loop.inbound, loop.policy),
    )


def _with_towns(line: Line, policy: Policy) -> Line:
    widths = tuple(
        msgspec.structs.replace(s, half_width_m=policy.town_half_width_m, town=False) if s.town else s for s in line.sections
    )
    return msgspec.structs.replace(line, sections=widths)


def _problems(loop: Loop) -> Iterable[str]:
    if not loop.id or len(loop.id) > 60 or not all(c.isascii() and (c.isalnum() or c in "-_") for c in loop.id):
        yield "1 to 60 letters, digits, - and _ wanted - at `$.id`"
    if loop.version < 1:
        yield "versions count from 1 - at `$.version`"
    for key in ("effective_from", "effective_until"):
        instant = getattr(loop, key)
        if instant is not None and instant.tzinfo is None:
            yield f"an instant with its zone wanted - at `$.{key}`"
            return
    if loop.effective_until is not None and loop.effective_until <= loop.effective_from:
        yield "ends before it begins - at `$.effective_until`"
    try:
        ZoneInfo(loop.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "no such time zone - at `$.time_zone`"
    yield from _station_problems(loop)
    for leg in LEGS:
        yield from _line_problems(loop, leg)
    yield from _policy_problems(loop)


def _station_problems(loop: Loop) -> Iterable[str]:
    seen: set[str] = set()
    for i, station in enumerate(loop.stations):
        path = f"$.stations[{i}]"
        if not station.id or station.id in seen or len(station.id) > 60:
            yield f"an id of its own wanted - at `{path}.id`"
        seen.add(station.id)
        if not station.services:
            yield f"at least one service wanted - at `{path}.services`"
        circle, ring = station.boundary.circle, station.boundary.polygon
        if (circle is None) == (not ring):
            yield f"either a circle or a polygon wanted - at `{path}.boundary`"
            continue
        if circle is not None and not 10 <= circle.radius_m <= 5000:
            yield f"10 to 5000 m wanted - at `{path}.boundary.circle.radius_m`"
        if ring and len(ring) < 3:
            yield f"at least three corners wanted - at `{path}.boundary.polygon`"
        places = [circle.center] if circle is not None else list(ring)
        for k, place in enumerate(places):
            if not _on_earth(place):
                yield f"[longitude, latitude] in degrees wanted - at `{path}.boundary` (corner {k})"
        try:
            _overrides(station)
        except msgspec.ValidationError as error:
            yield str(error).replace("`$.policy", f"`{path}.policy")
    for key in ("origin", "destination"):
        if getattr(loop, key) not in seen:
            yield f"no station of that id - at `$.{key}`"
    if loop.origin == loop.destination:
        yield "a loop has two points - at `$.destination`"


def _line_problems(loop: Loop, leg: Leg) -> Iterable[str]:
    path, line = f"$.{leg}", loop.line(leg)
    if len(line.points) < 2:
        yield f"at least two points wanted - at `{path}.points`"
        return
    if len(line.points) > MAX_VERTICES:
        yield f"at most {MAX_VERTICES} points wanted - at `{path}.points`"
        return
    for i, place in enumerate(line.points):
        if not _on_earth(place):
            yield f"[longitude, latitude] in degrees wanted - at `{path}.points[{i}]`"
            return
        if i and geo.distance_m(line.points[i - 1], place) > 100_000:
            yield f"more than 100 km from the point before: a line through nowhere - at `{path}.points[{i}]`"
            return
    for i, section in enumerate(line.sections):
        if section.town == bool(section.half_width_m):
            yield f"either a half-width or a town wanted - at `{path}.sections[{i}]`"
        elif not section.town and not 10 <= section.half_width_m <= 2000:
            yield f"10 to 2000 m wanted - at `{path}.sections[{i}].half_width_m`"
        if section.from_m < 0 or (i and section.from_m <= line.sections[i - 1].from_m):
            yield f"sections go along the line, each beginning after the one before - at `{path}.sections[{i}].from_m`"
    ends = (loop.origin, loop.destination) if leg == "outbound" else (loop.destination, loop.origin)
    for place, end, index in ((line.points[0], ends[0], 0), (line.points[-1], ends[1], len(line.points) - 1)):
        station = loop.station(end)
        if station is not None and geo.outside_m(station.boundary, place) > 1000:
            yield f"more than 1 km from the station {end} - at `{path}.points[{index}]`"
    for i, station in enumerate(loop.stations):
        if leg in station.required_on and not _near_line(line, station):
            yield f"a required station more than 3 km off its own line ({station.id}, {leg}) - at `$.stations[{i}]`"


def _near_line(line: Line, station: Station) -> bool:
    return geo.Path(line.points).nearest(station.center).off_m <= STATION_ON_LINE_M


def _policy_problems(loop: Loop) -> Iterable[str]:
    for field in msgspec.structs.fields(Policy):
        value = getattr(loop.policy, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
            yield f"zero or more wanted - at `$.policy.{field.name}`"
    if loop.policy.antigen_read_before_s < loop.policy.antigen_read_after_s:
        yield "ends before it begins - at `$.policy.antigen_read_before_s`"
    if not 0 < loop.policy.return_share <= 1:
        yield "a share above 0, at most 1 wanted - at `$.policy.return_share`"
    known = {row.reason for row in VERDICTS}
    rows = [row.reason for row in loop.policy.verdicts]
    for i, row in enumerate(loop.policy.verdicts):
        if row.reason not in known:
            yield f"no such reason: {row.reason} - at `$.policy.verdicts[{i}].reason`"
        if row.reason in ("tested-positive", "not-genuine") and row.verdict == "GO":
            yield f"this reason can never make a GO - at `$.policy.verdicts[{i}].verdict`"
    if len(set(rows)) != len(rows) or not known <= set(rows):
        yield "every reason once wanted - at `$.policy.verdicts`"


def _on_earth(place: LonLat) -> bool:
    return -180 <= place[0] <= 180 and -85 <= place[1] <= 85


def in_force(versions: Iterable[Loop], at: datetime) -> Loop | None:
    """The version in force at an instant: the latest begun (by date, then version) that has not ended."""
    begun = [v for v in versions if v.effective_from <= at]
    latest = max(begun, key=lambda v: (v.effective_from, v.version), default=None)
    if latest is None or (latest.effective_until is not None and at >= latest.effective_until):
        return None
    return latest


class Loops:
    """Every published version of every loop, by id. Publishing the same id and version again changes nothing."""

    def __init__(self, versions: Iterable[Loop] = ()) -> None:
        self._versions: dict[str, dict[int, Loop]] = {}
        for version in versions:
            self.add(version)

    def add(self, loop: Loop) -> None:
        """Take a version in."""
        self._versions.setdefault(loop.id, {}).setdefault(loop.version, loop)

    def in_force(self, loop_id: str, at: datetime) -> Loop | None:
        """The version of a loop in force at an instant, or None."""
        return in_force(self._versions.get(loop_id, {}).values(), at)

    def version(self, loop_id: str, number: int) -> Loop | None:
        """One version of a loop, or None."""
        return self._versions.get(loop_id, {}).get(number)

    def all(self) -> Mapping[str, tuple[Loop, ...]]:
        """All versions by loop id, the oldest first."""
        return {key: tuple(v for _, v in sorted(found.items())) for key, found in self._versions.items()}
