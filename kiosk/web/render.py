"""A screen as HTML: what the templates need beside it, and every value as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from checkpoint.core.verdict import Found
from checkpoint.ui import Texts, clock, environment, texts
from checkpoint.version import VERSION
from kiosk.screen import Screen

HERE = Path(__file__).parent
PAGES = environment([HERE / "templates"])
FALLBACK_ZONE = ZoneInfo("Asia/Shanghai")  # before this kiosk knows its loop
STOPS_HEARD_AGAIN = timedelta(seconds=2)


class Line(NamedTuple):
    """One reason on the screen, and the person it speaks of, if any."""

    text: str
    person: str


class Strip(NamedTuple):
    """What is always in sight: each is a state (`ok`, `amber`, `bad`) and its text."""

    link: tuple[str, str]
    queue: tuple[str, str]
    lists: tuple[str, str]
    clock: tuple[str, str]


def page(template: str, screen: Screen, lang: str, **values: object) -> str:
    """Render a template over a screen. It finds `s` (the screen), `t`-rendered `reasons`, `next_text`, `strip` and `say`."""
    t = texts(lang)
    glass = Glass(screen, t)
    return PAGES.get_template(template).render(
        _=t,
        lang=lang,
        zone=glass.zone,
        now=screen.now,
        s=screen,
        glass=glass,
        program=VERSION,
        **values,
    )


class Glass:
    """A screen in one language, read through the station's own time zone."""

    def __init__(self, screen: Screen, t: Texts) -> None:
        self.s, self.t = screen, t
        self.zone = screen.loop.zone if screen.loop is not None else FALLBACK_ZONE

    # -- values -------------------------------------------------------------------------------------------------------

    def time(self, at: datetime) -> str:
        """An instant: the hour, and the day when it is not today's."""
        return clock.local(at, self.zone, self.t.lang, "near", self.s.now)

    def name(self, person: str) -> str:
        """A person's name, or the pseudonym where none is known."""
        return self.s.names.get(person, person)

    def place(self, station: str) -> str:
        """A station's name."""
        found = self.s.loop.station(station) if self.s.loop is not None else None
        return station if found is None else found.name.zh if self.t.lang == "zh" else found.name.en

    def say(self, key: str, values: Mapping[str, object]) -> str:
        """The text of a key, its values as people read them; what is not known is a dash, never an error at a gate."""
        said: dict[str, object] = {name: self._value(name, value) for name, value in values.items()}
        if key in self.t:
            for name in self.t.placeholders(key):
                said.setdefault(name, "–")
        return self.t(key, **said)

    def _value(self, name: str, value: object) -> object:
        match name, value:
            case _, None | "":
                return "–"
            case _, datetime():
                return self.time(value)
            case "person", str():
                return self.name(value)
            case "station" | "place" | "sample_at", str():
                return self.place(value)
            case "test", str():
                return self.t(f"kiosk.test.{value}")
            case "needs", str():
                return self.t(f"kiosk.needs.{value}")
            case "colour", str():
                return self.t(f"kiosk.code.{value}")
            case "result", str():
                return self.t(f"kiosk.result.{value}")
            case "word", str():
                return self.t(f"word.{value}")
            case "finding", str():
                return self.t(f"finding.{value}")
            case (("age_s" | "wait_s" | "offset_s"), int() | float()):
                return clock.span(value, self.t)
            case _:
                return value

    # -- the verdict --------------------------------------------------------------------------------------------------

    @property
    def reasons(self) -> list[Line]:
        """The reasons as sentences, the first the one to act on; the same sentence once."""
        verdict = self.s.verdict
        lines = [Line(self._reason(found), str(found.values.get("person") or "")) for found in verdict.reasons] if verdict else []
        return list(dict.fromkeys(lines))

    def _reason(self, found: Found) -> str:
        why = found.values.get("why")
        if found.row.reason == "not-genuine" and f"kiosk.not-genuine.{why}" in self.t:
            return self.t(f"kiosk.not-genuine.{why}")
        if found.row.reason == "evidence-missing" and why == "unknown-here":
            return self.t("kiosk.unknown-here")
        return self.say(f"reason.{found.row.reason}", found.values)

    @property
    def next_text(self) -> str:
        """What the person at the gate does now."""
        verdict = self.s.verdict
        return self.say(f"next.{verdict.next_step}", verdict.next_values) if verdict is not None else ""

    # -- the strip ----------------------------------------------------------------------------------------------------

    @property
    def strip(self) -> Strip:
        """How line, queue, lists and clock stand."""
        return Strip(link=self._link(), queue=self._queue(), lists=self._lists(), clock=self._clock())

    def _link(self) -> tuple[str, str]:
        state = self.s.link.state
        level = {"up": "ok", "locked-out": "bad", "unknown": "amber"}.get(state, "amber")
        return level, self.t(f"kiosk.link.{state}")

    def _queue(self) -> tuple[str, str]:
        depth = self.s.depth
        if not depth.waiting:
            return "ok", self.t("kiosk.queue.none")
        waited = (self.s.now - depth.oldest_at).total_seconds() if depth.oldest_at is not None else 0
        level = "ok" if waited < 60 else "amber"
        return level, self.t("kiosk.queue.some", count=depth.waiting, age=clock.span(max(0, waited), self.t))

    def _lists(self) -> tuple[str, str]:
        age_s, policy = self.s.lists_age_s, self.s.policy
        if age_s is None:
            return "bad", self.t("kiosk.lists.never")
        level = "bad" if age_s >= policy.lists_hold_s else "amber" if age_s >= policy.lists_amber_s else "ok"
        return level, self.t("kiosk.lists.age", age=clock.span(age_s, self.t))

    def _clock(self) -> tuple[str, str]:
        offset_s = self.s.link.offset_s
        if offset_s is None:
            return "amber", self.t("kiosk.clock.unknown")
        if abs(offset_s) > self.s.policy.clock_tolerance_s:
            return "bad", self.t("kiosk.clock.wrong", offset=clock.span(offset_s, self.t))
        return "ok", self.t("kiosk.clock.right")
