"""What a story asks of the rules, and whether their answer is the one it wants.

The law of this file: it knows the rules only by what they return. A question is asked three times, of the facts as told
and of the facts shuffled and doubled, and all three answers must be one. Beside what the story asks, every answer is held
to what is true of all answers: what a finding cites exists, `next_change` and `until` lie ahead, and an answer that
changes by itself was announced.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from checkpoint.core import passes, rules
from checkpoint.core.book import Book
from checkpoint.core.facts import Medium, PassGranted, Voided
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import Loop, Loops, Policy
from checkpoint.core.sampling import Evidence, Standing, as_of, fold_person, standing
from checkpoint.core.track import Fix, Track, TrackReading
from checkpoint.core.verdict import WORST, Finding, Gate, Judgement, Verdict
from checkpoint.story.told import AMOUNT, NAMES, PLATE, TIME, Question, Story, amount, instant, person

SCAN = re.compile(
    r"scan(?: of (?P<number>\d{6}-\d{7}))?(?: generation (?P<generation>\d+))?(?: (?P<medium>on paper|typed))?"
    rf"(?: \((?P<options>[^)]*)\))? says (?P<word>GO|HOLD|STOP): (?P<reasons>{NAMES})(?P<clauses>(?:; [^;]+)*)"
)
EXPECT = re.compile(r"expect (?P<clauses>.+)")


def is_question(text: str) -> bool:
    """Whether a line asks (the rest of the lines tell)."""
    return text.startswith("expect ") or re.match(r"scan\b.* says ", text) is not None


# -- the world as it was known ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """Everything known at one moment, folded, with the answers to all that can be asked of it."""

    story: Story
    question: Question
    book: Book
    loops: Loops
    view: View | None
    judgement: Judgement | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the judge found."""
        return self.judgement.findings if self.judgement is not None else ()

    def loop(self) -> Loop | None:
        """The loop that the question's station belongs to, in the version of the day."""
        loop = self.loops.in_force(self.story.loop_id, self.question.at)
        if loop is not None and self.question.station.startswith("elsewhere"):
            return msgspec.structs.replace(loop, id="elsewhere")
        return loop

    def policy(self) -> Policy:
        """The policy of the day at the question's station."""
        loop = self.loop()
        return loop.policy_at(self.question.station) if loop is not None else Policy()

    def evidence(self, name: str) -> Evidence:
        """What is known of a person of the story at the moment asked of, by clocks that may differ."""
        who, tolerated = person(name), timedelta(seconds=self.policy().clock_tolerance_s)
        known_of = self.view.people.get(who) if self.view is not None else None
        return as_of(known_of or fold_person(self.book, who), self.question.at + tolerated)

    def standing(self, name: str) -> Standing:
        """What that is worth at the moment asked of."""
        return standing(self.evidence(name), self.question.at, self.policy())


def known(story: Story, q: Question, shuffled: random.Random | None = None) -> World:
    """Fold and judge what was known at the question's moment; shuffled, everything comes twice and in another order."""
    told = [t.fact for t in story.told if t.recorded_at <= q.known_at and (q.known_at == q.at or t.fact.at <= q.at)]
    fixes = [m.fix for m in story.moved if m.vehicle == q.vehicle and m.recorded_at <= q.known_at and m.fix.fixed_at <= q.at]
    if shuffled is not None:
        told, fixes = told * 2, fixes * 2
        shuffled.shuffle(told)
        # Fixes come late in bursts, not one by one: a few blocks in another order, and each of them again.
        cut = sorted(shuffled.sample(range(len(fixes)), min(4, len(fixes))))
        blocks = [fixes[a:b] for a, b in zip([0, *cut], [*cut, len(fixes)], strict=True)]
        shuffled.shuffle(blocks)
        fixes = [fix for block in blocks for fix in block]
    book, loops = Book(told), Loops(story.versions)
    if not q.vehicle or not any(isinstance(t, PassGranted) for t in (f.what for f in told)):
        return World(story, q, book, loops, None, None)
    loop = loops.in_force(story.loop_id, q.at)
    view = view_of(book, q.vehicle, loops, _track(loop, fixes), q.at)
    return World(story, q, book, loops, view, rules.judge(view, q.at))


def _track(loop: Loop | None, fixes: list[Fix]) -> TrackReading | None:
    if loop is None or not fixes:
        return None
    track = Track(loop)
    for fix in fixes:
        track.add(fix)
    return track.reading()


# -- what may be expected -----------------------------------------------------------------------------------------------

