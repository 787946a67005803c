"""What all pages share: texts in both languages, the clock at the glass, pictures that speak without colour."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import msgspec
import pytest

import checkpoint
from checkpoint.core.facts import KINDS
from checkpoint.ui import LANGUAGES, STATIC, TEMPLATES, catalogue, clock, environment, pick_language, texts
from checkpoint.ui.catalogue import CATALOGUES, MissingText
from checkpoint.ui.page import qr_svg

ROOT = Path(checkpoint.__file__).parent.parent
SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 5, 3, 6, 30, 9, tzinfo=UTC)


# -- catalogues -------------------------------------------------------------------------------------------------------


def test_both_languages_have_the_same_keys() -> None:
    zh, en = texts("zh").keys(), texts("en").keys()
    assert zh - en == set(), "missing in English"
    assert en - zh == set(), "missing in Chinese"


def test_both_languages_have_the_same_catalogues() -> None:
    names = [{path.name for path in (CATALOGUES / lang).glob("*.po")} for lang in LANGUAGES]
    assert names[0] == names[1]


def test_both_languages_want_the_same_values() -> None:
    zh, en = texts("zh"), texts("en")
    assert {key for key in zh.keys() & en.keys() if zh.placeholders(key) != en.placeholders(key)} == set()


def test_no_chinese_text_is_left_in_english_and_no_english_one_in_chinese() -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for key in sorted(texts("en").keys()):
        said = " ".join(texts("en")._table[key])
        # Plates are Chinese in every language, and so are the names of the languages themselves.
        assert not chinese.search(said.replace("浙C12345", "").replace("挂", "").replace("中文", "")), f"{key}: {said}"


def used_keys() -> set[str]:
    """The keys that templates and code name in full: `_("key")` and `t("key")`."""
    found: set[str] = set()
    for path in [*ROOT.glob("checkpoint/**/*.html"), *ROOT.glob("kiosk/**/*.html")]:
        found |= set(re.findall(r"""\b(?:_|say)\(\s*["']([a-z][\w.-]*)["']\s*[,)]""", path.read_text(encoding="utf-8")))
    for path in [*ROOT.glob("checkpoint/**/*.py"), *ROOT.glob("kiosk/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = (
                    node.func.id
                    if isinstance(node.func, ast.Name)
                    else node.func.attr
                    if isinstance(node.func, ast.Attribute)
                    else ""
                )
                if name == "t" and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


def test_every_key_that_a_page_or_the_code_names_has_its_text() -> None:
    used = used_keys()
    assert len(used) > 100, "the search found too little to be a check"
    assert used - texts("zh").keys() == set()


def test_every_problem_that_is_raised_has_title_and_detail_with_its_values() -> None:
    raised: dict[str, set[str]] = {}
    for path in ROOT.glob("checkpoint/web/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Problem"
                and len(node.args) > 1
            ):
                key = node.args[1]
                if isinstance(key, ast.Constant):
                    name = str(key.value)
                    names = {k.arg for k in node.keywords if k.arg} - {"more", "headers"}
                    raised[name] = names
                    t = texts("zh")
                    assert f"problem.{name}.title" in t
                    if all(k.arg for k in node.keywords):
                        assert t.placeholders(f"problem.{name}.detail") <= names, name
    assert len(raised) > 8


def test_every_kind_of_fact_and_every_field_has_a_name() -> None:
    t = texts("zh")
    for kind, struct in KINDS.items():
        assert f"fact.{kind}" in t
        for field in msgspec.structs.fields(struct):
            assert f"value.{field.name}" in t or field.name in ("evidence", "shown", "what"), field.name


def test_a_missing_key_fails_loudly_here_and_is_shown_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingText, match=r"no\.such\.key"):
        texts("en")("no.such.key")
    with pytest.raises(MissingText, match="count"):
        texts("en")("span.hours")
    monkeypatch.setattr(catalogue, "strict", False)
    assert texts("en")("no.such.key") == "no.such.key"
    assert texts("en")("span.hours") == "span.hours"


def test_counted_things_have_the_form_of_their_number() -> None:
    assert texts("en")("board.evidence", count=1) == "Evidence: 1 item"
    assert texts("en")("board.evidence", count=2) == "Evidence: 2 items"
    assert texts("zh")("board.evidence", count=2) == "依据 2 项"


@pytest.mark.parametrize(
    ("cookie", "wish", "found"),
    [
        ("en", "zh-CN", "en"),
        (None, "zh-CN,zh;q=0.9", "zh"),
        (None, "de-DE, en-GB;q=0.8, zh;q=0.5", "en"),
        (None, "en;q=0, zh;q=0.1", "zh"),
        (None, None, "zh"),
        ("xx", "fr", "zh"),
        (None, "en;q=nonsense", "zh"),
    ],
)
def test_the_language_is_the_one_chosen_before_else_the_browsers_wish_else_chinese(
    cookie: str | None, wish: str | None, found: str
) -> None:
    assert pick_language(cookie, wish) == found


# -- the clock --------------------------------------------------------------------------------------------------------


def test_an_instant_is_shown_in_the_loops_zone_and_carries_itself_in_utc() -> None:
    said = clock.stamp(AT, SHANGHAI, "zh", "near", AT)
    assert ">14:30<" in said
    assert 'datetime="2026-05-03T06:30:09+00:00"' in said
    assert "CST" in said


def test_a_time_of_another_day_is_shown_with_its_day() -> None:
    yesterday = AT - timedelta(days=1)
    assert clock.local(yesterday, SHANGHAI, "zh", "near", AT) == "5月2日 14:30"
    assert clock.local(yesterday, SHANGHAI, "en", "near", AT) == "2 May 14:30"
    # Another day there, though not in UTC.
    assert clock.local(AT + timedelta(hours=12), SHANGHAI, "en", "near", AT) == "4 May 02:30"


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0, "0 s", "0 秒"),
        (59.9, "59 s", "59 秒"),
        (60, "1 min", "1 分钟"),
        (3600, "1 h", "1 小时"),
        (4800, "1 h 20 min", "1 小时 20 分钟"),
        (2 * 86400 + 3 * 3600, "2 d 3 h", "2 天 3 小时"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_at_most(seconds: float, en: str, zh: str) -> None:
    assert clock.span(seconds, texts("en")) == en
    assert clock.span(timedelta(seconds=seconds), texts("zh")) == zh


# -- pages and pictures -----------------------------------------------------------------------------------------------


def rendered(source: str, lang: str = "en", **values: object) -> str:
    return environment().from_string(source).render(_=texts(lang), lang=lang, zone=SHANGHAI, now=AT, **values)


def test_an_instant_within_a_sentence_is_an_element_and_what_people_wrote_beside_it_is_escaped() -> None:
    at = clock.stamp(datetime(2026, 5, 1, tzinfo=UTC), ZoneInfo("Asia/Shanghai"), "en")
    said = environment().from_string("{{ text }}").render(text=texts("en")("terminal.registered.at", at=at, count="<b>"))
    assert '<time datetime="2026-05-01T00:00:00+00:00"' in said
    assert "&lt;b&gt;" in said
    assert "&lt;time" not in said


def test_what_people_wrote_is_escaped() -> None:
    assert rendered("{{ said }}", said="<script>") == "&lt;script&gt;"
    assert "<script>" not in rendered("{{ qr_svg('A', said) }}", said='"><script>')


def test_an_undefined_name_in_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendered("{{ nothing }}")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_verdict_is_a_word_and_a_shape_of_its_own(lang: str) -> None:
    import_ = '{% import "verdict.html" as v with context %}'
    badges = {word: rendered(import_ + "{{ v.badge(word) }}", lang, word=word) for word in ("GO", "HOLD", "STOP")}
    shapes = {
        re.search(r'class="shape-body"|(<circle|<path)[^>]*shape-body', badge) and badge.split("shape-body")[0][-60:]
        for badge in badges.values()
    }
    assert len(shapes) == 3
    for word, badge in badges.items():
        assert texts(lang)(f"word.{word}") in badge


def test_no_template_or_module_asks_for_inline_code_or_another_origin() -> None:
    own = [*TEMPLATES.glob("*.html"), *ROOT.glob("checkpoint/web/templates/**/*.html"), *ROOT.glob("kiosk/**/*.html")]
    assert len(own) > 10
    for path in own:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|<style|javascript:""", text), path.name
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), path.name
    for path in [*STATIC.glob("**/*.css"), *ROOT.glob("checkpoint/web/static/**/*.css"), *ROOT.glob("kiosk/**/*.css")]:
        assert not re.search(r"@import|url\((?!['\"]?(?:data:|/static/))", path.read_text(encoding="utf-8")), path.name


def test_a_qr_code_is_drawn_with_its_quiet_zone_black_on_white() -> None:
    drawn = qr_svg("CP1ABC", "pass")
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', drawn).group(1))  # type: ignore[union-attr]
    assert side == 21 + 8
    assert 'fill="#fff"' in drawn
    assert "M4 4h7v1h-7z" in drawn, "the finder's upper edge, four modules in"


# -- contrast ---------------------------------------------------------------------------------------------------------


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))


def themes() -> dict[str, dict[str, str]]:
    css = (STATIC / "tokens.css").read_text(encoding="utf-8")
    light = tokens(css.split("@media (prefers-color-scheme: dark)")[0])
    dark = light | tokens(css.split("@media (prefers-color-scheme: dark)")[1].split(":root.kiosk")[0])
    kiosk = light | tokens(css.split(":root.kiosk")[1].split("}")[0])
    return {"light": light, "dark": dark, "kiosk": kiosk}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT_PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent", "go", "hold", "stop") for ground in ("ground", "surface")),
    ("ink", "sunken"), ("ink-soft", "sunken"), ("accent-ink", "accent"), ("accent", "accent-soft"), ("ink", "accent-soft"),
    ("stop", "stop-soft"), ("ink", "stop-soft"), ("ink-soft", "stop-soft"), ("accent", "stop-soft"), ("go", "go-soft"),
    ("ink", "go-soft"), ("ink-soft", "go-soft"), ("hold", "hold-soft"), ("ink", "hold-soft"),
    ("hold-ink", "hold-ground"), ("sign", "go-ground"), ("sign", "stop-ground"),
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark", "kiosk"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_text_can_be_read_on_its_ground(theme: str, ink: str, ground: str) -> None:
    found = themes()[theme]
    assert contrast(found[ink], found[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark", "kiosk"])
@pytest.mark.parametrize("edge", ["edge", "focus", "line-outbound", "line-inbound"])
def test_edges_and_lines_can_be_seen(theme: str, edge: str) -> None:
    found = themes()[theme]
    assert contrast(found[edge], found["surface"]) >= 3
