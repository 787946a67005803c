"""Which seeds a test plays: the same few every time, and ever new ones while `scripts/soak` runs, which sets SOAK_SEED."""

from __future__ import annotations

import os


def seeds(count: int) -> range:
    """So many seeds in a row."""
    first = int(os.environ.get("SOAK_SEED", "0"))
    return range(first, first + count)


def rounds(here: int, *, soak: int) -> int:
    """How many rounds a test plays: a few here, many in `scripts/soak`."""
    return soak if "SOAK_SEED" in os.environ else here
