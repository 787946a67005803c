"""The README is true: whatever there is, is in it, and what it says can be run, runs."""

from __future__ import annotations

import argparse
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from checkpoint import cli, config
from checkpoint.core import rules
from checkpoint.core.facts import KINDS
from checkpoint.core.loop import VERDICTS, Loop, Policy, Section, Service, Station
from checkpoint.story import asking, run, sentences
from checkpoint.ui import texts
from tests.server import Served, clean_environment, served

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.strip()]

# Commands that are not run from here, and why.
ELSEWHERE = {
    "scripts/run": "test_scripts.py runs what it starts",
    "scripts/run --empty": "test_scripts.py runs what it starts",
    "scripts/test": "is what runs this",
    "python -m kiosk": "never ends by itself; test_scripts.py starts it with the demonstration",
}
GPX = """<?xml version="1.0"?><gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="27.98" lon="120.58"/><trkpt lat="27.99" lon="120.59"/><trkpt lat="28.00" lon="120.61"/></trkseg></trk></gpx>"""

CSV = """time,lat,lon,speed,course,accuracy
2022-04-20T08:00:00+08:00,27.9800,120.5800,36,40,6
2022-04-20T08:02:00+08:00,27.9900,120.5900,36,40,6
2022-04-20T08:04:00+08:00,28.0000,120.6100,36,40,6
"""


def _rows(heading: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([\w.-]+)`", section, re.MULTILINE))


def test_every_kind_of_finding_is_in_it() -> None:
    assert _rows("What we warn of") == set(rules.KINDS)


def test_every_kind_of_fact_is_in_it() -> None:
    assert _rows("Facts") == set(KINDS)


def test_every_reason_at_a_gate_is_in_it_with_its_verdict_and_next_step() -> None:
    assert _rows("The verdict at a gate") == {row.reason for row in VERDICTS}
    for row in VERDICTS:
        assert re.search(rf"^\| `{row.reason}` \| {row.verdict} \|.*\| `{row.next_step}` \|$", README, re.MULTILINE), row


def test_every_setting_is_in_it_with_its_default_and_purpose() -> None:
    assert _rows("Settings") == {setting.variable for setting in config.SETTINGS}
    for setting in config.SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        assert f"| `{setting.variable}` | {default} | {setting.purpose} |" in README


def test_every_number_of_a_policy_is_in_it_with_its_default() -> None:
    for field in msgspec.structs.fields(Policy):
        value = getattr(Policy(), field.name)
        if field.name == "verdicts":
            said = ""
        elif isinstance(value, bool):
            said = f"`{str(value).lower()}`"
        else:
            said = f"`{value}`" if isinstance(value, str) else f"{value:g}"
        assert f"| `{field.name}` | {said} |" in README, field.name


def test_every_field_of_a_loop_document_is_in_it() -> None:
    section = README.split("\n## The loop document\n", 1)[1].split("\n## ", 1)[0]
    fields = [f.name for kind in (Loop, Station, Section) for f in msgspec.structs.fields(kind)]
    for name in [*fields, *Service.__args__]:  # type: ignore[attr-defined]  # a Literal knows its values
        assert f"`{name}`" in section or f"`{name}`" in README, name


def _subcommands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                inner = list(_subcommands(sub, f"{before}{name} "))
                yield from inner
                if not inner or sub.get_default("command") is not None:
                    yield f"{before}{name}"


def test_every_command_is_in_it_with_its_options() -> None:
    section = README.split("\n## Commands\n", 1)[1]
    found = set(_subcommands(cli.parser(texts("en"))))
    assert {"serve", "verify", "loop check", "keys list"} <= found
    for name in found:
        assert f"`checkpoint {name}`" in section


def test_every_script_is_in_it() -> None:
    for script in sorted((ROOT / "scripts").iterdir()):
        if script.is_file() and not script.suffix:
            assert script.name in README, script.name


def test_every_sentence_and_question_of_stories_is_in_it() -> None:
    for sentence in sentences.SENTENCES:
        assert f"\n{sentence.example}\n" in README
    for clause in asking.CLAUSES:
        assert f"\n{clause.example}\n" in README


def test_the_story_in_it_comes_out_as_told(tmp_path: Path) -> None:
    stories = [block for _, block in BLOCKS if block.startswith("title: ")]
    assert stories
    for i, text in enumerate(stories):
        (tmp_path / f"{i}.story").write_text(text, encoding="utf-8")
        assert not run(tmp_path / f"{i}.story")


def test_there_are_commands_to_run() -> None:
    assert set(ELSEWHERE) <= set(COMMANDS)
    assert len(COMMANDS) > len(ELSEWHERE) + 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as found:
        _said(["checkpoint", "simulate", "--journeys", "1"], found, found.data)  # publishes the loop, too
        yield found


def _said(command: list[str], server: Served, folder: Path) -> str:
    program = [sys.executable, "-m", "checkpoint.cli"] if command[0] == "checkpoint" else [sys.executable]
    settings = {"CHECKPOINT_KIOSK_DATA": str(folder / "kiosk"), "CHECKPOINT_DATA": str(server.data)}
    done = subprocess.run(
        [*program, *command[1:]],
        cwd=folder,
        env=clean_environment() | server.environment | settings,
        capture_output=True,
        input="correct horse battery staple\n",  # where a passphrase is asked for
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout


def _a_plate(server: Served) -> str:
    """A truck that the server knows."""
    with closing(sqlite3.connect(f"file:{server.data / 'checkpoint.db'}?mode=ro", uri=True)) as db:
        (name,) = db.execute("SELECT subject FROM subjects WHERE subject LIKE 'vehicle:%' LIMIT 1").fetchone()
    return str(name).removeprefix("vehicle:")


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in ELSEWHERE])
def test_every_command_that_can_run_here_runs(line: str, server: Served, tmp_path: Path) -> None:
    for name in ("checkpoint", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "drive.gpx").write_text(GPX)
    (tmp_path / "drive.csv").write_text(CSV)
    (tmp_path / "other.json").write_text('{"half_width_m": 100}')
    command = shlex.split(line)
    if command[-1] == "TOKEN":
        token = _said(["checkpoint", "kiosk", "token", "ouhai-sampling"], server, tmp_path)
        command[-1] = token.strip()
    if command[-1] == "PLATE":
        command[-1] = _a_plate(server)
    if "--journeys" in command:
        command[-1] = "3"  # as many as show that it works
    assert _said(command, server, tmp_path).strip()
