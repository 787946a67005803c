"""The voice of the watch: what it found of several vehicles is told in one breath.

The law of this file:

* What is to be told of a vehicle waits until those judged right after it can be told with it: no longer than `BREATH_S`, and
  no more than `MOST_FACTS`, for whose commit a scan may have to wait.
* A breath is one commit: all of it is told, or nothing. It is told past nobody: what it goes by is the end of the server's own
  chain as it was read when the first of its vehicles was judged (`Store.tell`).
* Whoever was not told of is named, and is to be judged again. Nothing stays here from one round to the next.
* Once the store has failed, this round tells no more: it would fail, and wait, for every breath anew.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from checkpoint import hindsight
from checkpoint.core.facts import Fact
from checkpoint.core.journey import View, WarningState
from checkpoint.core.loop import Loops
from checkpoint.core.verdict import Finding, Judgement
from checkpoint.store import Outrun, StorageFailed, Store
from checkpoint.telling import tell

log = logging.getLogger(__name__)
BREATH_S = 0.1
MOST_FACTS = 100


def to_tell(store: Store, view: View, judgement: Judgement, facts: Collection[Fact], loops: Loops, now: datetime) -> list[Fact]:
    """What there is to tell of a vehicle, by what the store knows of when its proof came and of what was taken from it.
    `facts` is all that concerns it."""
    vehicle = view.vehicle

    def came_late(finding: Finding) -> bool:
        """Whether the proof was complete here long after it was complete out there."""
        proof = []
        for cited in finding.evidence:
            if cited.fact:
                recorded = store.fact(cited.fact)
                if recorded is not None:
                    proof.append((recorded.fact.at, recorded.recorded_at))
            elif cited.at is not None:
                received_at = store.fix_received_at(finding.vehicle, cited.at)
                if received_at is not None:
                    proof.append((cited.at, received_at))
        return hindsight.came_late(proof)

    def ended(warning: WarningState) -> datetime | None:
        """When a state that is found no more ended; None when by all we know now it was not so when we told of it."""
        since, gone = warning.raised.since, store.was_withdrawn(vehicle, warning.raised_at)
        if warning.raised.finding == "silent" and gone and store.fix_received_at(vehicle, since) is None:
            return None  # the fix after which it was silent was another vehicle's
        return hindsight.ended(warning, facts, vehicle, loops, view.track, now, lambda at: store.fix_after(vehicle, at))

    return tell(view, judgement, now, came_late=came_late, ended=ended)


@dataclass
class Spoken:
    """What became of a breath."""

    # Up to which link of the server's own chain it was told; 0 when it was not.
    told_to: int = 0
    # Who is to be judged again, and whether that is because another process told meanwhile.
    again: set[str] = field(default_factory=set)
    outrun: bool = False
    # Of whom the record would not take what it should.
    refused: dict[str, Exception] = field(default_factory=dict)


class Voice:
    """What one round tells. `known` is the last link of the server's own chain that was read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, list[Fact]] = {}
        self._count = 0
        self._known = 0
        self._since_s = 0.0
        # Why nothing more is told in this round.
        self.failed: StorageFailed | None = None

    @property
    def waiting(self) -> set[str]:
        """The vehicles of which something is still to be told."""
        return set(self._waiting)

    def take(self, vehicle: str, facts: list[Fact], known: int, now_s: float) -> None:
        """Something is to be told of a vehicle that was judged just now, by all that was read up to `known`."""
        if not self._waiting:
            # Whoever comes after was judged by no less: told past this, it would be told past the first.
            self._known, self._since_s = known, now_s
        self._waiting[vehicle] = facts
        self._count += len(facts)

    def due(self, now_s: float) -> bool:
        """Whether what waits should wait no longer."""
        return bool(self._waiting) and (self._count >= MOST_FACTS or now_s - self._since_s >= BREATH_S)

    def speak(self) -> Spoken:
        """Tell what waits; durable when it returns."""
        breath, self._waiting, self._count = self._waiting, {}, 0
        spoken = Spoken()
        if not breath:
            return spoken
        try:
            self._tell(breath, spoken)
        except Exception:
            log.exception("something could not be told: each vehicle is told of by itself")
            for vehicle, facts in breath.items():
                try:
                    self._tell({vehicle: facts}, spoken)
                except Exception as error:  # noqa: BLE001 - named, as a vehicle that cannot be judged is
                    spoken.refused[vehicle] = error
        return spoken

    def _tell(self, breath: dict[str, list[Fact]], spoken: Spoken) -> None:
        """Tell in one commit. Raises what is the fault of what is told."""
        if self.failed is not None or spoken.outrun:
            spoken.again |= breath.keys()
            return
        try:
            outcomes = iter(self._store.tell([f for facts in breath.values() for f in facts], max(self._known, spoken.told_to)))
        except Outrun as error:
            log.info("another process told meanwhile: %s", error)
            spoken.again |= breath.keys()
            spoken.outrun = True
            return
        except StorageFailed as error:
            spoken.again |= breath.keys()
            self.failed = error
            return
        for vehicle, facts in breath.items():
            for outcome in [next(outcomes) for _ in facts]:
                if outcome.held:
                    spoken.told_to = max(spoken.told_to, outcome.seq or 0)
                else:
                    why = f"the record did not take what is to be told: {outcome.why} {outcome.id}"
                    spoken.refused.setdefault(vehicle, RuntimeError(why))
