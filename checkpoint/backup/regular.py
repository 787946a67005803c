"""Backups in a rhythm: one of the server's chores.

The law of this file: the work is done in a process of its own, which yields to the server: a walk over the whole record in one
of the server's threads would hold up its scans. What a rule lets go is let go only after a new one was proved.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from checkpoint.backup.taking import backups, discard, taken_at
from checkpoint.chores import Chore
from checkpoint.keeping import Keep, kept

NAME = "backup"
# A backup that takes longer than this is not going to end.
PATIENCE = timedelta(hours=6)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told, as JSON on its standard input; it answers with the backup's name on its output."""

    database: str
    key_file: str
    folder: str
    spare_bytes: int


class BackupFailed(RuntimeError):
    """The process that takes the backup failed; the text is what it said."""


def chore(job: Job, every: timedelta, keep: Keep) -> Chore:
    """Take a backup in a rhythm and keep those that the rule keeps."""

    def work(now: datetime) -> str:
        taken = _taken(job)
        gone = sweep(Path(job.folder), keep)
        return f"taken {taken}, kept {len(backups(Path(job.folder)))}, discarded {gone}"

    return Chore(NAME, every, work)


def sweep(folder: Path, keep: Keep) -> int:
    """Discard what the rule does not keep. Returns how many went."""
    there = {taken_at(backup): backup for backup in backups(folder)}
    stay = kept(there, keep)
    going = [backup for at, backup in there.items() if at not in stay]
    for backup in going:
        discard(backup)
    return len(going)


def _taken(job: Job) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "checkpoint.backup"],
        input=msgspec.json.encode(job),
        capture_output=True,
        timeout=PATIENCE.total_seconds(),
        check=False,
    )
    if done.returncode:
        raise BackupFailed(done.stderr.decode(errors="replace").strip()[-500:])
    return done.stdout.decode().strip()
