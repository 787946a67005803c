"""What concerns vehicles, followed through the ledger: many vehicles' questions are asked together.

A database may be far away: a start with a thousand vehicles that asked for each by itself would wait for it three thousand
times. Each concern finds what it would find alone. A subject is asked for once and a fact is read once, whoever names them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from checkpoint.store.concern import Concern
from checkpoint.store.ledger import Ledger, Recorded


class Asked(NamedTuple):
    """What a concern is to ask for next: subjects, and the ids of facts."""

    concern: Concern
    subjects: Collection[str]
    ids: Collection[str] = ()


def follow(ledger: Ledger, asked: Sequence[Asked]) -> list[list[Recorded]]:
    """Ask, and ask for what the answers name in turn, until nothing new is named. For each, what it found in the order learnt."""
    facts: dict[int, Recorded] = {}
    naming: dict[str, list[int]] = {}
    by_id: dict[str, int] = {}
    found: list[set[int]] = [set() for _ in asked]
    waiting = list(enumerate(asked))
    while waiting:
        subjects = {name for _, each in waiting for name in each.subjects} - naming.keys()
        naming |= ledger.naming(sorted(subjects))
        ids = {fact_id for _, each in waiting for fact_id in each.ids} - by_id.keys()
        numbers = {number for name in subjects for number in naming.get(name, ())} - facts.keys()
        for recorded in (*ledger.numbered(sorted(numbers)), *ledger.by_ids(sorted(ids))):
            facts[recorded.number] = recorded
            by_id[recorded.fact.id] = recorded.number
        still = []
        for i, each in waiting:
            about = sorted({number for name in each.subjects for number in naming.get(name, ())} & facts.keys())
            about += [by_id[fact_id] for fact_id in sorted(each.ids) if fact_id in by_id]
            found[i].update(about)
            named, corrected = each.concern.add(facts[number].fact for number in about)
            if named or corrected:
                still.append((i, Asked(each.concern, named, corrected)))
        waiting = still
    return [[facts[number] for number in sorted(numbers)] for numbers in found]
