"""What a story may expect: one clause, one check, one visible list.

The law of this file: a check looks at a `World` and says what is wrong, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from checkpoint.core import rules
from checkpoint.core.rules import terminal
from checkpoint.core.rules.ahead import ahead
from checkpoint.core.verdict import Finding
from checkpoint.story.told import NAMES, TIME, instant, person
from checkpoint.story.world import World

Check = Callable[[World, re.Match[str]], str | None]
_KIND = r"(?P<kind>[a-z]+(?:-[a-z]+)*)"
SPAN = rf"{TIME}(?: to {TIME})?"


@dataclass(frozen=True)
class Clause:
    """One thing that can be expected: how it is written, an example, and the check, which returns what is wrong."""

    pattern: str
    example: str
    check: Check


def is_open(finding: Finding, at: datetime) -> bool:
    """Whether a finding has not ended by an instant."""
    return finding.until is None or finding.until > at


def shown_of(findings: Iterator[Finding] | list[Finding]) -> str:
    """Findings in a few words, for whoever reads why a story failed."""
    found = [
        f"{x.kind} {x.colour} since {x.since:%m-%d %H:%M:%S}Z"
        + (f" until {x.until:%H:%M:%S}Z" if x.until else "")
        + ("" if x.confirmed else " suspected")
        + f" of {x.subject}"
        for x in findings
    ]
    return "; ".join(found) or "nothing"


def _quiet(w: World, m: re.Match[str]) -> str | None:
    allowed = {k.strip() for k in (m["besides"] or "").split(",")}
    found = [x for x in w.findings if is_open(x, w.question.at) and x.kind not in allowed]
    return f"not quiet: {shown_of(found)}" if found else None


def _none_of(w: World, m: re.Match[str]) -> str | None:
    kinds = {k.strip() for k in m["kinds"].split(",")}
    if not kinds <= set(rules.KINDS):
        return f"no such kind of finding: {', '.join(sorted(kinds - set(rules.KINDS)))}"
    found = [
        x
        for x in w.findings
        if x.kind in kinds
        and (not m["subject"] or _names(x.subject, m["subject"]))
        and (m["how"] == "never" or (is_open(x, w.question.at) and x.confirmed))
    ]
    return f"found: {shown_of(found)}" if found else None


def in_span(w: World, span: str, value: datetime | None) -> bool:
    """Whether an instant is the one written, or lies between the two."""
    if value is None:
        return False
    first, _, last = span.partition(" to ")
    low = instant(first, w.question.at, w.story.zone)
    high = instant(last or first, w.question.at, w.story.zone)
    return low <= value <= high


def _names(subject: str, name: str) -> bool:
    return subject in (name, person(name)) or subject.rpartition(":")[2] in (name, person(name))


def _found(w: World, m: re.Match[str]) -> str | None:
    candidates = [x for x in w.findings if x.kind == m["kind"]]
    fitting = [
        x
        for x in candidates
        if x.confirmed != bool(m["suspected"])
        and (not m["colour"] or x.colour == m["colour"])
        and (not m["subject"] or _names(x.subject, m["subject"]))
        and (not m["since"] or in_span(w, m["since"], x.since))
        and (not m["ended"] or in_span(w, m["ended"], x.until))
        and (bool(m["ended"]) or is_open(x, w.question.at))
        and (not m["driver"] or x.for_driver)
        and (not m["name"] or str(x.values.get(m["name"])) == m["value"])
    ]
    if len(fitting) == 1 or (fitting and not m["once"]):
        return None
    wrong = "found several times" if fitting else "not found"
    return f"{m['kind']} {wrong}; there is {shown_of(candidates or list(w.findings))}"


def _journeys(w: World, m: re.Match[str]) -> str | None:
    laps = len(w.view.journeys) if w.view is not None else 0
    return None if laps == int(m["count"]) else f"there are {laps}"


def _leg(w: World, m: re.Match[str]) -> str | None:
    journey = w.view.journey if w.view is not None else None
    return None if journey is not None and journey.leg == m["leg"] else f"it is {journey.leg if journey else 'no journey'}"


def _place(w: World, m: re.Match[str]) -> str | None:
    journey = w.view.journey if w.view is not None else None
    station = journey.at_station if journey is not None else ""
    return None if station == (m["station"] or "") else f"it is at {station or 'no station'}"


def _closed(w: World, m: re.Match[str]) -> str | None:
    journey = w.view.journey if w.view is not None else None
    closed = journey is not None and journey.closed_at is not None and journey.closed_at <= w.question.at
    return None if closed == (m["state"] == "closed") else "it is not"


def _stays(w: World, m: re.Match[str]) -> str | None:
    stays = [s for j in (w.view.journeys if w.view else ()) for s in j.stays]
    wanted = [s for s in stays if not m["state"] or (s.until is None) == (m["state"].strip() == "open")]
    return None if len(wanted) == int(m["count"]) else f"there are {[(s.station, s.bay, s.since, s.until) for s in stays]}"


def _crew(w: World, m: re.Match[str]) -> str | None:
    crew = w.view.pass_.crew if w.view is not None and w.view.pass_ is not None else ()
    wanted = {person(n.strip()) for n in m["names"].split(",")}
    return None if set(crew) == wanted else f"it is {sorted(crew)}"


def _until(w: World, m: re.Match[str]) -> str | None:
    known_of = w.standing(m["name"])
    until = known_of.pcr_until if m["test"] == "pcr" else known_of.antigen_until
    return None if in_span(w, m["until"], until) else f"it counts until {until}"


def _counts_not(w: World, m: re.Match[str]) -> str | None:
    known_of = w.standing(m["name"])
    swab = known_of.pcr if m["test"] == "pcr" else known_of.antigen
    return None if swab is None else f"{swab.specimen} counts until {known_of.pcr_until or known_of.antigen_until}"


def _stands(w: World, m: re.Match[str]) -> str | None:
    known_of = w.standing(m["name"])
    states = {"positive": known_of.positive, "held": known_of.review, "unread": known_of.unread, "pending": known_of.pending}
    wrong = [s for s, swab in states.items() if (swab is not None) != (s == m["state"]) and (s == m["state"] or m["only"])]
    return f"{wrong[0]}: {states[wrong[0]]}" if wrong else None


def _not_in_state(w: World, m: re.Match[str]) -> str | None:
    known_of = w.standing(m["name"])
    states = {"positive": known_of.positive, "held": known_of.review, "unread": known_of.unread, "pending": known_of.pending}
    return None if states[m["state"]] is None else f"it is: {states[m['state']]}"


def _where(w: World, m: re.Match[str]) -> str | None:
    place = w.view.track.place if w.view is not None and w.view.track is not None else "unknown"
    return None if place == m["place"] else f"it is {place}"


def _arrival(w: World, m: re.Match[str]) -> str | None:
    coming = next((a for a in ahead(w.view, w.question.at) if a.station.id == m["station"]), None) if w.view is not None else None
    told = coming is not None and coming.earliest is not None and coming.latest is not None
    if coming is None or not told or m["low"] is None:
        return None if told == (m["low"] is not None) and coming is not None else f"there is {coming}"
    span = f"{m['low']} to {m['high']}"
    inside = in_span(w, span, coming.earliest) and in_span(w, span, coming.latest)
    return None if inside else f"it is {coming.earliest:%H:%M:%S}Z to {coming.latest:%H:%M:%S}Z, likely {coming.eta:%H:%M:%S}Z"


def _terminal_says(w: World, m: re.Match[str]) -> str | None:
    wanted = None if not m["ours"] else m["ours"] == "so do we"
    said = terminal.beside(w.view, w.findings) if w.view is not None else ()
    fitting = [
        b
        for b in said
        if b.alarm.name == m["alarm"]
        and in_span(w, m["since"], b.alarm.since)
        and ((b.alarm.until is None) if not m["ended"] else in_span(w, m["ended"], b.alarm.until))
        and (wanted is None or b.agrees == wanted)
    ]
    shown = [(b.alarm.name, f"{b.alarm.since:%H:%M:%S}Z", b.alarm.until, b.agrees) for b in said]
    return None if len(fitting) == 1 else f"there is {shown}"


def _phone_says(w: World, m: re.Match[str]) -> str | None:
    said = terminal.crossings_beside(w.view) if w.view is not None else ()
    fitting = [
        b
        for b in said
        if b.crossing.station == m["station"]
        and b.crossing.entered == (m["way"] == "enter")
        and b.agrees == (m["ours"] == "so do we")
    ]
    return None if len(fitting) == 1 else f"there is {said}"


CLAUSES: tuple[Clause, ...] = (
    Clause(rf"quiet(?: besides (?P<besides>{NAMES}))?", "expect quiet", _quiet),
    Clause(rf"(?P<how>no|never) (?P<kinds>{NAMES}?)(?: of (?P<subject>[\w:-]+))?", "expect no off-loop", _none_of),
    Clause(r"(?P<count>\d+) laps?", "expect 2 laps", _journeys),
    Clause(r"leg (?P<leg>outbound|inbound)", "expect leg inbound", _leg),
    Clause(r"(?:at (?P<station>[\w-]+)|between stations)", "expect at rest", _place),
    Clause(r"place (?P<place>on|off|unknown)", "expect place off", _where),
    Clause(
        rf"arrival at (?P<station>[\w-]+) (?:within (?P<low>{TIME}) to (?P<high>{TIME})|not known)",
        "expect arrival at market within 10:30 to 10:50",
        _arrival,
    ),
    Clause(
        rf"terminal says (?P<alarm>[a-z-]+) since (?P<since>{SPAN})(?: until (?P<ended>{SPAN}))?"
        r"(?:, (?P<ours>so do we|we do not))?",
        "expect terminal says route-deviation since 09:20, we do not",
        _terminal_says,
    ),
    Clause(
        r"phone says (?P<way>enter|leave) (?P<station>[\w-]+), (?P<ours>so do we|we do not)",
        "expect phone says enter rest, so do we",
        _phone_says,
    ),
    Clause(r"journey (?P<state>open|closed)", "expect journey closed", _closed),
    Clause(r"(?P<count>\d+)(?P<state> open| closed)? stays?", "expect 1 open stay", _stays),
    Clause(rf"crew (?P<names>{NAMES})", "expect crew wang, li", _crew),
    Clause(
        rf"(?P<test>pcr|antigen) of (?P<name>[\w-]+) until (?P<until>{SPAN})",
        "expect pcr of wang until 2022-04-22 08:05:00",
        _until,
    ),
    Clause(r"(?P<test>pcr|antigen) of (?P<name>[\w-]+) does not count", "expect pcr of wang does not count", _counts_not),
    Clause(r"(?P<name>[\w-]+) is not (?P<state>positive|held|unread|pending)", "expect wang is not held", _not_in_state),
    Clause(r"(?P<name>[\w-]+) is (?P<only>only )?(?P<state>positive|held|unread|pending)", "expect wang is held", _stands),
    Clause(
        rf"(?P<once>one )?{_KIND}(?: (?P<colour>yellow|red))?(?P<suspected> suspected)?(?: of (?P<subject>[\w:-]+))?"
        rf"(?: since (?P<since>{SPAN}))?(?: ended (?P<ended>{SPAN}))?(?P<driver> for the driver)?"
        r"(?: with (?P<name>[a-z_]+) (?P<value>[\w.-]+))?",
        "expect off-loop yellow since 09:42 to 09:44 ended 09:50",
        _found,
    ),
)


def expected(w: World, clauses: str) -> Iterator[str]:
    """What is wrong with each of some clauses, with `;` between them."""
    for text in (c.strip() for c in clauses.split(";")):
        for clause in CLAUSES:
            if (match := re.fullmatch(clause.pattern, text)) is not None:
                wrong = clause.check(w, match)
                if wrong is not None:
                    yield f"{text}: {wrong}"
                break
        else:
            yield f"nothing known is asked here: {text}"
