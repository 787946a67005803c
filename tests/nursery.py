"""Server processes that begin at once: forked from one that has read the whole program already, and has done nothing else.

Each is `checkpoint serve` in a process of its own, from the first line of the command on. What is spared is the reading of the
program, so that a test may begin and kill many.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class Nursery:
    """Begins servers and ends them, by their process ids."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.living: set[int] = set()

    def begin(self, settings: Mapping[str, str], log: Path) -> int:
        """Begin a server; returns its process id at once, before it listens."""
        pid = int(self._ask({"begin": dict(settings), "log": str(log)}))
        self.living.add(pid)
        return pid

    def send(self, pid: int, number: signal.Signals) -> None:
        """A signal to one that lives."""
        assert pid in self.living
        os.kill(pid, number)

    def end(self, pid: int, number: signal.Signals = signal.SIGKILL) -> int:
        """End one and wait until it is gone; returns its exit status, or the signal's number below zero."""
        self.send(pid, number)
        status = int(self._ask({"wait": pid}))
        self.living.discard(pid)
        return status

    def _ask(self, question: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery ended"
        return answer


@contextmanager
def nursery() -> Iterator[Nursery]:
    """One nursery; whatever still lives is killed when the block ends."""
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
        env={k: v for k, v in os.environ.items() if not k.startswith("CHECKPOINT_")} | {"LC_ALL": "C.UTF-8"},
    ) as process:  # fmt: skip
        found = Nursery(process)
        try:
            yield found
        finally:
            for pid in list(found.living):
                found.end(pid)
            assert process.stdin is not None
            process.stdin.close()


def _serve(settings: Mapping[str, str], log: str) -> None:
    """In the child: become a server, and end with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(settings)
    from checkpoint.cli import main

    status = 1
    try:
        status = main(["serve"])
    finally:
        sys.stdout.flush()
        os._exit(status)


def _rear() -> None:
    import checkpoint.cli
    import checkpoint.serving
    import checkpoint.ui

    for lang in checkpoint.ui.LANGUAGES:
        checkpoint.ui.texts(lang)
    for line in sys.stdin:
        asked = json.loads(line)
        if "begin" in asked:
            pid = os.fork()
            if pid == 0:
                _serve(asked["begin"], asked["log"])
            said = pid
        else:
            said = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _rear()
