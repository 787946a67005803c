"""What the page may show, as values: no sentence, no HTML, and nothing that was not committed before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from checkpoint.core import passes
from checkpoint.core.facts import Fact, Medium
from checkpoint.core.journey import View
from checkpoint.core.loop import Loop, Policy, Station
from checkpoint.core.sampling import Evidence, Standing
from checkpoint.core.verdict import Verdict
from kiosk.kept import Depth, Enrolment, SetAside, StaffMember
from kiosk.knowledge import Alert, RunningTest, Taken
from kiosk.link import LinkState
from kiosk.outbox import Disk


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What stands before the desk: a genuine pass, a typed number, or a text that is not ours (`refused` says how)."""

    digest: str
    medium: Medium
    first_seen: datetime
    last_seen: datetime
    touched: datetime
    reading: passes.Reading | None = None
    refused: str = ""
    number: str = ""
    vehicle: str = ""
    generation: int = 0
    live: bool | None = None
    plate_read: str = ""
    names_agree: bool | None = None

    @property
    def genuine(self) -> bool:
        """Whether it is a pass at all."""
        return not self.refused


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One sentence about what was just done (`kind` done), or why it was not (refused): a catalogue key and its values."""

    kind: str
    key: str
    values: dict[str, object] = field(default_factory=dict)
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CrewMember:
    """One person on the pass, and what the evidence says of them now."""

    id: str
    name: str
    evidence: Evidence
    standing: Standing
    pack_given: bool


@dataclass(frozen=True, kw_only=True)
class Screen:
    """All that the page may show, at one moment. `sounded` grows with each verdict that should be heard."""

    now: datetime
    revision: int
    sounded: int
    enrolment: Enrolment | None
    station: Station | None
    loop: Loop | None
    policy: Policy
    offered: frozenset[str]
    staff: tuple[StaffMember, ...]
    signed_on: StaffMember | None
    badge_shown: str
    badge_wanted: bool
    subject: Subject | None
    verdict: Verdict | None
    view: View | None
    crew: tuple[CrewMember, ...]
    inside: bool
    strangers: dict[str, str]
    running: tuple[RunningTest, ...]
    open_tube: str
    tube_count: int
    taken: tuple[Taken, ...]
    alerts: tuple[Alert, ...]
    undoable: Fact | None
    names: dict[str, str]
    depth: Depth
    disk: Disk
    server_program: str
    aside: tuple[SetAside, ...]
    link: LinkState
    lists_age_s: int | None
    notice: Notice | None
