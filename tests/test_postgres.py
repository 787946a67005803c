"""PostgreSQL: numbers in the order of commits, and no acknowledgement of what nobody knows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from checkpoint.database_url import DatabaseUrl
from checkpoint.store import StorageBusy, StorageFailed, Store
from checkpoint.store import postgres as postgres_module
from checkpoint.store.ledger import Entry, entry_of
from checkpoint.store.postgres import defined, translated
from tests.ground import T0, Still
from tests.places import Place
from tests.postgres import Pair, Server, running, standby_of, until
from tests.test_positions import PLATE, fix
from tests.witness import FakeKiosk, fact

PATIENCE_S = 30.0


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(url, Still(), key_folder=tmp_path)
    yield opened
    opened.close()


# -- the order of commits ---------------------------------------------------------------------------------------------


def _two_at_once(url: str, folder: Path) -> tuple[list[int], list[int]]:
    """One process writes and does not commit yet; another then writes too. What a follower saw, and what there was."""
    slow, quick = (Store.open(url, Still(), key_folder=folder) for _ in range(2))
    wrote, go = threading.Event(), threading.Event()

    def waits() -> None:
        slow._positions.add([(PLATE, fix(1))], T0)
        wrote.set()
        assert go.wait(PATIENCE_S)

    first = slow._writer.submit(waits)
    assert wrote.wait(PATIENCE_S)
    second = quick._writer.submit(lambda: quick._positions.add([(PLATE, fix(2))], T0))
    time.sleep(0.3)
    seen: list[int] = []

    def follow() -> None:
        seen.extend(a.number for a in quick.positions_after(seen[-1] if seen else 0, 10))

    follow()
    go.set()
    first.result(PATIENCE_S)
    second.result(PATIENCE_S)
    follow()
    there = [a.number for a in quick.positions_after(0, 10)]
    slow.close()
    quick.close()
    return seen, there


def test_who_follows_the_numbers_misses_nothing_that_is_committed_later(url: str, tmp_path: Path) -> None:
    seen, there = _two_at_once(url, tmp_path)
    assert seen == there
    assert len(there) == 2


def test_without_the_lock_it_would_miss_some(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""
    monkeypatch.setattr(postgres_module, "_BEGIN", "BEGIN READ WRITE")
    seen, there = _two_at_once(url, tmp_path)
    assert seen != there


_WRITES = """
import sys
from pathlib import Path
from typing import Any
from datetime import UTC, datetime
from checkpoint.store import Store
from tests.witness import FakeKiosk
from tests.test_positions import PLATE, fix
url, folder, name = sys.argv[1:]
store = Store.open(url, lambda: datetime.now(UTC), key_folder=Path(folder))
kiosk = FakeKiosk(name)
for n in range(60):
    link = kiosk.tell(f"{name}-{n}", datetime(2026, 5, 1, tzinfo=UTC))
    facts = store.append_soon([kiosk.entry(link)])
    store.add_positions([(PLATE, fix(n, name))])
    assert facts.result()[0].state == "held"
store.close()
"""


def test_two_processes_write_at_once_and_a_third_sees_every_number_in_its_order(store: Store, url: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    writing = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITES, url, str(tmp_path), f"k-{n}"],
            cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE, text=True,
        )
        for n in range(2)
    ]  # fmt: skip
    facts: list[int] = []
    fixes: list[int] = []
    ended = False
    while not ended:
        ended = all(process.poll() is not None for process in writing)
        facts += [r.number for r in store.facts_after(facts[-1] if facts else 0, 1000)]
        fixes += [a.number for a in store.positions_after(fixes[-1] if fixes else 0, 1000)]
    for process in writing:
        assert process.stderr is not None
        assert process.wait() == 0, process.stderr.read()
        process.stderr.close()
    assert facts == list(range(1, 121))
    assert fixes == [a.number for a in store.positions_after(0, 1000)]
    assert len(fixes) == 120
    assert store.verify().ok


def test_two_that_start_at_once_on_an_empty_database_make_one_schema_and_one_key(url: str, tmp_path: Path) -> None:
    ready = threading.Barrier(3)
    opened: list[Store] = []

    def open_one() -> None:
        ready.wait()
        opened.append(Store.open(url, Still(), key_folder=tmp_path))

    threads = [threading.Thread(target=open_one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for n, store in enumerate(opened):
        assert store.record(fact(f"f{n}", T0)).state == "held"
    assert all(store.last_number() == 3 for store in opened)
    for store in opened:
        store.close()


# -- what a commit is -------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A primary of our own: what is set here would hold up every other test."""
    with running() as primary, standby_of(primary) as made:
        yield made


