"""Judge: one rule, one function, one visible list.

TYPES FIRST, rules below.
"""

from __future__ import annotations

from datetime import datetime

from checkpoint.core.journey import View
from checkpoint.core.loop import Policy
from checkpoint.core.verdict import Gate, Judgement, Verdict


def judge(view: View, now: datetime) -> Judgement:
    """Every finding about a vehicle at `now`, and the moment when the answer next changes by itself."""
    raise NotImplementedError


def decide(view: View | None, gate: Gate, now: datetime, policy: Policy | None = None) -> Verdict:
    """The verdict at a gate. `view` is None when the pass is genuine but nothing is known of it here."""
    raise NotImplementedError
