"""What was so, by all that is known now: whether a state that we told of was, when it ended, whether its proof came late.

The law of this file: it asks the same rules about an earlier instant, with later facts left out and corrections kept. Whoever
tells (the watch of the record, the replay of a recorded track) asks here, so that both take a warning back for one reason.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from checkpoint.core import rules
from checkpoint.core.book import Book
from checkpoint.core.facts import Amended, Fact, Voided
from checkpoint.core.journey import WarningState, view_of
from checkpoint.core.loop import Loops
from checkpoint.core.track import TrackReading

# The first position after an instant, of those known now.
NextFix = Callable[[datetime], datetime | None]
# Proof that came this long after it happened makes a warning a late one.
LATE_AFTER = timedelta(minutes=10)


def came_late(proof: Iterable[tuple[datetime, datetime]]) -> bool:
    """Whether a proof, as pairs of when it happened and when it came, was complete here long after it was out there."""
    pairs = list(proof)
    return bool(pairs) and max(came for _, came in pairs) - max(happened for happened, _ in pairs) > LATE_AFTER


def ended(
    warning: WarningState,
    facts: Collection[Fact],
    vehicle: str,
    loops: Loops,
    track: TrackReading | None,
    now: datetime,
    next_fix: NextFix,
) -> datetime | None:
    """When a state that is found no more ended; None when by all we know now it was not so when we told of it."""
    if warning.raised.finding == "silent":
        # A silence ends with the next position, by that one's own time; one that came late shows that there was none.
        spoke = next_fix(warning.raised.since)
        return now if spoke is None else spoke if spoke > warning.raised_at else None
    if warning.raised.finding in rules.PASSING:
        return now

    def so_at(at: datetime) -> bool:
        had_happened = Book(f for f in facts if f.at <= at or isinstance(f.what, Voided | Amended))
        judgement = rules.judge(view_of(had_happened, vehicle, loops, track, at), at)
        return any(
            f.kind == warning.raised.finding
            and f.subject == warning.raised.subject
            and (f.until is None or f.until > warning.raised.since)
            for f in judgement.findings
        )

    if not so_at(warning.raised_at):
        return None
    # The first thing that happened after which it was so no longer.
    times = sorted({f.at for f in facts if warning.raised_at < f.at <= now})
    first = bisect_left(times, True, key=lambda at: not so_at(at))
    return times[first] if first < len(times) else now