def test_a_commit_that_is_cancelled_while_the_standby_is_cut_off_is_no_acknowledgement(pair: Pair, tmp_path: Path) -> None:
    with pair.primary.database() as url:
        store = Store.open(url, Still(), key_folder=tmp_path)
        pair.join()
        assert store.record(fact("before", T0)).state == "held"
        pair.cut_off()
        for again in range(2):
            # The second time the fact is there already, by itself, on this server alone: that is no acknowledgement either.
            told = store.append_soon([entry_of(fact("doubtful", T0))])
            pair.owner.execute("SELECT pg_cancel_backend(%s)", (pair.until_it_waits(told),))
            with pytest.raises(StorageBusy, match="nobody knows"):
                told.result(PATIENCE_S)
            assert store.fact("doubtful") is not None, again
        pair.join()
        assert store.record(fact("doubtful", T0)).state == "repeated"
        assert store.record(fact("after", T0)).state == "held"
        store.close()


def test_a_commit_that_takes_too_long_is_no_acknowledgement(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "COMMIT_S", 0.3)
    with pair.primary.database() as url:
        store = Store.open(url, Still(), key_folder=tmp_path)
        pair.join()
        pair.cut_off()
        with pytest.raises(StorageBusy, match="nobody knows"):
            store.record(fact("doubtful", T0))
        # Cut off by the server's own hand: the connection ends without an answer.
        monkeypatch.setattr(postgres_module, "COMMIT_S", PATIENCE_S)
        until(lambda: not store._writer.stuck)
        told = store.append_soon([entry_of(fact("cut off", T0))])
        pair.owner.execute("SELECT pg_terminate_backend(%s)", (pair.until_it_waits(told),))
        with pytest.raises(StorageBusy, match="nobody knows"):
            told.result(PATIENCE_S)
        pair.join()
        assert store.record(fact("after", T0)).state == "held"
        store.close()


