"""Every story comes out as told, and together they tell every finding and every reason, present and absent."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from checkpoint.core import rules
from checkpoint.core.facts import KINDS as FACT_KINDS
from checkpoint.core.loop import VERDICTS
from checkpoint.story import asking, main, parse, plain, run, sentences
from checkpoint.story.told import StoryError

FOLDER = Path(__file__).parent / "stories"
STORIES = sorted(FOLDER.glob("*.story"))

# Facts that stories cannot tell because the core reads nothing from them.
UNTOLD = {"LoopPublished", "Restored"}

GOOD = """title: A small story
source: none

2022-04-20 07:00:00  pass 330304-0000001 granted for 浙C12345, crew wang, until 2022-05-19
2022-04-20 08:00:00  at sampling: swab S1 of wang, pcr, alone in tube T1
2022-04-20 14:00:00  laboratory: T1 negative
2022-04-20 15:00:00  at gate-a: scan says GO: in-order; until 2022-04-22 08:00:00
2022-04-20 15:00:00  expect quiet; pcr of wang until 2022-04-22 08:00:00
"""


@pytest.mark.parametrize("path", STORIES, ids=lambda p: p.stem)
def test_the_story_comes_out_as_told(path: Path) -> None:
    failures = run(path)
    assert not failures, "\n".join(f"{path.name}:{f.line}: {f.message}" for f in failures)


def _asked() -> tuple[list[str], list[re.Match[str]]]:
    """Every clause of every `expect`, and every scan, that the stories hold."""
    clauses, scans = [], []
    for path in STORIES:
        for question in parse(path.read_text(encoding="utf-8")).questions:
            scan = asking.SCAN.fullmatch(question.text)
            if scan is not None:
                scans.append(scan)
            elif (expect := asking.EXPECT.fullmatch(question.text)) is not None:
                clauses += [c.strip() for c in expect["clauses"].split(";")]
    return clauses, scans


def test_there_are_stories_enough() -> None:
    assert len(STORIES) >= 50


@pytest.mark.parametrize("kind", rules.KINDS)
def test_every_kind_of_finding_is_told_and_so_is_its_near_miss(kind: str) -> None:
    clauses, _ = _asked()
    assert any(re.match(rf"(one )?{kind}\b(?!-)", c) for c in clauses), f"no story expects {kind}"
    assert any(re.match(rf"(no|never) .*\b{kind}\b(?!-)", c) for c in clauses), f"no story expects that {kind} is not found"


@pytest.mark.parametrize("reason", [row.reason for row in VERDICTS])
def test_every_reason_of_the_verdict_table_is_told_and_so_is_its_near_miss(reason: str) -> None:
    _, scans = _asked()
    given = [re.split(r", ", s["reasons"]) for s in scans]
    assert any(reason in reasons for reasons in given), f"no story gives {reason}"
    not_given = [
        n for s in scans for c in s["clauses"].split(";") if c.strip().startswith("not ") for n in c.strip()[4:].split(", ")
    ]
    assert reason in not_given, f"no story says that it is not {reason}"


def test_every_sentence_and_clause_understands_its_own_example() -> None:
    for clause in asking.CLAUSES:
        text = clause.example.removeprefix("expect ")
        first = next(c for c in asking.CLAUSES if re.fullmatch(c.pattern, text))
        assert first is clause, f"{text!r} is taken for {first.example!r}"
    for sentence in sentences.SENTENCES:
        text = re.sub(r"^(?:at [\w-]+|coordinator|laboratory|server|driver \w+)(?:, by \w+)?: ", "", sentence.example)
        text = re.sub(r" #\w+$", "", text)
        first_sentence = next(s for s in sentences.SENTENCES if re.fullmatch(s.pattern, text))
        assert first_sentence is sentence, f"{text!r} is taken for {first_sentence.example!r}"


def test_every_kind_of_fact_can_be_told_and_is() -> None:
    told = {type(t.fact.what).__name__ for p in STORIES for t in parse(p.read_text(encoding="utf-8")).told}
    assert set(FACT_KINDS) - told == UNTOLD


# -- a story that is wrong says where -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "becomes", "wanted"),
    [
        (7, "2022-04-20 15:00:00  at gate-a: scan says HOLD: evidence-missing", "says GO: in-order"),
        (7, "2022-04-20 15:00:00  at gate-a: scan says GO: in-order; until 2022-04-22 08:00:01", "until 2022-04-22 00:00"),
        (8, "2022-04-20 15:00:00  expect off-loop yellow", "off-loop not found"),
        (8, "2022-04-20 15:00:00  expect no quietness", "no such kind of finding"),
        (8, "2022-04-20 15:00:00  expect nonsense here", "nothing known is asked here"),
        (8, "2022-04-20 16:00:01  expect pcr of wang until 2022-04-22 08:00:01", "counts until"),
    ],
)  # fmt: skip
def test_a_wrong_answer_names_the_line_and_what_was_said(tmp_path: Path, line: int, becomes: str, wanted: str) -> None:
    lines = GOOD.splitlines()
    lines[line - 1] = becomes
    path = tmp_path / "wrong.story"
    path.write_text("\n".join(lines), encoding="utf-8")
    failures = run(path)
    assert [f.line for f in failures] == [line]
    assert wanted in failures[0].message


@pytest.mark.parametrize(
    ("line", "becomes", "wanted"),
    [
        (1, "a story", "title"),
        (2, "colour: blue", "no such heading"),
        (2, "policy: pcr_valid = 3 h", "no such policy number"),
        (2, "policy: pcr_anchor = moonrise", "pcr_anchor"),
        (5, "2022-04-20 08:00:00  at sampling: swab S1 off wang, pcr", "nothing known is said here"),
        (5, "2022-04-20 08:00:00  at nowhere: swab S1 of wang, pcr", "no station nowhere"),
        (5, "2022-04-31 08:00:00  at sampling: swab S1 of wang, pcr", "no such time"),
        (5, "tomorrow: swab S1 of wang, pcr", "begins with its time"),
        (6, "2022-04-20 14:00:00  laboratory: T9 negative", "no swab T9"),
        (6, '2022-04-20 14:00:00  laboratory: void S9 "typo"', "S9 was not told of"),
        (7, "2022-04-20 15:00:00  at gate-a: scan says GO: in-order (recorded 16:00)", "asked of what was"),
    ],
)
def test_a_story_that_cannot_be_read_names_the_line(tmp_path: Path, line: int, becomes: str, wanted: str) -> None:
    lines = GOOD.splitlines()
    lines[line - 1] = becomes
    with pytest.raises(StoryError) as error:
        parse("\n".join(lines))
    assert wanted in str(error.value)
    path = tmp_path / "wrong.story"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert len(run(path)) == 1


def test_a_story_that_asks_nothing_is_none() -> None:
    with pytest.raises(StoryError, match="asks something"):
        parse("\n".join(GOOD.splitlines()[:6]))


def test_what_is_learnt_later_is_not_known_before(tmp_path: Path) -> None:
    text = GOOD.replace("laboratory: T1 negative", "laboratory: T1 negative (recorded 2022-04-20 15:00:01)")
    path = tmp_path / "late.story"
    path.write_text(text, encoding="utf-8")
    assert {f.line for f in run(path)} == {7, 8}


def test_a_story_may_be_told_on_a_loop_document(tmp_path: Path) -> None:
    loop = msgspec.structs.replace(plain.plain_loop(), id="other")
    (tmp_path / "other.json").write_bytes(msgspec.json.encode(loop))
    path = tmp_path / "other.story"
    path.write_text(GOOD.replace("source: none", "source: none\nloop: other.json"), encoding="utf-8")
    assert not run(path)
    path.write_text(GOOD.replace("source: none", "source: none\nloop: nowhere.json"), encoding="utf-8")
    assert [(f.line, "no loop document" in f.message) for f in run(path)] == [(3, True)]


def test_main_says_how_each_story_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.story", tmp_path / "bad.story"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text(GOOD.replace("GO: in-order", "STOP: tested-positive"), encoding="utf-8")
    assert main([str(good)]) == 0
    assert capsys.readouterr().out == f"ok   {good}\n"
    assert main([str(good), str(bad)]) == 1
    assert "line 7: says GO: in-order" in capsys.readouterr().out
    assert main([str(tmp_path / "none.story")]) == 2
    assert main([]) == 2
