"""`checkpoint replay --loop LOOP.json TRACK`: what we would have said of a recorded track, and under another policy.

The law of this file: it reads, asks `checkpoint.replay`, and prints: lines in the asker's language and the loop's time zone,
or one JSON object a line with instants in UTC.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from checkpoint.core.facts import Cited
from checkpoint.core.loop import Loop, MalformedLoop, parse
from checkpoint.decoders.recorded import MalformedTrack, fixes_of
from checkpoint.replay import Arrival, Said, believed, differences
from checkpoint.replay import replay as replayed
from checkpoint.shell.ground import DONE, NO, complain
from checkpoint.shell.tracks import NotRead, drives, in_words
from checkpoint.ui import Texts, clock
from checkpoint.web.words import Words


def replay(asked: argparse.Namespace, t: Texts) -> int:
    """Say of each drive what would have been said."""
    try:
        loop = _loop(asked.loop)
        other = _loop(asked.against) if asked.against else _under(asked.loop, asked.policy, t) if asked.policy else None
    except NotRead as error:
        complain(str(error))
        return NO
    except MalformedLoop as error:
        for problem in error.problems:
            complain(t("cli.loop.problem", problem=problem))
        return NO
    try:
        found = list(drives(asked, t))
        tracks = []
        for file, drive in found:
            try:
                tracks.append((drive.name or file.name, _believed(file, fixes_of(drive, "track"), t)))
            except MalformedTrack as error:
                raise NotRead(in_words(file, error, t)) from None
    except NotRead as error:
        complain(str(error))
        return NO
    for i, (name, arrivals) in enumerate(tracks):
        if asked.json:
            _print_json(loop, other, arrivals, name if len(tracks) > 1 else "")
        else:
            _Page(t, loop, arrivals, first=i == 0).print(name, other)
    return DONE


def _believed(file: Path, arrivals: Sequence[Arrival], t: Texts) -> Sequence[Arrival]:
    """Those that the server would judge; how many it would set aside is said. Raises `NotRead` where it would judge none."""
    found = believed(arrivals)
    if odd := len(arrivals) - len(found):
        if not found:
            raise NotRead(t("replay.none-believed", file=file))
        complain(t("replay.set-aside", file=file, count=odd))
    return found


def _loop(file: Path) -> Loop:
    try:
        return parse(file.read_bytes())
    except MalformedLoop as error:
        raise MalformedLoop(f"{file}: {problem}" for problem in error.problems) from None


def _under(loop: Path, policy: Path, t: Texts) -> Loop:
    """The loop under another policy: the numbers in a file, or the policy of the loop document in it, put over its own. Raises
    `NotRead`, `MalformedLoop`."""
    document = json.loads(loop.read_bytes())
    try:
        other = json.loads(policy.read_bytes())
    except (ValueError, RecursionError) as error:
        raise NotRead(t("replay.policy-broken", file=policy, line=getattr(error, "lineno", 1))) from None
    if not isinstance(other, dict):
        raise NotRead(t("replay.policy-wanted", file=policy))
    if "stations" in other:
        other = other.get("policy") or {}
    document["policy"] = {**(document.get("policy") or {}), **other}
    try:
        return parse(msgspec.json.encode(document))
    except MalformedLoop as error:
        raise MalformedLoop(f"{policy}: {problem}" for problem in error.problems) from None


# -- for programs -----------------------------------------------------------------------------------------------------------


def _print_json(loop: Loop, other: Loop | None, arrivals: Sequence[Arrival], name: str) -> None:
    said = replayed(loop, arrivals)
    track = {"track": name} if name else {}
    for one in said:
        _print_object({**_object(one), **track, **({"under": "loop"} if other is not None else {})})
    if other is None:
        return
    otherwise = replayed(other, arrivals)
    for one in otherwise:
        _print_object({**_object(one), **track, "under": "other"})
    found = differences(said, otherwise)
    summary = {
        "same": found.same_count,
        "changed": [{"loop": _short(a), "other": _short(b)} for a, b in found.changed],
        "only_loop": [_short(one) for one in found.only_first],
        "only_other": [_short(one) for one in found.only_second],
    }
    _print_object({"summary": summary, **track})


def _print_object(found: dict[str, Any]) -> None:
    print(msgspec.json.encode(found).decode())


def _object(said: Said) -> dict[str, Any]:
    found = {name: getattr(said, name) for name in said.__struct_fields__}
    del found["subject"]
    found["evidence"] = [_evidence(cited) for cited in said.evidence]
    return found


def _evidence(cited: Cited) -> dict[str, Any]:
    return {"what": cited.what, "at": cited.at, **cited.values}


def _short(said: Said) -> dict[str, Any]:
    return {"kind": said.kind, "level": said.level, "state": said.state, "since": said.since, "confirmed_at": said.confirmed_at}


# -- for people -------------------------------------------------------------------------------------------------------------


class _Page:
    """The lines about one drive."""

    def __init__(self, t: Texts, loop: Loop, arrivals: Sequence[Arrival], first: bool) -> None:
        self._t, self._loop, self._arrivals = t, loop, arrivals
        times = [fix.fixed_at for fix, _ in arrivals]
        self._first, self._last = min(times), max(times)
        self._words = Words(t, self._last, loop.zone, [loop])
        if not first:
            print()

    def print(self, name: str, other: Loop | None) -> None:
        """What was said, then what would be said otherwise."""
        t = self._t
        first, last = (clock.local(at, self._loop.zone, t.lang, "full") for at in (self._first, self._last))
        print(t("replay.drive", name=name, count=len(self._arrivals), first=first, last=last, zone=self._loop.time_zone))
        said = replayed(self._loop, self._arrivals)
        self._print_said(said)
        if other is None:
            return
        print()
        print(t("replay.other"))
        otherwise = replayed(other, self._arrivals)
        self._print_said(otherwise)
        found = differences(said, otherwise)
        print()
        print(t("replay.differences", same=found.same_count))
        for one in found.only_first:
            print("  " + t("replay.only-loop", what=self._heading(one)))
        for one in found.only_second:
            print("  " + t("replay.only-other", what=self._heading(one)))
        for a, b in found.changed:
            print("  " + t("replay.changed", what=self._heading(a), other=self._heading(b)))

    def _print_said(self, said: Sequence[Said]) -> None:
        warnings = [one for one in said if one.confirmed_at is not None]
        if not warnings:
            print("  " + self._t("replay.quiet"))
        for one in warnings:
            print("  " + self._heading(one))
            print("      " + self._t("replay.and").join(self._course(one)))
            if why := self._words.why_of(one.kind, one.values):
                print("      " + why)
        if count := sum(one.confirmed_at is None and one.cleared_at is not None for one in said):
            print("  " + self._t("replay.came-to-nothing", count=count))
        for one in said:
            if one.confirmed_at is None and one.cleared_at is None:
                print("  " + self._t("replay.still-suspected", kind=self._kind(one), at=self._when(one.raised_at)))

    def _heading(self, said: Said) -> str:
        colour = self._t(f"colour.{said.level}")
        if said.until is None:
            return self._t("replay.open", colour=colour, kind=self._kind(said), since=self._when(said.since))
        span = clock.span(said.until - said.since, self._t)
        return self._t("replay.over", colour=colour, kind=self._kind(said), since=self._when(said.since), span=span)

    def _course(self, said: Said) -> list[str]:
        """How a warning went, in the order it went."""
        steps = [("suspected", said.raised_at)] if said.raised_at != said.confirmed_at else []
        steps += [("confirmed", said.confirmed_at)] if said.confirmed_at else []
        steps += [("red", said.red_at)] if said.red_at and said.red_at != said.confirmed_at else []
        steps += [("cleared", said.cleared_at)] if said.cleared_at else []
        steps += [("withdrawn", said.withdrawn_at)] if said.withdrawn_at else []
        told = [self._t(f"replay.step.{name}", at=self._when(at)) for name, at in steps]
        if said.late:
            told.append(self._t("replay.step.late"))
        told.append(self._t("replay.step.evidence", count=len(said.evidence)))
        return told

    def _kind(self, said: Said) -> str:
        return self._t(f"finding.{said.kind}")

    def _when(self, at: datetime) -> str:
        """The time, with its day when the drive is longer than one."""
        zone = self._loop.zone
        same = self._first.astimezone(zone).date() == self._last.astimezone(zone).date() == at.astimezone(zone).date()
        return clock.local(at.astimezone(UTC), zone, self._t.lang, "seconds" if same else "full")
