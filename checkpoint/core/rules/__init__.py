"""Judge: one rule, one function, one visible list.

A rule looks at a `View` and an instant and yields findings, each with its evidence, and the instants at which it may
speak differently without any new fact. `RULES` is all of them, by theme; read it aloud and you know what we warn of.
`judge` runs them. `decide` (in `gate.py`) is the verdict at a gate.

A rule is a function of what is known: the same facts and fixes give the same findings, in whatever order they came.
A finding with `until` set is over. `PASSING` names the kinds that leave no trace when they end: when such a finding is
gone, its warning is cleared. When a finding of another kind is gone, the watch asks whether by all that is known now it was
so when the warning was raised: if it was, the warning is cleared; if it was not, it was disproved, and is withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from checkpoint.core.journey import View
from checkpoint.core.rules import driver, evidence, movement, record, terminal
from checkpoint.core.rules.ahead import Ahead, ahead
from checkpoint.core.rules.common import must_be_answered
from checkpoint.core.rules.gate import decide, step_s_of
from checkpoint.core.verdict import Finding, Judgement

Rule = Callable[[View, datetime], Iterator[Finding | datetime]]

RULES: tuple[Rule, ...] = (
    # where the truck is, and is not
    movement.off_loop,
    movement.wrong_way,
    movement.unscheduled_stop,
    movement.position_unknown,
    movement.datum_suspect,
    movement.silent,
    movement.station_skipped,
    movement.left_rest_without_checkout,
    movement.overstay,
    movement.not_departed,
    movement.late,
    movement.impossible_travel,
    # what the truck's own terminal says
    terminal.terminal_alarm,
    # what the tests say
    evidence.positive_result,
    evidence.held_for_review,
    evidence.antigen_unread,
    evidence.antigen_window_missed,
    # what the record says
    record.undesignated_place,
    record.overruled,
    record.verdict_differs,
    record.contested,
    record.help_called,
    record.unexplained,
    record.load_differs,
    record.alert_unacknowledged,
    # what the loop owes the driver
    driver.held_while_valid,
    driver.sampled_again,
    driver.queue_long,
    driver.hours_without_rest,
    driver.break_due,
    terminal.terminal_fatigue,
    driver.test_runs_out,
    driver.result_owed,
)
KINDS: tuple[str, ...] = tuple(rule.__name__.replace("_", "-") for rule in RULES)
MOVEMENT: frozenset[str] = movement.KINDS
FOR_DRIVER: frozenset[str] = frozenset(
    {
        "held-while-valid", "sampled-again", "queue-long", "hours-without-rest", "break-due", "terminal-fatigue",
        "test-runs-out", "result-owed",
    }
)  # fmt: skip
PASSING: frozenset[str] = frozenset(
    {"silent", "hours-without-rest", "break-due", "test-runs-out", "terminal-alarm", "terminal-fatigue"}
)
# Kinds that say something of people's tests: not for carriers, and not for what leaves the house.
ABOUT_TESTS: frozenset[str] = frozenset(
    {
        "positive-result", "held-for-review", "antigen-unread", "antigen-window-missed", "alert-unacknowledged",
        "held-while-valid", "sampled-again", "test-runs-out", "result-owed",
    }
)  # fmt: skip

__all__ = [
    "ABOUT_TESTS",
    "FOR_DRIVER",
    "KINDS",
    "MOVEMENT",
    "PASSING",
    "RULES",
    "Ahead",
    "ahead",
    "decide",
    "judge",
    "must_be_answered",
    "step_s_of",
]


def judge(view: View, now: datetime) -> Judgement:
    """Every finding about a vehicle at `now`, the earliest first, and when the answer next changes by itself.

    What a witness whose clock is ahead says of the future is not spoken of before its time.
    """
    findings: list[Finding] = []
    changes: list[datetime] = list(_turns(view))
    for rule in RULES:
        for said in rule(view, now):
            if not isinstance(said, Finding):
                changes.append(said)
            elif said.since > now:
                changes.append(said.since)
            elif said.until is not None and said.until > now:
                changes.append(said.until)
                findings.append(msgspec.structs.replace(said, until=None))
            else:
                findings.append(said)
    findings.sort(key=lambda f: (f.since, f.kind, f.subject))
    return Judgement(findings=tuple(findings), next_change=min((c for c in changes if c > now), default=None), at=now)


def _turns(view: View) -> Iterator[datetime]:
    """Instants at which any rule may say something else: passes begin and end, and with them journeys; the plan ends."""
    for state in view.passes:
        yield from (state.grant.not_before, state.closed_at)
    for journey in view.journeys:
        if journey.closed_at is not None:
            yield journey.closed_at
    if view.loop is not None and view.loop.effective_until is not None:
        yield view.loop.effective_until
