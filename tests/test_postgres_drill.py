"""The drill of the README for PostgreSQL: backed up and brought back by its own tools, on a real server.

What must hold is what holds for our own backups: the record verifies, says that it was brought back, and has again what the
kiosks know beyond it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from checkpoint.cli import main
from checkpoint.core.facts import PassRevoked
from checkpoint.store import Store
from checkpoint.web.app import create_app
from kiosk.deeds import Enter
from kiosk.link import LineDown
from tests import postgres as servers
from tests.postgres import Server
from tests.station import SERVER, Ground, ground


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database() as found:
        yield found


@pytest.fixture
def g(tmp_path: Path, url: str) -> Iterator[Ground]:
    with ground(tmp_path, where=url) as found:
        found.sign_on()
        yield found


def tool(server: Server, *words: str | Path) -> None:
    """Run one of PostgreSQL's own programs."""
    command = [server.programs / words[0], *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=server.folder, **servers._AS_ROOT)
    assert done.returncode == 0, done.stderr


def scanned(g: Ground, number: str) -> None:
    g.clock.forward(seconds=40)
    g.kiosk.desk.scan(g.live(number))
    g.kiosk.desk.do(Enter())


def settle(g: Ground) -> None:
    for _ in range(3):
        g.pull()
        g.push()


@contextmanager
def served(g: Ground, url: str, key_folder: Path) -> Iterator[Store]:
    """The line leads to a server over this database from now on."""
    store = Store.open(url, g.clock, key_folder=key_folder)
    with TestClient(create_app(store, g.clock, public_url=SERVER), base_url=SERVER) as server:
        g.line.server = server
        yield store
    store.close()


def marked(url: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`checkpoint restored mark`, as the README says."""
    monkeypatch.setenv("CHECKPOINT_DATABASE", url)
    monkeypatch.setenv("CHECKPOINT_DATA", str(data))
    assert main(["restored", "mark"]) == 0


def test_dumped_and_brought_back_into_a_fresh_database(
    g: Ground, url: str, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    scanned(g, number)
    settle(g)
    dump = postgres.folder / "checkpoint.dump"
    tool(postgres, "pg_dump", "--format=custom", "--no-owner", f"--file={dump}", url)
    scanned(g, number)
    g.revoke(number)
    settle(g)
    own = {f.id for f in g.kiosk.outbox.own_facts()}
    with postgres.database() as fresh:
        tool(postgres, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={fresh}", dump)
        # Nobody has said yet that it was brought back: no kiosk is told that its lists are fresh.
        with served(g, fresh, tmp_path) as store:
            assert store.verify().ok
            with pytest.raises(LineDown, match="409"):
                g.kiosk.link.pull_once()
        marked(fresh, tmp_path, monkeypatch)
        assert "says now that it was brought back" in capsys.readouterr().out
        with served(g, fresh, tmp_path) as store:
            settle(g)
            assert own <= {r.fact.id for r in store.facts_after(0, 1_000)}
            assert any(isinstance(f.what, PassRevoked) for f in store.facts_of(f"pass:{number}"))
            assert store.verify().ok
            assert {r.how for r in store.returned()} == {"own", "told"}
            assert len(store.facts_of_kind("Restored")) == 1
    dump.unlink()


def test_a_base_backup_starts_as_a_server_of_its_own(
    g: Ground, url: str, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = g.pass_()
    g.pull()
    scanned(g, number)
    settle(g)
    name = re.sub(r".*/([^/?]+)\?.*", r"\1", url)
    how = ("--wal-method=stream", "--checkpoint=fast", "--no-sync")  # a test need not outlive a power cut
    with servers.prepared() as again:
        again.program("pg_basebackup", f"--dbname={postgres.url()}", f"--pgdata={again.folder / 'data'}", *how)
        scanned(g, number)
        settle(g)
        own = {f.id for f in g.kiosk.outbox.own_facts()}
        again.start()
        marked(again.url(name), tmp_path, monkeypatch)
        with served(g, again.url(name), tmp_path) as store:
            settle(g)
            assert own <= {r.fact.id for r in store.facts_after(0, 1_000)}
            assert store.verify().ok
            assert store.returned()
