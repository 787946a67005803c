"""Every word the rules speak has its text in both languages, and every placeholder a value when a rule speaks."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from checkpoint.core import rules
from checkpoint.core.facts import KINDS
from checkpoint.core.loop import LEGS, VERDICTS
from checkpoint.story import asking, parse
from checkpoint.story.asking import known
from checkpoint.ui import LANGUAGES, texts

CORE = Path(__file__).parents[1] / "checkpoint" / "core"
STORIES = Path(__file__).parent / "stories"


def _said_in_core(pattern: str) -> set[str]:
    return {found for path in CORE.rglob("*.py") for found in re.findall(pattern, path.read_text(encoding="utf-8"))}


WANTED = sorted(
    {f"reason.{row.reason}" for row in VERDICTS}
    | {f"next.{row.next_step}" for row in VERDICTS}
    | {f"word.{row.verdict}" for row in VERDICTS}
    | {f"finding.{kind}" for kind in rules.KINDS}
    | {f"finding.{kind}.why" for kind in rules.KINDS}
    | {f"cited.{kind}" for kind in KINDS}
    | {f"cited.{what}" for what in _said_in_core(r'Cited\(\s*what="([\w-]+)"')}
    | {f"why.{why}" for why in _said_in_core(r'why="([a-z][\w-]*)"')}
    | {"colour.yellow", "colour.red", "refused.forged", "refused.foreign", "refused.half"}
    | {f"leg.{leg}" for leg in LEGS}
)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("key", WANTED)
def test_the_text_is_there(key: str, lang: str) -> None:
    assert key in texts(lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_shown_without_values_wants_none(lang: str) -> None:
    t = texts(lang)
    plain = [k for k in WANTED if not k.startswith("next.") and not k.endswith(".why")]
    assert {k: t.placeholders(k) for k in plain if t.placeholders(k)} == {}


def test_both_languages_ask_for_the_same_values() -> None:
    zh, en = texts("zh"), texts("en")
    assert {k for k in WANTED if zh.placeholders(k) != en.placeholders(k)} == set()


def test_every_placeholder_has_a_value_whenever_a_rule_speaks() -> None:
    said: dict[str, list[frozenset[str]]] = defaultdict(list)
    for path in sorted(STORIES.glob("*.story")):
        story = parse(path.read_text(encoding="utf-8"))
        for question in story.questions:
            world = known(story, question)
            for finding in world.findings:
                said[f"finding.{finding.kind}.why"].append(frozenset(finding.values))
            scan = asking.SCAN.fullmatch(question.text)
            verdict = asking.ask_gate(world, scan) if scan is not None else None
            if verdict is not None and not isinstance(verdict, str) and world.view is not None and verdict.word != "GO":
                said[f"next.{verdict.next_step}"].append(frozenset(verdict.next_values))
    assert {f"finding.{kind}.why" for kind in rules.KINDS} <= set(said)
    wanted = texts("zh")
    missing = {(key, wanted.placeholders(key) - given) for key, times in said.items() for given in times}
    assert {(key, names) for key, names in missing if names} == set()
