"""What leaves the record when its term is over, and what stays of it.

The law of this file: of a fact that leaves, its bytes, what was received, its kind, its time and its subjects go; of its id
only a digest stays, so that nobody finds the bytes again by guessing. Its number, its witness, its link of the chain (`seq`,
`prev`, `hash`) and when it was learnt stay, under a new seal: the chain is walked on over it, and nobody without the key file
removes a fact unseen. What is told again under the same link is answered as held, and does not come back.

What was set aside and has a place in a chain leaves the same way; without one it is deleted whole.

Everything here runs on the writer's thread, in its transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from checkpoint.store.database import Database, micros
from checkpoint.store.keys import Keys
from checkpoint.store.ledger import left_id, removal_seal
from checkpoint.store.seals import count_aside, seal_aside

_AT_ONCE = 400


def remove_facts(database: Database, keys: Keys, numbers: Iterable[int], now: datetime) -> int:
    """Let facts go. Returns how many there were that had not left before."""
    wanted, removed_at, count = sorted(set(numbers)), micros(now), 0
    for i in range(0, len(wanted), _AT_ONCE):
        part = wanted[i : i + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        rows = database.rows(
            f"SELECT number, id, witness, seq, prev, hash, recorded_at FROM facts WHERE number IN ({marks})"
            " AND removed_at IS NULL",
            part,
        )
        changed: list[Sequence[object]] = []
        for number, fact_id, witness, seq, prev, own, recorded_at in rows:
            name = left_id(fact_id)
            seal = removal_seal(keys, number, name, witness, seq, prev, own, recorded_at, removed_at)
            changed.append((name, b"", removed_at, seal, number))
        database.run_many(
            "UPDATE facts SET id = ?, raw = ?, received = NULL, kind = '', at = 0, removed_at = ?, seal = ? WHERE number = ?",
            changed,
        )
        database.run_many("DELETE FROM subjects WHERE number = ?", [(row[0],) for row in rows])
        count += len(rows)
    return count


def remove_aside(database: Database, keys: Keys, before: datetime, now: datetime) -> int:
    """Let go what was set aside before an instant. What has a place in a chain keeps its link, and nothing else."""
    removed_at = micros(now)
    rows = database.rows(
        "SELECT number, fact_id, witness, seq, prev, hash, received_at FROM aside"
        " WHERE linked = 1 AND removed_at IS NULL AND received_at < ?",
        (micros(before),),
    )
    changed: list[Sequence[object]] = []
    for number, fact_id, witness, seq, prev, own, received_at in rows:
        name = left_id(fact_id) if fact_id else ""
        seal = removal_seal(keys, number, name, witness, seq, prev, own, received_at, removed_at)
        # The digest would tell the bytes to whoever guesses them; made of the link's own place it is still of one row.
        digest = hashlib.sha256(f"left\x1f{witness}\x1f{seq}\x1f".encode() + own).digest()
        changed.append((name, b"", digest, removed_at, seal, number))
    # The seal over the whole row is made when it is what it will be.
    database.run_many(
        "UPDATE aside SET fact_id = ?, raw = ?, digest = ?, detail = '', removed_at = ?, removal = ? WHERE number = ?", changed
    )
    for number, *_ in rows:
        seal_aside(database, keys, number)
    deleted = database.run("DELETE FROM aside WHERE linked = 0 AND received_at < ?", (micros(before),))
    count_aside(database, keys, -deleted)
    return len(rows) + deleted
