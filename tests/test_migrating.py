"""An older database is brought up to date whole or not at all: killed at any statement, by two at once, with a copy kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from checkpoint.database_url import DatabaseUrl
from checkpoint.store import StorageFailed, Store, migrations, sqlite
from checkpoint.store.database import Database, micros
from checkpoint.store.migrations import MIGRATIONS
from checkpoint.store.postgres import Postgres, open_postgres
from checkpoint.store.sqlite import Sqlite, open_sqlite
from tests.ground import T0, Still
from tests.places import Place
from tests.witness import fact

OLD = 3  # the steps of the first version that people had
_PENDING = [statement for _, statements in MIGRATIONS[OLD:] for statement in statements]
ROOT = Path(__file__).parents[1]


def _raw(place: Place) -> Database:
    return open_sqlite(place.where) if isinstance(place.where, Path) else open_postgres(DatabaseUrl(place.where))


@pytest.fixture
def old(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A database as the first version left it, with something in it."""
    with monkeypatch.context() as patch, closing(_Writing(_raw(place))) as writing:
        patch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:OLD])
        database = writing.database
        database.begin_writing()
        assert migrations.migrate(database, T0) == OLD
        database.run("INSERT INTO carriers (id, name, created_at) VALUES ('cold', '瓯海冷链', ?)", (micros(T0),))
        database.run("INSERT INTO serials (area, last) VALUES ('330304', 7)")
        database.commit_writing()
    return place


class _Writing:
    """A database with this thread as its writer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.writes()

    def close(self) -> None:
        self.database.close_all()


def _is_whole(place: Place) -> None:
    store = place.open(Still())
    assert [n for (n,) in store._db.rows("SELECT number FROM migrations ORDER BY number")] == list(range(1, len(MIGRATIONS) + 1))
    office = store.registry.carrier("cold")
    assert office is not None
    assert office.name == "瓯海冷链"
    assert store.registry.next_serial("330304") == 8
    assert store.record(fact("a", T0)).state == "held"
    assert store.verify().ok
    store.close()


def test_a_start_that_fails_at_any_statement_leaves_the_old_database_and_the_next_one_finds_nothing_half_done(
    old: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = {"sqlite": Sqlite, "postgresql": Postgres}[old.kind]
    define = kind.define
    left = 0

    def failing(self: Any, statement: str) -> None:
        nonlocal left
        if statement in _PENDING:
            if not left:
                raise StorageFailed("the disk went away")
            left -= 1
        define(self, statement)

    for place in range(len(_PENDING)):
        left = place
        with monkeypatch.context() as patch:
            patch.setattr(kind, "define", failing)
            with pytest.raises(StorageFailed, match="the disk went away"):
                old.open(Still())
        assert old.behind("SELECT max(number) FROM migrations") == [(OLD,)], _PENDING[place]
        assert old.behind("SELECT last FROM serials") == [(7,)]
    _is_whole(old)


_KILLED = """
import os, signal, sys
from pathlib import Path
from datetime import UTC, datetime
from checkpoint.store import Store, migrations
from checkpoint.store.postgres import Postgres
from checkpoint.store.sqlite import Sqlite
where, folder, left = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
pending = [statement for _, statements in migrations.MIGRATIONS[3:] for statement in statements]
for kind in (Sqlite, Postgres):
    def dying(self, statement, define=kind.define):
        global left
        define(self, statement)
        if statement in pending:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    kind.define = dying
Store.open(where, lambda: datetime.now(UTC), key_folder=folder)
"""


def test_a_start_that_is_killed_after_a_statement_leaves_a_database_that_the_next_one_brings_up_to_date(old: Place) -> None:
    for after in (1, len(_PENDING) // 2, len(_PENDING)):
        killed = subprocess.run(
            [sys.executable, "-c", _KILLED, str(old.where), str(old.folder), str(after)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL
        assert old.behind("SELECT max(number) FROM migrations") == [(OLD,)]
    _is_whole(old)


def test_two_that_start_at_once_bring_it_up_to_date_once(old: Place) -> None:
    ready = threading.Barrier(3)
    opened: list[Store] = []

    def open_one() -> None:
        ready.wait()
        opened.append(old.open(Still()))

    threads = [threading.Thread(target=open_one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for store in opened:
        store.close()
    assert old.behind("SELECT count(*) FROM migrations") == [(len(MIGRATIONS),)]
    _is_whole(old)


# -- the copy before it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_copy_of_the_file_is_kept_as_it_was_and_a_new_database_needs_none(old: Place, tmp_path: Path) -> None:
    assert not list(tmp_path.glob("*.before-*"))
    old.open(Still()).close()
    copy = tmp_path / f"checkpoint.db.before-{OLD + 1:03}"
    assert copy.stat().st_mode & 0o777 == 0o600
    before = Place("sqlite", tmp_path, copy)
    assert before.behind("SELECT max(number) FROM migrations") == [(OLD,)]
    assert before.behind("SELECT name FROM carriers") == [("瓯海冷链",)]
    old.open(Still()).close()
    assert [path.name for path in tmp_path.glob("*.before-*")] == [copy.name]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_of_the_copies_a_few_are_kept(old: Place, tmp_path: Path) -> None:
    for number in range(1, OLD + 1):
        (tmp_path / f"checkpoint.db.before-{number:03}").write_bytes(b"")
    old.open(Still()).close()
    kept = sorted(int(path.name.rpartition("-")[2]) for path in tmp_path.glob("*.before-*"))
    assert kept == [OLD - 1, OLD, OLD + 1]
    assert len(kept) == sqlite.COPIES_KEPT


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_without_room_for_the_copy_the_database_is_left_as_it_was(old: Place, tmp_path: Path) -> None:
    (tmp_path / f"checkpoint.db.before-{OLD + 1:03}.new").mkdir()  # what cannot be written
    with pytest.raises(StorageFailed, match="copy"):
        old.open(Still())
    assert old.behind("SELECT max(number) FROM migrations") == [(OLD,)]
