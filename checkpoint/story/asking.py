"""What a story asks of the rules, and whether their answer is the one it wants.

The law of this file: it knows the rules only by what they return. A question is asked three times, of the facts as told
and of the facts shuffled and doubled, and all three answers must be one. Beside what the story asks, every answer is held
to what is true of all answers: what a finding cites exists, `next_change` and `until` lie ahead, and an answer that
changes by itself was announced.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from checkpoint.core import passes, rules
from checkpoint.core.facts import Medium, PassGranted, Voided
from checkpoint.core.verdict import WORST, Gate, Verdict
from checkpoint.story.expecting import CLAUSES, SPAN, expected, in_span, is_open, shown_of
from checkpoint.story.told import AMOUNT, NAMES, PLATE, Question, Story, amount
from checkpoint.story.world import World, known

__all__ = ["CLAUSES", "EXPECT", "SCAN", "Asker", "ask_gate", "is_question", "known"]

SCAN = re.compile(
    r"scan(?: of (?P<number>\d{6}-\d{7}))?(?: generation (?P<generation>\d+))?(?: (?P<medium>on paper|typed))?"
    rf"(?: \((?P<options>[^)]*)\))? says (?P<word>GO|HOLD|STOP): (?P<reasons>{NAMES})(?P<clauses>(?:; [^;]+)*)"
)
EXPECT = re.compile(r"expect (?P<clauses>.+)")


def is_question(text: str) -> bool:
    """Whether a line asks (the rest of the lines tell)."""
    return text.startswith("expect ") or re.match(r"scan\b.* says ", text) is not None


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
        if (found := re.fullmatch(rf"until ({SPAN}|no end)", clause)) is not None:
            fits = verdict.until is None if found[1] == "no end" else in_span(w, found[1], verdict.until)
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
            yield from expected(world, expect["clauses"])
        else:
            yield f"nothing known is asked here: {q.text}"
            return
        yield from _truths(world, verdict if isinstance(verdict, Verdict) else None)
        yield from self._announced(world)
        for seed in range(self.orders):
            again = known(self.story, q, random.Random(f"{seed} {q.line}"))  # noqa: S311 - an order, no secret
            if again.judgement != world.judgement or again.view != world.view:
                yield f"told in another order and twice, the answer is another: {shown_of(list(again.findings))}"
            elif scan is not None and ask_gate(again, scan) != verdict:
                yield "told in another order and twice, the verdict is another"

    def _announced(self, world: World) -> Iterator[str]:
        """Whether a judgement that changed with no news was announced by the one before."""
        if world.judgement is None:
            return
        q = world.question
        answer = frozenset((x.kind, x.subject, x.colour, x.confirmed, is_open(x, q.at)) for x in world.findings)
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
