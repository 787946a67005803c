"""The seals over what lies beside the facts: ends of chains, gaps, what was set aside.

The law of this file: each row is sealed over all of its values with a key that is not in the database, so that none is
changed or added from outside unseen. A row taken away shows by what is left: a chain that does not reach its end, a hole
that is not written down, a count that does not fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from checkpoint.store.database import Database
from checkpoint.store.keys import Keys, Proof

_VERSION, _SEALS, _ASIDE_COUNT = "2", "seals", "aside-count"
ASIDE_SEALED = "number, digest, source, why, detail, fact_id, received_at, linked, witness, seq, prev, hash, removed_at, raw"
_HEAD = "witness, seq, hash, links, chains_itself, signed_seq, signed_hash, signature"


def seal_of(keys: Keys | Proof, *parts: object) -> bytes:
    """The seal over the values of a row, in their order."""
    return keys.seal("\x1f".join(p.hex() if isinstance(p, bytes) else str(p) for p in parts).encode())


def head_seal(keys: Keys | Proof, *values: object) -> bytes:
    """The seal over the end of a chain: witness, number, hash, links, whether it chains itself, and the head it signed."""
    return seal_of(keys, "head", *values)


def gap_seal(keys: Keys | Proof, witness: str, first: int, last: int, noticed_at: int) -> bytes:
    """The seal over a gap."""
    return seal_of(keys, "gap", witness, first, last, noticed_at)


def aside_seal(keys: Keys | Proof, values: Sequence[Any]) -> bytes:
    """The seal over a row of what was set aside, its values as `ASIDE_SEALED` names them."""
    *values, raw = values
    return seal_of(keys, "aside", *values, hashlib.sha256(raw).digest())


def seal_aside(database: Database, keys: Keys, number: int) -> None:
    """Seal a row that was just written."""
    row = database.rows(f"SELECT {ASIDE_SEALED} FROM aside WHERE number = ?", (number,))[0]
    database.run("UPDATE aside SET seal = ? WHERE number = ?", (aside_seal(keys, row), number))


def aside_count(database: Database, keys: Keys) -> int | None:
    """How many rows were set aside and not let go; None when that was written from outside."""
    rows = database.rows("SELECT value FROM settings WHERE name = ?", (_ASIDE_COUNT,))
    count, _, seal = rows[0][0].partition(" ") if rows else ("", "", "")
    if not count.isascii() or not count.isdecimal() or not _is_hex(seal):
        return None
    genuine = keys.proves(bytes.fromhex(seal), lambda proof: seal_of(proof, _ASIDE_COUNT, count))
    return int(count) if genuine else None


def _is_hex(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def count_aside(database: Database, keys: Keys, more: int) -> None:
    """So many more rows were set aside, or fewer. A count that is not ours stays as it is, and is found."""
    count = aside_count(database, keys)
    if count is not None and more:
        _write_count(database, keys, count + more)


def _write_count(database: Database, keys: Keys, count: int) -> None:
    database.run(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_ASIDE_COUNT, f"{count} {seal_of(keys, _ASIDE_COUNT, count).hex()}"),
    )


def _old_head_seal(values: Sequence[Any], proof: Proof) -> bytes:
    return seal_of(proof, *values[:5])


def seal_anew(database: Database, keys: Keys) -> None:
    """Once, at the first start of a version that seals more than the one before: seal what it did not.

    The end of a chain is sealed anew only where its old seal is genuine. On the writer's thread, in its transaction.
    """
    rows = database.rows("SELECT value FROM settings WHERE name = ?", (_SEALS,))
    if rows and rows[0][0] == _VERSION:
        return
    for head in database.rows(f"SELECT {_HEAD}, seal FROM heads"):
        *values, seal = head
        if keys.proves(seal, partial(_old_head_seal, values)):
            database.run("UPDATE heads SET seal = ? WHERE witness = ?", (head_seal(keys, *values), values[0]))
    for gap in database.rows("SELECT witness, first_seq, last_seq, noticed_at FROM gaps"):
        database.run("UPDATE gaps SET seal = ? WHERE witness = ? AND first_seq = ?", (gap_seal(keys, *gap), *gap[:2]))
    numbers = [number for (number,) in database.rows("SELECT number FROM aside")]
    for number in numbers:
        seal_aside(database, keys, number)
    _write_count(database, keys, len(numbers))
    database.run("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                 (_SEALS, _VERSION))  # fmt: skip
