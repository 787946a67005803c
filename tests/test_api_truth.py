"""A client that knows nothing but the API's document asks everything it allows, and much that it does not: nothing is answered
that the document does not say, and nothing fails on our side.

It speaks to a real server over a socket, with a token of every role, about objects that are there and objects that are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from checkpoint.web import access
from checkpoint.web.access import ANYONE, KIOSK
from checkpoint.web.api_described import CALLS
from checkpoint.web.openapi import document, examples
from checkpoint.web.routes import TABLE
from tests.desk import Desk, desk
from tests.examples import play
from tests.seeds import rounds
from tests.served import serving

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EACH = rounds(8, soak=60)


class Asked(NamedTuple):
    """The server under question: its address, a header for each role, and ids of things that are there."""

    address: str
    tokens: dict[str, dict[str, str]]
    known: dict[str, list[str]]
    found: Desk


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with desk(tmp_path_factory.mktemp("truth")) as found:
        known = learnt(found)
        tokens = {role: bearer(found, role) for role in ("coordinator", "carrier", "laboratory", "administrator")}
        tokens[KIOSK] = {"Authorization": f"Bearer {known['key'][0]}"}
        tokens[ANYONE] = {}
        with serving(found.app) as address:
            yield Asked(address, tokens, known, found)


def bearer(found: Desk, role: str) -> dict[str, str]:
    office = {"carrier": "瓯海冷链", "laboratory": "区疾控"}.get(role, role)
    return {"Authorization": f"Bearer {access.open_session(found.house, role=role, who=office, name='测试')}"}


def learnt(found: Desk) -> dict[str, list[str]]:
    """What the examples leave behind, by the names that paths and bodies call it."""
    known: dict[str, list[str]] = {}

    def gather(value: Any) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, str) and each:
                    known.setdefault(key, []).append(each)
                gather(each)
        elif isinstance(value, list):
            for each in value:
                gather(each)

    for call, answered, _ in play(found):
        assert answered.status_code == 200, (call.key, answered.text)
        gather(answered.json())
    known["result"] = [each for each in known["id"] if len(each) == 32]
    return known


SCHEMA = schemathesis.openapi.from_dict(document(TABLE, "en", "http://127.0.0.1"))
OPERATIONS: dict[str, Any] = {}
for each in SCHEMA.get_all_operations():
    OPERATIONS[each.ok().definition.raw["operationId"]] = each.ok()  # type: ignore[union-attr]  # one that is none raises here
# What takes nothing but names cannot be asked otherwise than the document says.
NEGATIVE = [call.key for call in CALLS if call.body is not None or call.query is not None]


@pytest.mark.parametrize("key", [call.key for call in CALLS])
def test_what_the_document_allows_is_answered_as_it_says(asked: Asked, key: str) -> None:
    question(asked, key, GenerationMode.POSITIVE)


@pytest.mark.parametrize("key", NEGATIVE)
def test_what_the_document_does_not_allow_is_refused_as_it_says(asked: Asked, key: str) -> None:
    question(asked, key, GenerationMode.NEGATIVE)


def question(asked: Asked, key: str, mode: GenerationMode) -> None:
    """Ask a call so many times, as the document allows it or as it does not."""
    operation = OPERATIONS[key]
    rule = next(rule for rule in TABLE if rule.path == operation.path and operation.method.upper() in rule.methods)
    may = sorted(set(rule.who) & set(asked.tokens)) or [ANYONE]

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        # Mostly somebody who may, now and then anybody else: both are answered as the document says.
        role = data.draw(st.sampled_from(may * 6 + sorted(asked.tokens)), label="role")
        for name in case.path_parameters or {}:
            there = asked.known.get(name)
            if there and data.draw(st.booleans(), label=f"{name} is there"):
                case.path_parameters[name] = data.draw(st.sampled_from(sorted(set(there))), label=name)
        if case.query and "id" in case.query and data.draw(st.booleans(), label="the device is known"):
            case.query["id"] = "824517"
        token = bearer(asked.found, role) if key == "session.end" and role in may else asked.tokens[role]
        headers = {**token, "Accept-Language": "en"}
        if role != ANYONE:
            case.headers.pop("Authorization", None)
        answered = case.call(base_url=asked.address, headers=headers)
        case.validate_response(answered, checks=CHECKS)

    ask()


def test_a_document_that_is_not_true_is_found(asked: Asked) -> None:
    """Without this the tests above could pass by comparing nothing."""
    untrue = document(TABLE, "en", "http://127.0.0.1")
    del untrue["paths"]["/api/v1/passes/{pass_id}"]["get"]["responses"]["404"]
    untrue["components"]["schemas"]["Vehicles"]["properties"]["server_time"] = {"type": "integer"}
    operations = {each.ok().label: each.ok() for each in schemathesis.openapi.from_dict(untrue).get_all_operations()}  # type: ignore[union-attr]
    for label, named in (("GET /api/v1/passes/{pass_id}", {"pass_id": "none"}), ("GET /api/v1/vehicles", None)):
        case = operations[label].Case(path_parameters=named)
        answered = case.call(base_url=asked.address, headers=asked.tokens["coordinator"])
        with pytest.raises(FailureGroup):
            case.validate_response(answered, checks=CHECKS)


def test_the_client_has_something_to_ask_about(asked: Asked) -> None:
    """Without this the test above could pass by asking about nothing."""
    assert {"request", "pass_id", "journey", "warning", "result", "vehicle"} <= asked.known.keys()
    assert set(OPERATIONS) == {call.key for call in CALLS}
    assert len(examples()) > 25
