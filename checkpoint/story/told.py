"""What a story is made of: facts and positions with the moment we learnt them, and questions.

Names of a story are short (`wang`, `S1`, `T1`); here is how they become what the facts want (`p-wang`, specimen `S1`,
tube `T1`), and how its times and amounts are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from checkpoint.core import facts as f
from checkpoint.core.loop import Loop
from checkpoint.core.outages import Outage
from checkpoint.core.track import Fix


class StoryError(ValueError):
    """The text is not a story; `line` is where (from 1), the message what is wanted there."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {message}")


@dataclass(frozen=True)
class Told:
    """A fact, and when we learnt it."""

    line: int
    fact: f.Fact
    recorded_at: datetime


@dataclass(frozen=True)
class Moved:
    """A position of a vehicle, and when we learnt it."""

    line: int
    vehicle: str
    fix: Fix
    recorded_at: datetime


@dataclass(frozen=True)
class Question:
    """A line that says what we should say: asked of `at`, with what was known at `known_at`."""

    line: int
    at: datetime
    known_at: datetime
    vehicle: str
    station: str
    text: str


@dataclass
class Story:
    """Everything told. `versions` are the loop's versions, `policies` what the header said of the policy."""

    title: str = ""
    source: str = ""
    versions: list[Loop] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    @property
    def loop_id(self) -> str:
        """The loop that the story is told on."""
        return self.versions[0].id

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the story's times."""
        return self.versions[0].zone

    def learnt(self) -> Iterator[datetime]:
        """Every moment at which something was learnt."""
        yield from (t.recorded_at for t in self.told)
        yield from (m.recorded_at for m in self.moved)

    def stations(self) -> frozenset[str]:
        """Every station of every version."""
        return frozenset(s.id for v in self.versions for s in v.stations)


# -- small things: times, durations, names ------------------------------------------------------------------------------

TIME = r"(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d(?::\d\d)?"
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "m": 1.0, "km": 1000.0, "km/h": 1.0, "°C": 1.0, "": 1.0}
AMOUNT = r"-?\d+(?:\.\d+)?(?: (?:s|min|h|m|km|km/h|°C))?"
PLATE = r"[京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新][A-Z][A-Z0-9]{5,6}"
NAMES = r"[\w-]+(?:, [\w-]+)*"


def amount(text: str) -> float:
    """`15 min` -> 900.0: seconds, metres, km/h, degrees, or a plain number."""
    number, _, unit = text.strip().partition(" ")
    return float(number) * _UNITS[unit]


def instant(text: str, day: datetime, zone: ZoneInfo) -> datetime:
    """A time as written, in UTC; without a date it is of the day given."""
    if len(text) < 10:
        text = f"{day.astimezone(zone):%Y-%m-%d} {text}"
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def person(name: str) -> str:
    """A name of the story as the pseudonym the facts use."""
    return f"p-{name}"


def people(names: str) -> tuple[str, ...]:
    """`wang, li` -> their pseudonyms."""
    return tuple(person(n.strip()) for n in names.split(","))


@dataclass
class Teller:
    """The state of reading: what later lines may refer to."""

    story: Story
    line: int = 0
    at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    recorded_at: datetime = at
    vehicle: str = ""
    station: str = ""
    by: str = ""
    driver: str = ""
    told_in_line: int = 0
    passes: dict[str, f.PassGranted] = field(default_factory=dict)
    pass_of: dict[str, str] = field(default_factory=dict)
    swabs: dict[str, f.SwabTaken] = field(default_factory=dict)
    tubes: dict[str, list[f.SwabTaken]] = field(default_factory=dict)
    last_scan: dict[str, str] = field(default_factory=dict)
    facts: dict[str, f.Fact] = field(default_factory=dict)

    def fail(self, message: str) -> StoryError:
        """The error to raise at the line being read."""
        return StoryError(self.line, message)

    def when(self, text: str) -> datetime:
        """A time in the line being read."""
        try:
            return instant(text, self.at, self.story.zone)
        except ValueError:
            raise self.fail(f"no such time: {text}") from None

    def pass_id(self, vehicle: str = "") -> str:
        """The pass last granted to the vehicle that the line speaks of."""
        found = self.pass_of.get(vehicle or self.vehicle)
        if found is None:
            raise self.fail("no pass was granted to this vehicle yet")
        return found

    def swab(self, specimen: str) -> f.SwabTaken:
        """A swab told earlier."""
        found = self.swabs.get(specimen)
        if found is None:
            raise self.fail(f"no swab {specimen} was told of before")
        return found


@dataclass(frozen=True)
class Sentence:
    """One thing a story can tell: how it is written, an example for the reader, and the fact it is."""

    pattern: str
    example: str
    tell: Callable[[Teller, re.Match[str]], f.What | None]
