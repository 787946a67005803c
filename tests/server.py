"""A real server process on a port of its own, for tests that speak over sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PASSWORD = "a passphrase for tests"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Served:
    """A server that listens: its address, its data folder, and the settings it was given."""

    address: str
    data: Path
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to speak to it."""
        return clean_environment() | {"CHECKPOINT_SERVER_URL": self.address, "CHECKPOINT_FIRST_PASSWORD": PASSWORD}


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of ours, in English."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CHECKPOINT_")}
    return kept | {"LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error"}


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@contextmanager
def served(data: Path, **more: str) -> Iterator[Served]:
    """Run `checkpoint serve` on a data folder (and with more settings, by their names without the prefix, in small letters)
    until the block ends; it must then end by itself, gracefully."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {"CHECKPOINT_DATA": str(data), "CHECKPOINT_PORT": str(port), "CHECKPOINT_FIRST_PASSWORD": PASSWORD}
    settings |= {f"CHECKPOINT_{name.upper()}": value for name, value in more.items()}
    data.mkdir(parents=True, exist_ok=True)
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "checkpoint.cli", "serve"],
            env=clean_environment() | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=data,
        )
    try:
        wait_for(address, process, data / "server.log")
        yield Served(address, data, settings)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    assert code == 0, (data / "server.log").read_text()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `/livez` answers."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/livez", timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"no answer from {address}: {log.read_text()}")
