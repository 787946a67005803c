"""Stories: what happened and what we should say of it, told in the domain's words and run against the pure core.

A disputed verdict or warning is answered with a new story. The format is described in the README; `sentences.SENTENCES` and
`asking.CLAUSES` hold every line that can be written, with an example each.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoint.story.asking import Asker
from checkpoint.story.telling import parse
from checkpoint.story.told import Story, StoryError

__all__ = ["Failure", "Story", "StoryError", "main", "parse", "run"]


@dataclass(frozen=True)
class Failure:
    """What is wrong, and on which line (from 1)."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


def run(path: Path | str) -> list[Failure]:
    """Run one story file: everything that did not come out as told, in the order of its lines; empty when all did."""
    try:
        story = parse(Path(path).read_text(encoding="utf-8"), Path(path).parent)
    except StoryError as error:
        return [Failure(error.line, str(error).partition(": ")[2])]
    except UnicodeDecodeError:
        return [Failure(1, "a story is written in UTF-8")]
    asker = Asker(story)
    return [Failure(q.line, message) for q in story.questions for message in asker.ask(q)]


def main(paths: Sequence[str]) -> int:
    """Run story files and say on standard output how each went. 0 when all came out right, 1 when not, 2 when unread."""
    if not paths:
        sys.stderr.write("checkpoint story FILE...\n")
        return 2
    worst = 0
    for path in paths:
        try:
            failures = run(path)
        except OSError as error:
            sys.stderr.write(f"{path}: {error.strerror}\n")
            worst = 2
            continue
        sys.stdout.write(f"{'ok  ' if not failures else 'FAIL'} {path}\n")
        for failure in failures:
            sys.stdout.write(f"     {failure}\n")
        if failures:
            worst = max(worst, 1)
    return worst
