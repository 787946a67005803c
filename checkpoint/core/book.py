"""Facts added up, with corrections applied: the same facts in any order and any number of copies give the same book.

A book is what the rules read. It holds each fact once by id, indexes it by subject, puts `Amended` facts in the place of
what they correct and leaves `Voided` ones out, whichever came first. It forgets nothing: `history` still has them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from checkpoint.core.facts import Amended, Fact, Happening, Voided, subjects


class Book:
    """Facts by subject. `revision` grows when something is added, so that readings can be kept for as long as it stands."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.revision = 0
        self._facts: dict[str, Fact] = {}
        self._by_subject: dict[str, set[str]] = defaultdict(set)
        self._corrections: dict[str, dict[str, Fact]] = defaultdict(dict)
        # What was asked since something was last added: a fold asks the same thing from many sides.
        self._answers: dict[tuple[str, ...], tuple[Fact, ...]] = {}
        for fact in facts:
            self.add(fact)

    def add(self, fact: Fact) -> bool:
        """Take a fact in; False when it was here already. Of two facts under one id the first in byte order stands,
        so that the order of arrival does not show (the ledger refuses the second; this is for merged copies)."""
        held = self._facts.get(fact.id)
        if held is not None:
            if held == fact or msgspec.json.encode(held) <= msgspec.json.encode(fact):
                return False
            self._drop(held)
        self._facts[fact.id] = fact
        if isinstance(fact.what, Amended | Voided):
            self._corrections[fact.what.target][fact.id] = fact
        for subject in subjects(fact):
            self._by_subject[subject].add(fact.id)
        self.revision += 1
        self._answers.clear()
        return True

    def _drop(self, fact: Fact) -> None:
        for subject in subjects(fact):
            self._by_subject[subject].discard(fact.id)
        if isinstance(fact.what, Amended | Voided):
            self._corrections[fact.what.target].pop(fact.id, None)

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._facts

    def __len__(self) -> int:
        return len(self._facts)

    def fact(self, fact_id: str) -> Fact | None:
        """The fact of that id as it stands now: amended, or None when voided or unknown."""
        fact = self._facts.get(fact_id)
        return self._standing(fact) if fact is not None else None

    def received(self, fact_id: str) -> Fact | None:
        """The fact of that id as its witness told it, whatever became of it."""
        return self._facts.get(fact_id)

    def _standing(self, fact: Fact) -> Fact | None:
        """What a fact says after its corrections; a correction that was itself voided corrects nothing."""
        if fact.id not in self._corrections:
            return fact
        corrections = sorted(self._corrections[fact.id].values(), key=lambda c: (c.at, c.id))
        for correction in corrections:
            if self._is_voided(correction):
                continue
            if isinstance(correction.what, Voided):
                return None
            if isinstance(correction.what, Amended):
                fact = msgspec.structs.replace(fact, what=correction.what.what, at=correction.what.at or fact.at)
        return fact

    def _is_voided(self, fact: Fact) -> bool:
        """Whether a correction was voided. Corrections of corrections of corrections are followed as far as they go."""
        seen: set[str] = {fact.id}
        return self._voided(fact, seen)

    def _voided(self, fact: Fact, seen: set[str]) -> bool:
        for correction in self._corrections.get(fact.id, {}).values():
            if not isinstance(correction.what, Voided) or correction.id in seen:
                continue
            if not self._voided(correction, seen | {correction.id}):
                return True
        return False

    def of(self, *names: str) -> tuple[Fact, ...]:
        """The standing facts about any of these subjects, corrections themselves left out, in the order of `(at, id)`."""
        answer = self._answers.get(names)
        if answer is None:
            ids: set[str] = set().union(*(self._by_subject.get(name, ()) for name in names))
            answer = self._answers[names] = self._ordered(ids, names)
        return answer

    def all(self) -> tuple[Fact, ...]:
        """Every standing fact, corrections themselves left out, in the order of `(at, id)`."""
        return self._ordered(self._facts, None)

    def _ordered(self, ids: Iterable[str], names: tuple[str, ...] | None) -> tuple[Fact, ...]:
        found = []
        for fact_id in ids:
            fact = self._facts[fact_id]
            if isinstance(fact.what, Voided | Amended):
                # An amendment may name new subjects: what it corrects is then found through it.
                target = self._facts.get(fact.what.target) if isinstance(fact.what, Amended) else None
                if target is None or isinstance(target.what, Voided | Amended):
                    continue
                fact = target
            standing = self._standing(fact)
            if standing is None:
                continue
            # What was never amended is about what it is indexed by.
            if names is None or (standing is fact and fact_id == fact.id) or not subjects(standing).isdisjoint(names):
                found.append(standing)
        unique = {fact.id: fact for fact in found}
        return tuple(sorted(unique.values(), key=lambda f: (f.at, f.id)))

    def of_kind(self, kind: type[Happening]) -> Iterator[Fact]:
        """Every standing fact of one kind, in the order of `(at, id)`."""
        return (fact for fact in self.all() if isinstance(fact.what, kind))

    def history(self, *names: str) -> tuple[Fact, ...]:
        """Everything ever told about these subjects, corrections included, in the order of `(at, id)`."""
        ids: set[str] = set().union(*(self._by_subject.get(name, ()) for name in names))
        for fact_id in tuple(ids):
            ids.update(self._corrections.get(fact_id, {}))
        return tuple(sorted((self._facts[i] for i in ids), key=lambda f: (f.at, f.id)))