def test_without_its_mark_in_the_log_a_repeat_would_be_acknowledged(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the cancelled commit can fail."""
    monkeypatch.setattr(
        postgres_module, "_BEGIN", f"BEGIN READ WRITE; SELECT pg_advisory_xact_lock({postgres_module.WRITERS_LOCK})"
    )
    with pair.primary.database() as url:
        store = Store.open(url, Still(), key_folder=tmp_path)
        pair.join()
        pair.cut_off()
        told = store.append_soon([entry_of(fact("doubtful", T0))])
        pair.owner.execute("SELECT pg_cancel_backend(%s)", (pair.until_it_waits(told),))
        with pytest.raises(StorageBusy):
            told.result(PATIENCE_S)
        assert store.record(fact("doubtful", T0)).state == "repeated"
        store.close()


def test_a_server_that_ends_is_busy_for_a_while_and_then_all_goes_on(tmp_path: Path) -> None:
    with running() as server, server.database() as url:
        store = Store.open(url, Still(), key_folder=tmp_path)
        held = [f"f{n}" for n in range(20) if store.record(fact(f"f{n}", T0)).held]
        server.stop(signal.SIGQUIT)
        with pytest.raises(StorageBusy):
            store.record(fact("lost", T0))
        with pytest.raises(StorageBusy):
            store.fact("f0")
        server.start()
        assert [r.fact.id for r in store.facts_after(0, 100)] == held
        until(lambda: not store._writer.stuck)
        assert store.record(fact("after", T0)).state == "held"
        server.stop()
        server.start()
        # Nothing was asked meanwhile: both find out by themselves.
        assert store.record(fact("later", T0)).state == "held"
        assert store.fact("later") is not None
        store.close()


# -- what is asked of a server ----------------------------------------------------------------------------------------


def test_a_server_that_does_not_keep_what_it_acknowledges_is_refused(tmp_path: Path) -> None:
    with running("fsync=off", "full_page_writes=off") as server, pytest.raises(StorageFailed, match="fsync = off"):
        Store.open(server.url(), Still(), key_folder=tmp_path)


def test_a_server_that_is_too_old_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "OLDEST", 99)
    with pytest.raises(StorageFailed, match="99 or newer"):
        Store.open(url, Still(), key_folder=tmp_path)


def test_no_weaker_commit_is_taken_from_the_address_or_the_server(postgres: Server, url: str, tmp_path: Path) -> None:
    with postgres.connect() as owner:
        name = urlsplit(url).path.removeprefix("/")
        owner.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    for more in ("", "&options=-csynchronous_commit%3Doff"):
        store = Store.open(url + more, Still(), key_folder=tmp_path)
        assert store._writer.do(lambda db=store._db: db.rows("SHOW synchronous_commit")) == [("on",)]  # type: ignore[misc]
        store.close()


def test_no_connection_waits_inside_a_transaction_and_readers_share_a_few(store: Store, postgres: Server) -> None:
    for n in range(5):
        store.record(fact(f"f{n}", T0))
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(store.facts_after(0, 10)))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [5] * 40
    assert store.verify().ok
    with postgres.connect() as owner:

        def connections() -> list[tuple[str, str]]:
            sql = "SELECT state, application_name FROM pg_stat_activity WHERE application_name LIKE 'checkpoint%'"
            return owner.execute(sql).fetchall()

        until(lambda: "checkpoint snapshot" not in {name for _, name in connections()})
        states = connections()
    assert {state for state, _ in states} == {"idle"}
    names = [name for _, name in states]
    assert 1 <= names.count("checkpoint reader") <= postgres_module.MOST_READERS
    assert names.count("checkpoint writer") == 1
    assert len(names) <= postgres_module.MOST_READERS + 3  # the writer, the signals, the election


def test_a_password_is_shown_nowhere(tmp_path: Path) -> None:
    address = "postgresql://keeper:s3cr%2Ft@127.0.0.1:1/checkpoint?password=0ther&connect_timeout=1"
    hidden = DatabaseUrl(address)
    with pytest.raises(StorageFailed) as refused:
        Store.open(address, Still(), key_folder=tmp_path)
    for shown in (str(hidden), repr(hidden), f"{hidden}", str(refused.value), hidden.hide("no s3cr/t, s3cr%2Ft and 0ther here")):
        assert not any(secret in shown for secret in ("s3cr", "0ther"))
    assert "keeper" in str(hidden)
    with pytest.raises(ValueError, match="wanted") as malformed:
        DatabaseUrl("postgresql://keeper:s3cr@host:port/name")
    assert "s3cr" not in str(malformed.value)


# -- what no column holds ---------------------------------------------------------------------------------------------


def _unreadable(kiosk: FakeKiosk, link: dict[str, Any]) -> Entry:
    return Entry(
        witness=kiosk.witness, raw=link["fact"].encode(), fact=None, why="malformed", detail="a\x00b", fact_id="\x00",
        source="s\x00", seq=link["seq"], prev=link["prev"], hash=link["hash"],
    )  # fmt: skip


def test_what_a_column_cannot_hold_is_set_aside_on_both_databases_alike(place: Place) -> None:
    store = place.open(Still())
    kiosk = FakeKiosk()
    links = [kiosk.tell("a", T0), kiosk.link("{}"), kiosk.tell("c", T0, station="zero\x00"), kiosk.tell("d", T0)]
    entries = [kiosk.entry(link) if n != 1 else _unreadable(kiosk, link) for n, link in enumerate(links)]
    assert [(o.state, o.why) for o in store.append(entries)] == [
        ("held", ""), ("aside", "malformed"), ("aside", "malformed"), ("held", ""),
    ]  # fmt: skip
    assert [o.state for o in store.append(entries)] == ["repeated", "aside", "aside", "repeated"]
    assert store.gaps() == []
    assert store.verify().ok
    store.close()


# -- words ------------------------------------------------------------------------------------------------------------


def test_sql_is_translated_outside_of_quotes_only() -> None:
    assert translated("SELECT '?', a FROM t WHERE b = ? AND c LIKE 'x%'") == "SELECT '?', a FROM t WHERE b = %s AND c LIKE 'x%%'"
    made = defined("CREATE TABLE t (n INTEGER PRIMARY KEY, a TEXT NOT NULL, b BLOB, c REAL, d INTEGER) WITHOUT ROWID")
    assert made.strip() == (
        'CREATE TABLE t (n BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a TEXT COLLATE "C" NOT NULL, b BYTEA,'
        " c DOUBLE PRECISION, d BIGINT)"
    )
