"""Whether anybody else is at a database now: asked before what may only be done while nobody is."""

from __future__ import annotations

import fcntl
from pathlib import Path

import psycopg

from checkpoint.database_url import DatabaseUrl
from checkpoint.store.database import StorageFailed

# Where SQLite's own lock of those who have a file open lies (its `SHARED_FIRST`, `SHARED_SIZE`).
_OPEN_FROM, _OPEN_BYTES = 0x40000002, 510


def in_use(where: Path | DatabaseUrl) -> bool:
    """Whether another process has this database open. Not to be asked by one that has it open itself."""
    if isinstance(where, DatabaseUrl):
        try:
            with psycopg.connect(where.secret, connect_timeout=10, application_name="checkpoint-asks") as connection:
                found = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'checkpoint %'"
                ).fetchone()
        except psycopg.Error as error:
            raise StorageFailed(str(error)) from error
        return bool(found and found[0])
    if not where.exists():
        return False
    with where.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _OPEN_BYTES, _OPEN_FROM)
        except OSError:
            return True
    return False