Check = Callable[[World, re.Match[str]], str | None]
_KIND = r"(?P<kind>[a-z]+(?:-[a-z]+)*)"
_SPAN = rf"{TIME}(?: to {TIME})?"


@dataclass(frozen=True)
class Clause:
    """One thing that can be expected: how it is written, an example, and the check, which returns what is wrong."""

    pattern: str
    example: str
    check: Check


def _is_open(finding: Finding, at: datetime) -> bool:
    return finding.until is None or finding.until > at


def _shown(findings: Iterator[Finding] | list[Finding]) -> str:
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
    found = [x for x in w.findings if _is_open(x, w.question.at) and x.kind not in allowed]
    return f"not quiet: {_shown(found)}" if found else None


def _none_of(w: World, m: re.Match[str]) -> str | None:
    kinds = {k.strip() for k in m["kinds"].split(",")}
    if not kinds <= set(rules.KINDS):
        return f"no such kind of finding: {', '.join(sorted(kinds - set(rules.KINDS)))}"
    found = [
        x
        for x in w.findings
        if x.kind in kinds
        and (not m["subject"] or _names(x.subject, m["subject"]))
        and (m["how"] == "never" or (_is_open(x, w.question.at) and x.confirmed))
    ]
    return f"found: {_shown(found)}" if found else None


def _in_span(w: World, span: str, value: datetime | None) -> bool:
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
        and (not m["since"] or _in_span(w, m["since"], x.since))
        and (not m["ended"] or _in_span(w, m["ended"], x.until))
        and (bool(m["ended"]) or _is_open(x, w.question.at))
        and (not m["driver"] or x.for_driver)
    ]
    if len(fitting) == 1 or (fitting and not m["once"]):
        return None
    wrong = "found several times" if fitting else "not found"
    return f"{m['kind']} {wrong}; there is {_shown(candidates or list(w.findings))}"


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
    return None if _in_span(w, m["until"], until) else f"it counts until {until}"


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


CLAUSES: tuple[Clause, ...] = (
    Clause(rf"quiet(?: besides (?P<besides>{NAMES}))?", "expect quiet", _quiet),
    Clause(rf"(?P<how>no|never) (?P<kinds>{NAMES}?)(?: of (?P<subject>[\w:-]+))?", "expect no off-loop", _none_of),
    Clause(r"(?P<count>\d+) laps?", "expect 2 laps", _journeys),
    Clause(r"leg (?P<leg>outbound|inbound)", "expect leg inbound", _leg),
    Clause(r"(?:at (?P<station>[\w-]+)|between stations)", "expect at rest", _place),
    Clause(r"journey (?P<state>open|closed)", "expect journey closed", _closed),
    Clause(r"(?P<count>\d+)(?P<state> open| closed)? stays?", "expect 1 open stay", _stays),
    Clause(rf"crew (?P<names>{NAMES})", "expect crew wang, li", _crew),
    Clause(
        rf"(?P<test>pcr|antigen) of (?P<name>[\w-]+) until (?P<until>{_SPAN})",
        "expect pcr of wang until 2022-04-22 08:05:00",
        _until,
    ),
    Clause(r"(?P<test>pcr|antigen) of (?P<name>[\w-]+) does not count", "expect pcr of wang does not count", _counts_not),
    Clause(r"(?P<name>[\w-]+) is not (?P<state>positive|held|unread|pending)", "expect wang is not held", _not_in_state),
    Clause(r"(?P<name>[\w-]+) is (?P<only>only )?(?P<state>positive|held|unread|pending)", "expect wang is held", _stands),
    Clause(
        rf"(?P<once>one )?{_KIND}(?: (?P<colour>yellow|red))?(?P<suspected> suspected)?(?: of (?P<subject>[\w:-]+))?"
        rf"(?: since (?P<since>{_SPAN}))?(?: ended (?P<ended>{_SPAN}))?(?P<driver> for the driver)?",
        "expect off-loop yellow since 09:42 to 09:44 ended 09:50",
        _found,
    ),
)


def _expected(w: World, clauses: str) -> Iterator[str]:
    for text in (c.strip() for c in clauses.split(";")):
        for clause in CLAUSES:
            if (match := re.fullmatch(clause.pattern, text)) is not None:
                wrong = clause.check(w, match)
                if wrong is not None:
                    yield f"{text}: {wrong}"
                break
        else:
            yield f"nothing known is asked here: {text}"


# -- at the gate --------------------------------------------------------------------------------------------------------


