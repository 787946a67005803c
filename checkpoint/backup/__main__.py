"""`python -m checkpoint.backup`: take the backup that standard input asks for, behind everybody else (see `regular.py`)."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from checkpoint.backup.manifest import Unusable
from checkpoint.backup.regular import Job
from checkpoint.backup.taking import AlreadyTaking, take
from checkpoint.config import utc_now
from checkpoint.store import StorageFailed, WrongKey


def main() -> int:
    """Take it; returns the exit status."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with suppress(OSError):
        os.nice(10)
    try:
        taken = take(Path(job.database), Path(job.key_file), Path(job.folder), utc_now, spare_bytes=job.spare_bytes)
    except (AlreadyTaking, OSError, StorageFailed, Unusable, WrongKey) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(taken.name + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
