"""GO / HOLD / STOP, and findings: the shapes in which the rules speak.

A verdict comes from one table in the policy (`loop.VERDICTS`): every reason has one verdict, one rank and one next step.
The worst verdict wins, and the first reason shown is the one the person at the gate can act on. A finding points at its
evidence. Neither holds a sentence: reasons, kinds and next steps are catalogue keys, `values` what their texts need.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from checkpoint.core.facts import Cited, Colour, Medium, Word
from checkpoint.core.loop import Loop, Reason
from checkpoint.core.passes import Reading

Value = str | int | float | bool | datetime | None
WORST: dict[Word, int] = {"STOP": 0, "HOLD": 1, "GO": 2}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found: of which kind, about whom, since when, with what evidence.

    `until` is set when the state has ended. `confirmed` is False for what is only suspected: shown, not warned of.
    `for_driver` marks warnings that guard the driver. `late` is set by the watch when the proof came late.
    """

    kind: str
    vehicle: str
    subject: str
    colour: Colour
    since: datetime
    until: datetime | None = None
    confirmed: bool = True
    for_driver: bool = False
    evidence: tuple[Cited, ...] = ()
    values: dict[str, Value] = {}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One reason that holds at this gate now, with its row of the table, its evidence and until when it holds."""

    row: Reason
    evidence: tuple[Cited, ...] = ()
    values: dict[str, Value] = {}
    until: datetime | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer at a gate. `reasons` are ordered: the first is shown largest. `until` is when the answer may change by
    itself. `next_step` and `next_values` say what the person at the gate does now (for GO: where to, by when)."""

    word: Word
    reasons: tuple[Found, ...]
    next_step: str
    next_values: dict[str, Value]
    until: datetime | None
    at: datetime
    loop: str
    loop_version: int


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a station knows when a pass is before it.

    `loop` is the loop this station belongs to, in the version in force (None: taken from the pass's vehicle).
    `reading` is the pass read; None when the text was not a genuine pass of ours (`refused` then says why: `forged`,
    `foreign`, `half`). `medium` typed means that the number was typed. `lists_age_s` is the age of what the station
    knows (None: it never had any), `offset_s` its clock's measured offset (None: unknown). `plate_read` is the plate
    staff read off the tractor (empty: not yet), `names_agree` what they said of the names (None: not asked yet).
    """

    station: str
    reading: Reading | None
    loop: Loop | None = None
    refused: str = ""
    medium: Medium = "screen"
    lists_age_s: int | None = 0
    offset_s: float | None = 0.0
    plate_read: str = ""
    names_agree: bool | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What is found of one vehicle at one moment, and when the answer next changes by itself."""

    findings: tuple[Finding, ...]
    next_change: datetime | None
    at: datetime