def _option(text: str, gate: dict[str, object], scan: dict[str, object]) -> bool:
    if text in ("forged", "foreign", "half"):
        gate["refused"] = text
    elif text == "without a live step":
        scan["step"] = None
    elif text == "with a false step":
        scan["genuine"] = False
    elif (m := re.fullmatch(r"step (\d+) (old|ahead)", text)) is not None:
        scan["steps_off"] = int(m[1]) * (-1 if m[2] == "old" else 1)
    elif (m := re.fullmatch(rf"plate read ({PLATE})", text)) is not None:
        gate["plate_read"] = m[1]
    elif text in ("names agree", "names differ"):
        gate["names_agree"] = text == "names agree"
    elif (m := re.fullmatch(rf"lists ({AMOUNT}) old", text)) is not None:
        gate["lists_age_s"] = int(amount(m[1]))
    elif text == "no lists":
        gate["lists_age_s"] = None
    elif (m := re.fullmatch(rf"clock off ({AMOUNT})", text)) is not None:
        gate["offset_s"] = amount(m[1])
    elif text == "clock unknown":
        gate["offset_s"] = None
    elif text == "nothing known":
        scan["unknown"] = True
    else:
        return False
    return True


def _grant(w: World, m: re.Match[str]) -> PassGranted | None:
    """The pass that is shown: the one named, or the vehicle's last; known here or not."""
    found = None
    for told in w.story.told:
        what = told.fact.what
        if (
            isinstance(what, PassGranted)
            and told.line < w.question.line
            and (what.pass_id == m["number"] if m["number"] else what.vehicle == w.question.vehicle)
            and (not m["generation"] or what.generation == int(m["generation"]))
        ):
            found = what
    return found


def ask_gate(w: World, m: re.Match[str]) -> Verdict | str:
    """The verdict at the question's station; a text when the question cannot be asked."""
    gate: dict[str, object] = {}
    scan: dict[str, object] = {}
    for text in (o.strip() for o in (m["options"] or "").split(",") if o.strip()):
        if not _option(text, gate, scan):
            return f"nothing known is said here: {text}"
    policy, now = w.policy(), w.question.at
    reading = None
    medium: Medium = "paper" if m["medium"] == "on paper" else "typed" if m["medium"] else "screen"
    if "refused" not in gate and medium != "typed":
        grant = _grant(w, m)
        if grant is None:
            return "no pass was granted that could be shown"
        screen = medium != "paper"
        shown = passes.Pass(
            number=grant.pass_id,
            plate=grant.vehicle,
            loop_digest=passes.loop_digest(grant.loop),
            not_before=grant.not_before,
            expires=grant.expires,
            generation=grant.generation,
            paper=not screen,
            anchor=bytes.fromhex(grant.anchor) if screen else b"",
            key_id="0000",
        )
        step: int | None = passes.step_at(shown, now, grant.step_s) + int(str(scan.get("steps_off", 0)))
        if not screen or "step" in scan:
            step = None
        reading = passes.Reading(pass_=shown, text="CP1", step=step, step_genuine=step is not None and "genuine" not in scan)
    if not w.question.station:
        return "a scan is at a station: `at gate-a: scan says ...`"
    view = None if "unknown" in scan or "refused" in gate else w.view
    made = Gate(station=w.question.station, loop=w.loop(), reading=reading, medium=medium, **gate)  # type: ignore[arg-type]
    return rules.decide(view, made, now, policy)


def _judged(w: World, m: re.Match[str], verdict: Verdict) -> Iterator[str]:
    reasons = list(dict.fromkeys(f.row.reason for f in verdict.reasons))
    wanted = [r.strip() for r in m["reasons"].split(",")]
    said = f"says {verdict.word}: {', '.join(reasons)}"
    if verdict.word != m["word"] or reasons != wanted:
        yield said
    for clause in (c.strip() for c in m["clauses"].split(";") if c.strip()):
        if (found := re.fullmatch(rf"until ({_SPAN}|no end)", clause)) is not None:
            fits = verdict.until is None if found[1] == "no end" else _in_span(w, found[1], verdict.until)
            if not fits:
                yield f"{said}; until {verdict.until}"
        elif (found := re.fullmatch(r"next ([\w-]+)(?: ([\w-]+))?", clause)) is not None:
            if verdict.next_step != found[1] or (found[2] and found[2] not in verdict.next_values.values()):
                yield f"{said}; next {verdict.next_step} {verdict.next_values}"
        elif (found := re.fullmatch(r"version (\d+)", clause)) is not None:
            if verdict.loop_version != int(found[1]):
                yield f"{said}; by version {verdict.loop_version}"
        elif (found := re.fullmatch(rf"not ({NAMES})", clause)) is not None:
            if not set(found[1].split(", ")).isdisjoint(reasons):
                yield said
        else:
            yield f"nothing known is asked here: {clause}"


