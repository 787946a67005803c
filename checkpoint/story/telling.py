"""A story as it is told: text -> `Story`, with the line of every fact, position and question.

The law of this file: what a line may say is in two lists, `sentences.SENTENCES` (what happened) and `asking.CLAUSES` (what
we should say of it), nowhere else; a line that none of them understands is an error that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from checkpoint.core import facts as f
from checkpoint.story.heading import Header
from checkpoint.story.sentences import SENTENCES
from checkpoint.story.told import PLATE, TIME, Question, Story, StoryError, Teller, Told

_LINE = re.compile(rf"(?P<time>{TIME})\s+(?P<rest>\S.*)")
_RECORDED = re.compile(rf"\s*\((?P<which>recorded|known) (?P<time>{TIME})\)")
_LABEL = re.compile(r"\s+#(?P<label>[\w-]+)$")
_PREFIX = re.compile(
    rf"(?:(?P<where>at (?P<station>[\w-]+)|laboratory|coordinator|server|driver (?P<driver>[\w-]+)|(?P<bare>{PLATE}))"
    rf"(?:, (?P<vehicle>{PLATE}))?(?:, by (?P<by>[\w-]+))?): +(?P<rest>.*)"
)


def parse(text: str, folder: Path | None = None) -> Story:
    """Read a story; a loop document it names is looked for in `folder`. Raises `StoryError` at the first line that says
    nothing known."""
    from checkpoint.story import asking  # the questions' grammar lives with their answers

    story = Story()
    teller = Teller(story)
    header = Header(story, teller, folder or Path())
    in_header = True
    for number, raw in enumerate(text.splitlines(), 1):
        teller.line = number
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if in_header and not re.match(r"\d{4}-", line):
            header.read(line)
            continue
        if in_header:
            header.finish()
            in_header = False
        _read_line(teller, line, asking.is_question)
    if not story.questions:
        raise StoryError(max(teller.line, 1), "a story asks something: `scan says ...` or `expect ...`")
    return story


def _read_line(teller: Teller, line: str, is_question: Callable[[str], bool]) -> None:
    match = _LINE.fullmatch(line)
    if match is None:
        raise teller.fail("a line begins with its time, then two spaces: `2022-04-20 08:00:00  ...`")
    teller.at = teller.when(match["time"])
    teller.recorded_at, rest, label = teller.at, match["rest"], ""
    known = None
    for extra in _RECORDED.finditer(rest):
        known = extra
        teller.recorded_at = teller.when(extra["time"])
    rest = _RECORDED.sub("", rest)
    if (found := _LABEL.search(rest)) is not None:
        label, rest = found["label"], rest[: found.start()]
    teller.station = teller.by = teller.driver = ""
    teller.told_in_line = 0
    where = ""
    prefix = _PREFIX.fullmatch(rest)
    if prefix is not None:
        rest, where = prefix["rest"], prefix["where"]
        teller.station, teller.driver = prefix["station"] or "", prefix["driver"] or ""
        teller.vehicle = prefix["vehicle"] or prefix["bare"] or teller.vehicle
        teller.by = f"staff-{prefix['by']}" if prefix["by"] else ""
        if teller.station and teller.station not in teller.story.stations() and not teller.station.startswith("elsewhere"):
            raise teller.fail(f"no station {teller.station} (a place of no loop begins with `elsewhere`)")
    if is_question(rest):
        if known is not None and known["which"] == "recorded":
            raise teller.fail("a question is asked of what was `(known TIME)`")
        story = teller.story
        story.questions.append(Question(teller.line, teller.at, teller.recorded_at, teller.vehicle, teller.station, rest))
        return
    if known is not None and known["which"] == "known":
        raise teller.fail("what happened was `(recorded TIME)`")
    witness = (
        f"kiosk:{teller.station}"
        if teller.station
        else f"phone:{teller.driver}"
        if teller.driver
        else _WITNESS.get(where, "desk:1")
    )
    for sentence in SENTENCES:
        if (match := re.fullmatch(sentence.pattern, rest)) is not None:
            what = sentence.tell(teller, match)
            if what is not None:
                _tell(teller, what, witness, label)
            return
    raise teller.fail(f"nothing known is said here: {rest}")


_WITNESS = {"laboratory": "lab:city", "server": "server", "coordinator": "desk:coordinator"}


def _tell(teller: Teller, what: f.What, witness: str, label: str) -> None:
    fact_id = label or f"line-{teller.line:03d}"
    if isinstance(what, f.SwabTaken) and not label:
        fact_id = f"swab-{what.specimen}" if f"swab-{what.specimen}" not in teller.facts else fact_id
    if isinstance(what, f.WarningRaised) and not label:
        raise teller.fail("a warning wants a name: `... #W1`")
    if fact_id in teller.facts:
        raise teller.fail(f"#{fact_id} was told already")
    fact = f.checked(
        f.Fact(id=fact_id, at=teller.at, witness=witness, what=what, by=teller.by or teller.driver, station=teller.station)
    )
    teller.facts[fact_id] = fact
    if isinstance(what, f.Scanned):
        teller.last_scan[teller.vehicle] = fact_id
    teller.story.told.append(Told(teller.line, fact, teller.recorded_at))
