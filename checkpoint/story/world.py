"""Everything that was known at one moment of a story, folded and judged, with the answers to all that can be asked of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from checkpoint.core import rules
from checkpoint.core.book import Book
from checkpoint.core.facts import PassGranted
from checkpoint.core.journey import View, view_of
from checkpoint.core.loop import Loop, Loops, Policy
from checkpoint.core.sampling import Evidence, Standing, as_of, fold_person, standing
from checkpoint.core.track import Fix, Track, TrackReading
from checkpoint.core.verdict import Finding, Judgement
from checkpoint.story.told import Question, Story, person


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
    view = msgspec.structs.replace(view, outages=tuple(o for o in story.outages if o.ended <= q.known_at))
    return World(story, q, book, loops, view, rules.judge(view, q.at))


def _track(loop: Loop | None, fixes: list[Fix]) -> TrackReading | None:
    if loop is None or not fixes:
        return None
    track = Track(loop)
    for fix in fixes:
        track.add(fix)
    return track.reading()