# -- what holds of every answer -----------------------------------------------------------------------------------------


def _truths(w: World, verdict: Verdict | None) -> Iterator[str]:
    now = w.question.at
    if w.judgement is not None:
        if w.judgement.next_change is not None and w.judgement.next_change <= now:
            yield f"the next change announced is not ahead: {w.judgement.next_change}"
        for x in w.findings:
            if x.kind not in rules.KINDS:
                yield f"{x.kind} is not in the list of kinds"
            if x.since > now:
                yield f"{x.kind} begins in the future: {x.since}"
            if not x.evidence:
                yield f"{x.kind} points at no evidence"
            for cited in x.evidence:
                if cited.fact and w.book.received(cited.fact) is None:
                    yield f"{x.kind} cites {cited.fact}, which nobody told"
                if cited.fact and w.book.fact(cited.fact) is None and not _is_correction(w, cited.fact):
                    yield f"{x.kind} cites {cited.fact}, which was voided"
    if verdict is not None:
        words = [WORST[f.row.verdict] for f in verdict.reasons]
        if not words or WORST[verdict.word] != min(words):
            yield "the verdict is not that of its worst reason"
        if [(WORST[f.row.verdict], f.row.rank) for f in verdict.reasons] != sorted(
            (WORST[f.row.verdict], f.row.rank) for f in verdict.reasons
        ):
            yield "the reasons are not in the order of the table"
        if verdict.until is not None and verdict.until <= now:
            yield f"the verdict holds until {verdict.until}, which is past"


def _is_correction(w: World, fact_id: str) -> bool:
    return any(isinstance(f.what, Voided) and f.what.target == fact_id for f in w.book.history(f"fact:{fact_id}"))


# -- one question -------------------------------------------------------------------------------------------------------


@dataclass
class Asker:
    """Asks a story's questions in turn; remembers the last answer to see whether a change was announced."""

    story: Story
    orders: int = 2
    last: tuple[World, frozenset[tuple[object, ...]]] | None = field(default=None)

    def ask(self, q: Question) -> Iterator[str]:
        """What is wrong with the answers to one question."""
        world = known(self.story, q)
        scan, expect = SCAN.fullmatch(q.text), EXPECT.fullmatch(q.text)
        verdict: Verdict | str | None = None
        if scan is not None:
            verdict = ask_gate(world, scan)
            if isinstance(verdict, str):
                yield verdict
                return
            yield from _judged(world, scan, verdict)
        elif expect is not None:
            if world.judgement is None:
                yield "no pass was granted, so nothing is judged"
                return
            yield from _expected(world, expect["clauses"])
        else:
            yield f"nothing known is asked here: {q.text}"
            return
        yield from _truths(world, verdict if isinstance(verdict, Verdict) else None)
        yield from self._announced(world)
        for seed in range(self.orders):
            again = known(self.story, q, random.Random(f"{seed} {q.line}"))  # noqa: S311 - an order, no secret
            if again.judgement != world.judgement or again.view != world.view:
                yield f"told in another order and twice, the answer is another: {_shown(list(again.findings))}"
            elif scan is not None and ask_gate(again, scan) != verdict:
                yield "told in another order and twice, the verdict is another"

    def _announced(self, world: World) -> Iterator[str]:
        """Whether a judgement that changed with no news was announced by the one before."""
        if world.judgement is None:
            return
        q = world.question
        answer = frozenset((x.kind, x.subject, x.colour, x.confirmed, _is_open(x, q.at)) for x in world.findings)
        before, self.last = self.last, (world, answer)
        if before is None:
            return
        old, old_answer = before
        nothing_new = (
            old.question.vehicle == q.vehicle
            and old.question.at < q.at
            and old.question.known_at == old.question.at
            and q.known_at == q.at
            and not any(old.question.at < learnt <= q.at for learnt in self.story.learnt())
        )
        if not nothing_new or answer == old_answer or old.judgement is None:
            return
        announced = old.judgement.next_change
        if announced is None or announced > q.at:
            yield f"changed by itself after line {old.question.line}, which announced {announced or 'no change'}"
