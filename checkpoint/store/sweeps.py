"""What is deleted whole when its term is over: everything that has no place in a chain.

The law of this file: one row a kind, with how to find what is older than an instant. The rows of `facts` are not here: they
leave by journeys (`removal.py`). What deletes runs on the writer's thread, in its transaction, in bounded portions. Among
positions there are millions: where the old ones lie is looked for by whoever sweeps (`old_positions`), while others write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from checkpoint.store.database import Database

AT_ONCE = 5_000
# Positions that are looked at in one question.
LOOKED_AT = 50_000


class Sweep(NamedTuple):
    """A table, the columns of its key, and the condition (with one `?`, an instant in microseconds) under which a row leaves."""

    table: str
    key: str
    condition: str


SWEEPS: dict[str, Sweep] = {
    "positions": Sweep("positions", "number", "received_at < ?"),
    "strangers": Sweep("strangers", "device, fixed_at, lat, lon", "received_at < ?"),
    # Whom no fact names any more, whom no link and no request of a phone leads to, and who is not new.
    "people": Sweep(
        "people",
        "id",
        "created_at < ? AND NOT EXISTS (SELECT 1 FROM subjects s WHERE s.subject = 'person:' || people.id)"
        " AND NOT EXISTS (SELECT 1 FROM links l WHERE l.person = people.id)",
    ),
    # Never opened and run out, or closed. One that a phone is bound to leaves with its pass.
    "links": Sweep("links", "id", "coalesce(closed_at, CASE WHEN used_at IS NULL THEN expires_at END) < ?"),
    "phone-requests": Sweep("phone_requests", "id", "expires_at < ?"),
    "sessions": Sweep("sessions", "token_hash", "expires_at < ?"),
    "challenges": Sweep("challenges", "token_hash", "expires_at < ?"),
    "invitations": Sweep("invitations", "token_hash", "expires_at < ?"),
    "traces": Sweep("traces", "person, hour, reader, role, way, what", "at < ?"),
    "audit": Sweep("audit", "id", "at < ?"),
}


def count(database: Database, kind: str, before: int) -> int:
    """How many rows of a kind would leave."""
    sweep = SWEEPS[kind]
    return int(database.rows(f"SELECT count(*) FROM {sweep.table} WHERE {sweep.condition}", (before,))[0][0])


def portion(database: Database, kind: str, before: int) -> int:
    """Delete rows of a kind, at most so many at once. Returns how many."""
    sweep = SWEEPS[kind]
    found = f"SELECT {sweep.key} FROM {sweep.table} WHERE {sweep.condition} LIMIT {AT_ONCE}"
    return database.run(f"DELETE FROM {sweep.table} WHERE ({sweep.key}) IN ({found})", (before,))


def old_positions(database: Database, before: int) -> Iterator[tuple[int, int]]:
    """Stretches of numbers, first and last, in which positions lie that came before an instant: at most `AT_ONCE` in each.
    To be read on a thread that nobody waits for: it looks at every position there is, and there is no index by when it came."""
    after = -1
    while True:
        to = database.rows(
            "SELECT max(number) FROM (SELECT number FROM positions WHERE number > ? ORDER BY number LIMIT ?) AS looked_at",
            (after, LOOKED_AT),
        )[0][0]
        if to is None:
            return
        while found := database.rows(
            "SELECT number FROM positions WHERE number > ? AND number <= ? AND received_at < ? ORDER BY number LIMIT ?",
            (after, to, before, AT_ONCE),
        ):
            yield int(found[0][0]), int(found[-1][0])
            after = int(found[-1][0])
        after = int(to)


def positions_between(database: Database, first: int, last: int, before: int) -> int:
    """Delete the positions of a stretch that came before an instant. Returns how many."""
    return database.run("DELETE FROM positions WHERE number BETWEEN ? AND ? AND received_at < ?", (first, last, before))


def with_passes(database: Database, passes: list[str]) -> None:
    """What goes with passes that left: the seeds by which phones showed them, and the links that led to them."""
    for pass_id in passes:
        for table in ("pass_seeds", "links", "phone_requests"):
            database.run(f"DELETE FROM {table} WHERE pass_id = ?", (pass_id,))
