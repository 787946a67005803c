"""Recorded tracks as they are named at the shell: read with the datum and the zone that were declared; what is wrong is said."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from checkpoint.core.datum import BY_NAME
from checkpoint.decoders.recorded import Drive, MalformedTrack, decode
from checkpoint.shell.ground import complain
from checkpoint.ui import Texts


def drives(asked: argparse.Namespace, t: Texts) -> Iterator[tuple[Path, Drive]]:
    """Every drive of every file, in order. Rows that state no place are counted aloud. Raises `NotRead`."""
    zone: ZoneInfo | None = asked.zone
    for file in asked.tracks:
        try:
            recording = decode(file.read_bytes(), BY_NAME[asked.datum], zone)
        except MalformedTrack as error:
            raise NotRead(in_words(file, error, t)) from None
        if recording.placeless_count:
            complain(t("recorded.skipped", file=file, count=recording.placeless_count))
        yield from ((file, drive) for drive in recording.drives)


class NotRead(ValueError):
    """A file is no recorded track; the text says why and what to do, in the asker's language."""


def in_words(file: Path, error: MalformedTrack, t: Texts) -> str:
    """What is wrong with a file."""
    return f"{file}: {t(f'recorded.{error.why}', **error.values)}"
