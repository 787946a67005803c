"""How ids, kinds and values become words on a desk's pages: stations and people by name, evidence by its labels.

A `Words` is made for one page: the language, the loops, the names that this caller may read. What is not known by name is
shown as its id, never left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from checkpoint.core.facts import Cited
from checkpoint.core.loop import Loop, Station
from checkpoint.core.rules import Ahead
from checkpoint.ui import Texts, clock
from checkpoint.web.board_data import Next, Truck

# How a value is read, by its name: everything else is shown as it is.
_SPANS = frozenset({"waited_s", "interval_s", "age_s", "lists_age_s", "over_s", "late_s", "gap_s", "driven_s", "stood_s"})
_STATIONS = frozenset({"station", "place", "seen", "expected", "from", "to", "last", "next"})
# Values that are one of a few, and the catalogue's name for the choice.
_CHOICES = {
    "state": "state", "test": "test", "result": "result", "shown": "word", "word": "word", "colour": "colour",
    "reason": "reason", "why": "why", "leg": "board.leg", "medium": "medium", "finding": "finding", "code": "colour",
    "alarm": "alarm", "terminal": "said.terminal",
}  # fmt: skip
BEHIND_SAID_S = 600  # less than this is no lateness worth a word
_HIDDEN = frozenset({"person"})


class Words:
    """The words of one page."""

    def __init__(
        self, t: Texts, now: datetime, zone: tzinfo, loops: Iterable[Loop] = (), names: Mapping[str, str] | None = None
    ) -> None:
        self.t, self.now, self.zone = t, now, zone
        self.names = names or {}
        self._stations: dict[str, Station] = {s.id: s for loop in loops for s in loop.stations}

    def for_templates(self) -> dict[str, Any]:
        """These words under the names that templates call them by."""
        return {
            "say": self.say,
            "why_of": self.why_of,
            "values_of": self.values_of,
            "station_name": self.station_name,
            "station_lines": self.station_lines,
            "zone_name": self.zone_name,
            "who": self.who,
            "ago": self.ago,
            "eta": self.eta,
            "arrival": self.arrival,
            "behind": self.behind,
            "place_of": self.place_of,
            "ladder_note": self.ladder_note,
            "label_of": self.label,
            "told": self.told,
        }

    def station_name(self, loop: str, station: str) -> str:
        """A station's name, or its id."""
        found = self._stations.get(station)
        return station if found is None else str(getattr(found.name, self.t.lang))

    def station_lines(self, station: Station) -> list[str]:
        """A station's name in the one or two lines that a rung of the ladder has room for."""
        name = str(getattr(station.name, self.t.lang))
        return textwrap.wrap(name, 11 if self.t.lang == "zh" else 22, max_lines=2, placeholder="…") or [station.id]

    def zone_name(self, at: datetime) -> str:
        """What the clocks of these pages are called."""
        return at.astimezone(self.zone).tzname() or str(self.zone)

    def who(self, person: str) -> str:
        """A person's name, or their pseudonym."""
        return self.names.get(person, person) or self.t("app.unknown")

    def ago(self, at: datetime, units: int = 2) -> str:
        """How long ago an instant was."""
        seconds = (self.now - at).total_seconds()
        said = clock.span(abs(seconds), self.t, units)
        return self.t("board.ahead", span=said) if seconds < 0 else self.t("board.ago", span=said)

    def eta(self, at: datetime) -> str:
        """When something will be, as short as it can be told: the time, tomorrow's time, else the day too."""
        days = (at.astimezone(self.zone).date() - self.now.astimezone(self.zone).date()).days
        if days not in (0, 1):
            return clock.local(at, self.zone, self.t.lang)
        time = clock.local(at, self.zone, self.t.lang, "time")
        return time if days == 0 else self.t("board.tomorrow", time=time)

    def arrival(self, coming: Next | Ahead) -> str:
        """When a truck reaches a station, as far as anybody can say: from when to when, or one time where they are one."""
        if coming.earliest is None or coming.latest is None:
            return self.t("arrival.unknown")
        first, last = self.eta(coming.earliest), self.eta(coming.latest)
        if first == last:
            return self.t("arrival.at", time=first)
        same_day = coming.earliest.astimezone(self.zone).date() == coming.latest.astimezone(self.zone).date()
        last = clock.local(coming.latest, self.zone, self.t.lang, "time") if same_day else last
        # Within one hour its number is said once: 15:23–33.
        last = last.rpartition(":")[2] if first.rpartition(":")[0] == last.rpartition(":")[0] else last
        return self.t("arrival.between", first=first, last=last)

    def behind(self, truck: Truck) -> str:
        """How far behind its plan a truck is; empty when it is not, or nobody can say."""
        late_s = truck.behind_s
        if late_s is None or late_s < BEHIND_SAID_S:
            return ""
        return self.t("arrival.behind", span=clock.span(round(late_s / 300) * 300, self.t))

    def place_of(self, truck: Truck) -> str:
        """Where a truck is, in words: its station, else how far along which leg."""
        if truck.station:
            return self.station_name(truck.loop, truck.station)
        if truck.leg is None or truck.share is None:
            return self.t("app.unknown")
        leg = self.t(f"board.leg.{truck.leg}")
        return self.t("board.on-the-way", leg=leg, percent=round(truck.share * 100))

    def ladder_note(self, truck: Truck) -> str:
        """The few words beside a plate on the ladder: what is wrong, else when it arrives."""
        if truck.state in ("off-loop", "silent", "unknown", "resting"):
            return self.t(f"board.state.{truck.state}")
        if truck.suspected:
            return self.t("board.warning.suspected")
        if truck.next is not None and truck.next.latest is not None and truck.state == "driving":
            return self.arrival(truck.next)
        return ""

    def say(self, key: str, values: Mapping[str, object], loop: str = "") -> str:
        """A text with its placeholders filled from values, each put into words; what is not known is said to be so."""
        wanted = self.t.placeholders(key) if key in self.t else ()
        return self.t(key, **{name: self.value(name, values.get(name)) for name in wanted})

    def why_of(self, kind: str, values: Mapping[str, object]) -> str:
        """Why a finding was made, in a sentence; nothing when what the sentence tells is no longer known."""
        key = f"finding.{kind}.why"
        if key not in self.t or any(values.get(name) in ("", None) for name in self.t.placeholders(key)):
            return ""
        return self.say(key, values)

    def values_of(self, cited: Cited, loop: str = "") -> list[tuple[str, str]]:
        """The values of a piece of evidence with their labels."""
        return [
            (self.label(name), self.value(name, value))
            for name, value in cited.values.items()
            if value not in ("", None) and name not in _HIDDEN
        ]

    def label(self, name: str) -> str:
        """What a value is called; its own name where there is no word for it."""
        key = f"value.{name}"
        return self.t(key) if key in self.t else name

    def value(self, name: str, value: object) -> str:
        """A value as a person reads it."""
        if value is None or value == "":
            return self.t("app.unknown")
        if isinstance(value, datetime):
            return clock.local(value, self.zone, self.t.lang, "near", self.now)
        if isinstance(value, bool):
            return self.t("app.yes") if value else self.t("app.no")
        if isinstance(value, int | float):
            return self._number(name, value)
        key = f"{_CHOICES.get(name, '')}.{value}"
        if key in self.t:
            return self.say(key, {})
        if name in _STATIONS:
            return self.station_name("", str(value))
        return self.names.get(str(value), str(value))

    def told(self, name: str, value: object) -> str:
        """A field of a fact as a person reads it; lists are joined, people and stations named."""
        if isinstance(value, tuple | list):
            return self.t("board.comma").join(self.told(name, each) for each in value)
        return self.value(name, value)

    def _number(self, name: str, value: float) -> str:
        if name in _SPANS or (name.endswith("_s") and abs(value) >= 60):
            return clock.span(value, self.t)
        if name.endswith("_m"):
            return f"{value / 1000:.1f} km" if abs(value) >= 2000 else f"{value:.0f} m"
        if name.endswith("_kmh"):
            return f"{value:.0f} km/h"
        if name in ("lat", "lon"):
            return f"{value:.5f}°"
        return f"{value:g}"
