"""An installation goes over into another database whole: compared, verified, and killed at any moment taken up again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkpoint import cli
from checkpoint.database_url import DatabaseUrl
from checkpoint.store import StorageFailed, Store, moving
from checkpoint.store.database import Database
from checkpoint.store.keys import KEY_FILE
from checkpoint.store.moving import CannotMove, Moved, Where
from tests.ground import ID_NUMBER, T0, Still
from tests.places import Place
from tests.postgres import Server
from tests.server import clean_environment
from tests.test_positions import PLATE, fix
from tests.witness import FakeKiosk, fact

ROOT = Path(__file__).parents[1]


def _where(place: Place) -> Where:
    return place.where if isinstance(place.where, Path) else DatabaseUrl(place.where)


@pytest.fixture
def there(place: Place, tmp_path: Path) -> Place:
    """An installation with something in every table; the key of it lies in a folder of its own."""
    folder = tmp_path / "there"
    moved = Place(place.kind, folder, folder / "checkpoint.db" if isinstance(place.where, Path) else place.where)
    store = moved.open(Still())
    kiosk = FakeKiosk()
    links = [kiosk.tell(f"f{n}", T0) for n in range(60)]
    store.append([kiosk.entry(link) for link in links if link["seq"] != 9])
    store.record(fact("desk", T0, station=""))
    store.record(fact("desk", T0, station="elsewhere"))
    store.add_positions([(PLATE, fix(n, accuracy_m=n / 7)) for n in range(100)])
    store.add_strangers([(fix(1, "stranger"), "unknown-device")])
    store.registry.add_person("王小明😀", id_number=ID_NUMBER)
    # The last numbers given are not there any more, and may not be given again.
    store._writer.do(lambda: store._db.run("DELETE FROM positions WHERE fixed_at >= ?", (_micros(90),)))
    store._writer.do(lambda: _fill(store._db, random.Random(1)))
    assert store.verify().ok
    store.close()
    return moved


def _micros(seconds: int) -> int:
    return int(T0.timestamp()) * 1_000_000 + seconds * 1_000_000


READ_AGAIN = ("readings", "readings_to")


def _fill(database: Database, chance: random.Random) -> None:
    """Something made up in every table that is empty: all of its columns, and none of those that may be empty."""
    for table in database.get_tables():
        if table in ("sqlite_sequence", "migrations") or database.rows(f"SELECT 1 FROM {table} LIMIT 1"):
            continue
        columns = database.get_columns(table)
        keys = database.get_primary_keys(table)
        for full in (True, False):
            given = [c for c in columns if full or not c.null or c.name in keys]
            values = [_made(c.data_type, chance) for c in given]
            names = ", ".join(f'"{c.name}"' for c in given)
            database.run(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(given))})", values)


def _made(kind: str, chance: random.Random) -> object:
    match kind.upper():
        case "TEXT":
            return f"中文 %s ? ' {chance.random()}"
        case "BLOB" | "BYTEA":
            return chance.randbytes(20)
        case "REAL" | "DOUBLE PRECISION":
            return chance.random() * 1e-7
        case _:
            return chance.randrange(1, 2**53)


@pytest.fixture
def here(there: Place, tmp_path: Path, postgres: Server) -> Iterator[Place]:
    """An empty database of the other kind."""
    folder = tmp_path / "here"
    if there.kind == "postgresql":
        yield Place("sqlite", folder, folder / "new.db")
        return
    with postgres.database() as url:
        yield Place("postgresql", folder, url)


def _move(there: Place, here: Place, say: moving.Say = lambda *_: None) -> Moved:
    def verified(where: Where) -> Any:
        store = Store.open(where, Still(), key_folder=here.folder, marked_too=True)
        try:
            return store.verify()
        finally:
            store.close()

    keys = (there.folder, here.folder)
    return moving.move(_where(there), _where(here), now=Still(), keys=keys, verified=verified, say=say)


def _rows(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a database holds, without marks and what the watch can read again."""
    database = moving._opened(_where(place))
    tables = sorted(set(database.get_tables()) - {"migrations", "sqlite_sequence", *READ_AGAIN})
    found = {table: [row for rows in moving._portions(database, table, None) for row in rows] for table in tables}
    database.close_all()
    return found


# -- over, and back ---------------------------------------------------------------------------------------------------


def test_everything_goes_over_and_the_new_place_goes_on(there: Place, here: Place) -> None:
    before, steps = _rows(there), set()
    moved = _move(there, here, lambda step, table, *_: steps.add((step, table)))
    after = _rows(here)
    assert after == before
    assert all(after.values()), "a table that nothing was in shows nothing"
    assert moved.rows == {table: len(rows) for table, rows in before.items()}
    assert {("copy", "facts"), ("compare", "facts"), ("verify", "facts")} <= steps
    assert (here.folder / KEY_FILE).read_bytes() == (there.folder / KEY_FILE).read_bytes()
    assert there.behind("SELECT 1 FROM readings")
    assert not here.behind("SELECT 1 FROM readings")
    store = here.open(Still())
    assert store.verify().ok
    assert [(gap.first, gap.last) for gap in store.gaps()] == [(9, 9)]
    assert store.record(fact("after", T0, station="")).state == "held"
    last = store.last_position()
    store.add_positions([(PLATE, fix(200))])
    assert store.positions_after(100, 10)[0].number > 100, "a number is never given twice"
    assert last == 90
    assert store.set_aside("somebody", b"bad", "malformed") > 1
    store.close()


