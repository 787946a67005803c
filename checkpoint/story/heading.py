"""The heading of a story: its title and source, and what it says of the loop and the policy, version by version."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from checkpoint.core.loop import Leg, Loop, MalformedLoop, Policy, Reason, parse
from checkpoint.story import plain
from checkpoint.story.told import AMOUNT, TIME, Story, Teller, amount, instant


@dataclass
class Header:
    """The lines `key: value` before the first time."""

    story: Story
    teller: Teller
    folder: Path
    base: Loop | None = None
    changes: list[tuple[str, str]] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take in one line."""
        key, colon, value = line.partition(": ")
        key, value = key.strip(), value.strip()
        if not colon:
            raise self.teller.fail("the story begins with lines `title: ...`, `source: ...`, then times")
        if key == "title":
            self.story.title = value
        elif key == "source":
            self.story.source = value
        elif key == "loop":
            self.base = self._loop(value)
        elif key in ("policy", "verdict", "ends", "required") or re.fullmatch(rf"policy (from {TIME}|at [\w-]+)", key):
            self.changes.append((key, value))
        else:
            raise self.teller.fail(f"no such heading: {key}")

    def _loop(self, name: str) -> Loop:
        if name == "plain":
            return plain.plain_loop()
        try:
            return parse((self.folder / name).read_bytes())
        except OSError as error:
            raise self.teller.fail(f"no loop document {name}: {error.strerror}") from None
        except MalformedLoop as error:
            raise self.teller.fail(f"{name}: {error}") from None

    def finish(self) -> None:
        """Make the versions of the loop from what was said."""
        if not self.story.title:
            raise self.teller.fail("a story has a title")
        loop = self.base or plain.plain_loop()
        self.story.versions = [loop]
        for key, value in self.changes:
            try:
                self._change(key, value)
            except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
                raise self.teller.fail(f"in the heading `{key}: {value}`: {error}") from None

    def _change(self, key: str, value: str) -> None:
        versions, replace = self.story.versions, msgspec.structs.replace
        last = versions[-1]
        if key == "ends":
            versions[-1] = replace(last, effective_until=instant(value, last.effective_from, last.zone))
        elif key == "required":
            station_id, _, leg = value.partition(" ")
            if station_id not in {s.id for s in last.stations}:
                raise ValueError("no such station")
            wanted = tuple(leg.split(", ")) if leg else ()
            stations = tuple(
                replace(s, required_on=msgspec.convert(wanted, type=tuple[Leg, ...])) if s.id == station_id else s
                for s in last.stations
            )
            versions[-1] = replace(last, stations=stations)
        elif key == "verdict":
            reason, _, word = value.partition(" = ")
            rows = tuple(replace(r, verdict=word) if r.reason == reason else r for r in last.policy.verdicts)
            if rows == last.policy.verdicts:
                raise ValueError("this changes nothing")
            versions[-1] = replace(last, policy=replace(last.policy, verdicts=msgspec.convert(rows, type=tuple[Reason, ...])))
        elif key.startswith("policy at "):
            own = {k: msgspec.Raw(msgspec.json.encode(v)) for k, v in _numbers(value).items()}
            stations = tuple(
                replace(s, policy=s.policy | own) if s.id == key.removeprefix("policy at ") else s for s in last.stations
            )
            versions[-1] = replace(last, stations=stations)
        elif key.startswith("policy from "):
            begins = instant(key.removeprefix("policy from "), last.effective_from, last.zone)
            versions.append(
                replace(
                    last,
                    version=last.version + 1,
                    effective_from=begins,
                    effective_until=None,
                    policy=replace(last.policy, **_numbers(value)),
                )
            )
        else:
            versions[-1] = replace(last, policy=replace(last.policy, **_numbers(value)))


def _numbers(text: str) -> dict[str, object]:
    types = {x.name: x.type for x in msgspec.structs.fields(Policy)}
    found: dict[str, object] = {}
    for part in text.split(","):
        name, _, value = (p.strip() for p in part.partition("="))
        if name not in types or name == "verdicts":
            raise ValueError(f"no such policy number: {name}")
        plain_value: object = value
        if value in ("yes", "no"):
            plain_value = value == "yes"
        elif re.fullmatch(AMOUNT, value):
            number = amount(value)
            plain_value = int(number) if types[name] is int else number
        found[name] = msgspec.convert(plain_value, type=types[name])
    return found
