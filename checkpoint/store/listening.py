"""When somebody listened: stretches of time, written on while a process of this record lives.

The law of this file: whoever listens says so again and again. From one stretch to the next nobody did: the server was down, or
could not write. That is said only of what is longer than `GAP`: a restart in order is no outage. Before the first stretch
nothing is known. What the server tells is a sign that it listened, of the same commit (`still`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from checkpoint.core.outages import Outage
from checkpoint.store.database import Database, instant, micros

GAP = timedelta(seconds=150)
# Nobody asks for what lies further back.
_KEPT = timedelta(days=60)
# Never over a gap: that one is told apart by `listen` alone.
_ON = "UPDATE listening SET until_at = ? WHERE until_at BETWEEN ? AND ? AND began_at = (SELECT max(began_at) FROM listening)"


def listen(database: Database, now: datetime) -> list[Outage]:
    """Somebody listens now; the outages before. The writer's."""
    last = database.rows("SELECT max(until_at) FROM listening")[0][0]
    if last is None or now - instant(last) > GAP:
        database.run("INSERT INTO listening (began_at, until_at) VALUES (?, ?)", (micros(now), micros(now)))
        database.run("DELETE FROM listening WHERE until_at < ?", (micros(now - _KEPT),))
    else:
        still(database, now)
    rows = database.rows("SELECT began_at, until_at FROM listening ORDER BY began_at")
    return [Outage(instant(before[1]), instant(after[0])) for before, after in pairwise(rows)]


def still(database: Database, now: datetime) -> None:
    """Whoever writes this listened until now. The writer's."""
    database.later(_ON, (micros(now), micros(now - GAP), micros(now)))