def test_there_and_back_again_is_the_same(there: Place, here: Place, tmp_path: Path, postgres: Server) -> None:
    before = _rows(there)
    _move(there, here)
    with postgres.database() as url:
        folder = tmp_path / "back"
        back = Place("sqlite", folder, folder / "b.db") if here.kind == "postgresql" else Place("postgresql", folder, url)
        _move(here, back)
        assert _rows(back) == before
        back.open(Still()).close()


# -- killed, and taken up again ---------------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from checkpoint import cli
from checkpoint.store import moving
from checkpoint.store.postgres import Postgres
from checkpoint.store.sqlite import Sqlite
moving.PORTION_ROWS = 7
left = int(sys.argv[2])
def die():
    os.kill(os.getpid(), signal.SIGKILL)
for kind in (Sqlite, Postgres):
    def commit(self, commit=kind.commit_writing):
        global left
        commit(self)
        left -= 1
        if left == 0:
            die()
    kind.commit_writing = commit
if sys.argv[3:]:
    def compare(*rest, compare=moving._compare):
        compare(*rest)
        die()
    moving._compare = compare
sys.exit(cli.main(["move", "--to", sys.argv[1]]))
"""


def test_killed_at_any_moment_it_is_taken_up_again(there: Place, here: Place, tmp_path: Path) -> None:
    before = _rows(there)
    settings = {"CHECKPOINT_DATABASE": str(there.where), "CHECKPOINT_DATA": str(there.folder)}
    if isinstance(there.where, Path):
        settings["CHECKPOINT_DATA"] = str(here.folder)
    environment = clean_environment() | settings | {"PYTHONPATH": str(ROOT)}

    def child(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _KILLED, str(here.where), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)

    for words in (("1",), ("2",), ("4",), ("9",), ("0", "compare")):
        killed = child(*words)
        assert killed.returncode == -signal.SIGKILL, killed.stderr + killed.stdout
        if words != ("1",):  # the mark in the new one was there; not yet the one in the old
            with pytest.raises(StorageFailed, match="moved to"):
                there.open(Still())
        with pytest.raises(StorageFailed, match="not finished"):
            here.open(Still())
    done = child("0")
    assert done.returncode == cli.DONE, done.stderr
    assert "compared row by row" in done.stdout
    assert _rows(here) == before
    here.open(Still()).close()


# -- what is refused --------------------------------------------------------------------------------------------------


def test_the_place_left_behind_stays_closed_until_it_is_given_up(there: Place, here: Place) -> None:
    _move(there, here)
    with pytest.raises(StorageFailed, match="was moved to"):
        there.open(Still())
    assert moving.give_up(_where(there))
    assert not moving.give_up(_where(there))
    there.open(Still()).close()


def test_a_place_that_holds_something_else_is_refused_and_left_as_it_was(there: Place, here: Place) -> None:
    other = here.open(Still())
    other.record(fact("theirs", T0, station=""))
    other.close()
    (here.folder / KEY_FILE).rename(here.folder / "aside")
    before = _rows(here)
    with pytest.raises(CannotMove, match="taken"):
        _move(there, here)
    assert _rows(here) == before
    there.open(Still()).close()  # and nothing was marked


def test_another_installations_key_is_not_overwritten(there: Place, here: Place) -> None:
    here.folder.mkdir()
    (here.folder / KEY_FILE).write_text("ab" * 32)
    with pytest.raises(CannotMove, match="other-key"):
        _move(there, here)
    assert (here.folder / KEY_FILE).read_text() == "ab" * 32
    there.open(Still()).close()


def test_while_a_server_runs_nothing_is_moved(there: Place, here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PATIENCE_S", 0.2)
    script = (
        "import sys; from pathlib import Path; from checkpoint.store import Store; from checkpoint.config import utc_now\n"
        "store = Store.open(sys.argv[1], utc_now, key_folder=Path(sys.argv[2]))\nprint('open', flush=True)\nsys.stdin.read()\n"
        "store.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(there.where), str(there.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "open\n"
        with pytest.raises(CannotMove, match="source-used"):
            _move(there, here)
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait() == 0
    _move(there, here)


def test_a_row_that_changed_on_the_way_is_found(there: Place, here: Place) -> None:
    def meddle(step: str, table: str, *_: int) -> None:
        if (step, table) == ("compare", "aside"):
            here.behind("UPDATE positions SET lat = lat + 1e-9 WHERE number = 7")

    with pytest.raises(CannotMove, match="changed: positions"):
        _move(there, here, meddle)
    with pytest.raises(StorageFailed, match="not finished"):
        Store.open(here.where, Still(), key_folder=there.folder)


def test_a_record_that_does_not_verify_is_not_opened(there: Place, here: Place) -> None:
    there.behind("UPDATE facts SET recorded_at = recorded_at + 1 WHERE id = 'f5'")
    with pytest.raises(CannotMove, match="damaged"):
        _move(there, here)


def test_the_command_says_what_is_in_the_way_without_a_password(
    there: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHECKPOINT_DATABASE", str(there.where))
    monkeypatch.setenv("CHECKPOINT_DATA", str(there.folder))
    assert cli.main(["move"]) == cli.ASKED_WRONGLY
    assert cli.main(["move", "--to", "postgresql://keeper:s3cret@"]) == cli.ASKED_WRONGLY
    assert cli.main(["move", "--to", "postgresql://keeper:s3cret@127.0.0.1:1/nowhere"]) == cli.IN_THE_WAY
    assert cli.main(["move", "--to", str(there.where)]) == cli.NO
    assert cli.main(["move", "--give-up"]) == cli.NO
    said = capsys.readouterr()
    assert "s3cret" not in said.err + said.out
