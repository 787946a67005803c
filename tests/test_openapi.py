"""The API's document is whole, in both languages, and true: its examples work, and its page says what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from checkpoint.core.facts import KINDS
from checkpoint.ui import LANGUAGES, texts
from checkpoint.web.access import ANYONE, SAFE
from checkpoint.web.api_described import CALLS
from checkpoint.web.openapi import described, document, examples, refusals
from checkpoint.web.routes import TABLE
from tests.desk import Desk, desk
from tests.examples import plain, play, shape

SITE = "https://loop.example"


@pytest.fixture(scope="module", params=LANGUAGES)
def written(request: pytest.FixtureRequest) -> dict[str, Any]:
    return document(TABLE, request.param, SITE)


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


# -- whole --------------------------------------------------------------------------------------------------------------


def test_every_row_under_api_is_described_and_nothing_else_is() -> None:
    rows = {(method, rule.path) for rule in TABLE if rule.path.startswith("/api/") for method in rule.methods}
    calls = [(call.method, call.path) for call in CALLS]
    assert len(calls) == len(set(calls))
    assert set(calls) - rows == set(), "described, and not there"
    assert rows - set(calls) == set(), "there, and not described: give it a Call in api_described.py, texts and an example"
    assert set(described(TABLE)) == rows


def test_every_call_and_every_type_has_its_text(written: dict[str, Any]) -> None:
    for _, _, operation in operations(written):
        assert operation["summary"]
        assert operation["description"]
        assert all("description" in parameter for parameter in operation["parameters"]), operation["operationId"]
    bare = [name for name, schema in written["components"]["schemas"].items() if not schema.get("description")]
    assert bare == []


def test_the_two_languages_say_the_same_thing() -> None:
    def bones(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: bones(v) for k, v in value.items() if k not in ("description", "summary", "example", "title")}
        return [bones(each) for each in value] if isinstance(value, list) else value

    zh, en = (document(TABLE, lang, SITE) for lang in ("zh", "en"))
    assert bones(zh) == bones(en)
    assert zh["info"]["description"] != en["info"]["description"]
    chinese = re.compile(r"[一-鿿]")
    for (_, _, one), (_, _, other) in zip(operations(zh), operations(en), strict=True):
        assert chinese.search(one["summary"])
        assert not chinese.search(other["summary"] + other["description"])


def test_every_reference_leads_somewhere_and_every_schema_is_one(written: dict[str, Any]) -> None:
    found = set(re.findall(r'"#/components/schemas/([^"]+)"', str(written).replace("'", '"')))
    assert found <= set(written["components"]["schemas"])
    assert found > {"Refusal", "Fact", "PassRead"}
    for name in written["components"]["schemas"]:
        whole = {"$ref": f"#/components/schemas/{name}", "components": written["components"]}
        jsonschema_rs.Draft202012Validator(whole)


def test_facts_are_described_as_what_they_are(written: dict[str, Any]) -> None:
    assert set(KINDS) <= set(written["components"]["schemas"])
    told = written["components"]["schemas"]["ToldFact"]["properties"]["fact"]
    assert told == {"$ref": "#/components/schemas/Fact"}
    handed = written["components"]["schemas"]["SentResults"]["properties"]["results"]
    assert handed["items"] == {"$ref": "#/components/schemas/SentResult"}


# -- true ---------------------------------------------------------------------------------------------------------------


def test_who_may_call_and_what_is_refused_come_from_the_table(written: dict[str, Any]) -> None:
    rules = described(TABLE)
    for method, path, operation in operations(written):
        rule, call = rules[method, path]
        assert (operation["security"] == []) == (ANYONE in rule.who)
        assert set(operation["responses"]) == {"200", *(["304"] if call.conditional else []), *map(str, refusals(rule, call))}
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert names == set(re.findall(r"\{(\w+)\}", path))
        keyed = any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
        assert keyed == (method not in SAFE and ANYONE not in rule.who)


def test_every_problem_that_is_documented_has_its_page() -> None:
    t = texts("en")
    for rule, call in described(TABLE).values():
        for status, keys in refusals(rule, call).items():
            assert 400 <= status < 600
            for key in keys:
                assert f"problem.{key}.title" in t, (call.key, key)


def test_the_examples_fit_their_schemas(written: dict[str, Any]) -> None:
    checked = 0
    for _, _, operation in operations(written):
        contents = [operation["responses"]["200"]["content"], operation.get("requestBody", {}).get("content", {})]
        for content in (kind for each in contents for kind in each.values()):
            if "example" in content:
                whole = content["schema"] | {"components": written["components"]}
                jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(content["example"])
                checked += 1
    assert checked > 40


def test_the_examples_work(tmp_path: Path) -> None:
    """Each is sent in the order of the table and answered as the document says; numbers that are made anew are only there."""
    with desk(tmp_path) as found:
        played = [
            (call.key, answered.status_code, shape(plain(answered)), shape(documented))
            for call, answered, documented in play(found)
        ]
    assert [key for key, *_ in played] == [call.key for call in CALLS if call.key in examples()]
    for key, status, answered, documented in played:
        assert status == 200, (key, answered)
        assert answered == documented, key


def test_most_calls_have_an_example() -> None:
    """All but what is signed by a kiosk or keyed by a phone that the example would have to be, and this document itself."""
    without = {call.key for call in CALLS} - examples().keys()
    assert without == {"document.read", "kiosk.renew", "pass-requests.refuse", "positions.report-owntracks"}
    assert examples().keys() <= {call.key for call in CALLS}


# -- served -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("openapi")) as found:
        yield found


def test_the_document_is_served_to_anybody_in_their_language_and_not_again(served: Desk) -> None:
    client = served.nobody()
    zh = client.get("/api/v1/openapi.json", headers={"accept-language": "zh"})
    en = client.get("/api/v1/openapi.json?lang=en")
    assert zh.json()["info"]["description"] == texts("zh")("api.about")
    assert en.content == msgspec.json.encode(document(TABLE, "en", served.house.public_url))
    again = client.get("/api/v1/openapi.json?lang=en", headers={"if-none-match": en.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("role", ["administrator", "coordinator", "carrier", "laboratory"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_lists_every_call_for_those_signed_in(served: Desk, role: str, lang: str) -> None:
    page = served.signed_in(role, lang=lang).get("/api").text
    t = texts(lang)
    for call in CALLS:
        assert t(f"call.{call.key}").replace("'", "&#39;") in page
        assert call.path in page
    assert 'href="/api"' in page
    assert "<script" not in page


def test_the_page_is_for_those_signed_in(served: Desk) -> None:
    assert served.nobody().get("/api").headers["location"] == "/sign-in?next=/api"
