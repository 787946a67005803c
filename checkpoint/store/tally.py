"""What the store has done since it was opened, counted, for whoever watches over the machine.

Counted is what became durable, and nothing of whom it was about: kinds and outcomes only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock

from checkpoint.store.ledger import Entry, Outcome

# Upper bounds in seconds: from a quiet disk to one that hangs.
COMMIT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
UNREAD = "unread"


class Tally:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.facts: Counter[tuple[str, str]] = Counter()
        self.positions: Counter[str] = Counter()
        # How many commits took no longer than each bound; the last is all of them.
        self.commits = [0] * (len(COMMIT_BOUNDS_S) + 1)
        self.commits_s = 0.0
        self.failed = 0

    def took(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Entries were handed in, and this became of them."""
        with self._lock:
            for entry, outcome in zip(entries, outcomes, strict=True):
                kind = type(entry.fact.what).__name__ if entry.fact is not None else UNREAD
                self.facts[kind, outcome.state] += 1

    def took_fixes(self, outcome: str, count: int) -> None:
        """So many fixes were `new`, `repeated`, `strange`, or `refused`; `unusable` and no more than counted."""
        if count:
            with self._lock:
                self.positions[outcome] += count

    def committed(self, seconds: float) -> None:
        """A commit took so long. The writer's thread."""
        self.commits_s += seconds
        self.commits[-1] += 1
        for i, bound in enumerate(COMMIT_BOUNDS_S):
            if seconds <= bound:
                self.commits[i] += 1
