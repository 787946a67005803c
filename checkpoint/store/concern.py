"""What concerns a vehicle: the subjects to ask the ledger for, as its facts name them.

From the vehicle to its passes, requests and warnings and to the people on them; from these people to their specimens
and tubes; from a tube to its results; from every fact to its corrections. Never from a tube or a person to another
vehicle: one pool would tie a whole fleet together. Pure; the ledger and the watch both follow it.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkpoint.core.facts import Amended, Fact, Happening, SwabTaken, subjects

_OF_THE_VEHICLE = ("pass:", "request:", "warning:", "person:")
_OF_A_PERSON = ("specimen:", "tube:")


class Concern:
    """Grows with the facts it is told. `subjects` is what has been named so far, `targets` the facts corrected."""

    def __init__(self, vehicle: str) -> None:
        self.subjects: set[str] = {f"vehicle:{vehicle}"}
        self.targets: set[str] = set()
        # Facts about these are facts of the vehicle itself.
        self._own: set[str] = {f"vehicle:{vehicle}"}
        self._people: set[str] = set()

    def add(self, facts: Iterable[Fact]) -> tuple[set[str], set[str]]:
        """Follow facts that concern the vehicle. Returns the subjects and the ids of facts that are new to ask for.

        Facts told before may come again: they can say more once their person belongs to the vehicle.
        """
        named: set[str] = set()
        targets: set[str] = set()
        for fact in facts:
            names = subjects(fact)
            named.add(f"fact:{fact.id}")
            if not names.isdisjoint(self._own):
                own = {name for name in names if name.startswith(_OF_THE_VEHICLE)}
                named |= own
                self._own |= {name for name in own if name.startswith("pass:")}
                self._people |= {name for name in own if name.startswith("person:")}
            if not names.isdisjoint(self._people) and isinstance(_told(fact.what), SwabTaken):
                named |= {name for name in names if name.startswith(_OF_A_PERSON)}
            if isinstance(fact.what, Amended):
                # An amendment may bring a fact to this vehicle that named another one before.
                targets.add(fact.what.target)
        fresh, fresh_targets = named - self.subjects, targets - self.targets
        self.subjects |= fresh
        self.targets |= fresh_targets
        return fresh, fresh_targets


def _told(what: Happening) -> Happening:
    return what.what if isinstance(what, Amended) else what
