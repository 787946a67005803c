"""The API described to programs (OpenAPI 3.1), made from the route table, the types and `CALLS`: it says what the code does.

The law of this file: who may call, how large a body may be and which refusals go with that are read off the route's row; what is
taken and answered off the types; sentences come from the catalogues, in the asker's language. A docstring is no sentence for
readers: a type is explained by `schema.<Name>`, a fact by `fact.<Kind>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from checkpoint import intake
from checkpoint.core.facts import KINDS, Fact
from checkpoint.ui import Texts, texts
from checkpoint.version import VERSION
from checkpoint.web.access import ANYONE, SAFE, WITH_ACCOUNT, Rule
from checkpoint.web.api import Refusal
from checkpoint.web.api_described import CALLS, Call
from checkpoint.web.idempotency import MAX_KEY_CHARS

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"
# Fields that are passed on in the bytes they came in, and what those bytes hold.
_RAW: dict[tuple[str, str], object] = {
    ("ToldFact", "fact"): Fact,
    ("ToldBack", "fact"): Fact,
    ("SentLink", "fact"): Fact,
    ("Batch", "entries"): tuple[intake.SentLink, ...],
    ("SentResults", "results"): tuple[intake.SentResult, ...],
}
_BESIDES = (Refusal, Fact, intake.SentLink, intake.SentResult)


def described(rules: Iterable[Rule]) -> dict[tuple[str, str], tuple[Rule, Call]]:
    """Every call with its row of the route table, by method and path. Raises `KeyError` for a row that nobody described."""
    by_place = {(call.method, call.path): call for call in CALLS}
    return {
        (method, rule.path): (rule, by_place[method, rule.path])
        for rule in rules
        if rule.path.startswith("/api/")
        for method in rule.methods
    }


@cache
def examples() -> Json:
    """What each call may be sent and is then answered, by its key. The tests play them in this order."""
    found: Json = msgspec.json.decode((Path(__file__).parent / "api_examples.json").read_bytes())
    return found


def document(rules: Iterable[Rule], lang: str, public_url: str) -> Json:
    """The whole document, in a language."""
    t = texts(lang)
    known = described(rules)
    shapes = _Shapes(t, [call for _, call in known.values()])
    paths: Json = {}
    for (method, path), (rule, call) in known.items():
        paths.setdefault(path, {})[method.lower()] = _operation(t, shapes, rule, call)
    return {
        "openapi": "3.1.0",
        "info": {"title": t("api.title"), "version": VERSION, "description": t("api.about")},
        "servers": [{"url": public_url}],
        "tags": [{"name": tag, "description": t(f"api.tag.{tag}")} for tag in dict.fromkeys(_tag(c) for _, c in known.values())],
        "paths": paths,
        "components": {
            "schemas": shapes.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": t("api.security")}},
        },
    }


def _tag(call: Call) -> str:
    return call.key.partition(".")[0]


# -- one call -----------------------------------------------------------------------------------------------------------


def _operation(t: Texts, shapes: _Shapes, rule: Rule, call: Call) -> Json:
    example = examples().get(call.key, {})
    said = [t(f"call.{call.key}.more")]
    open_to_all = ANYONE in rule.who
    roles = t("api.comma").join(t(f"role.{role}") for role in sorted(rule.who))
    said.append(t("api.anyone") if open_to_all else t("api.who", roles=roles))
    if call.method not in SAFE:
        said.append(t(f"api.repeated.{call.repeated}"))
    operation: Json = {
        "operationId": call.key,
        "tags": [_tag(call)],
        "summary": t(f"call.{call.key}"),
        "description": "\n\n".join(said),
        "security": [] if open_to_all else [{"token": []}],
        "parameters": list(_parameters(t, shapes, rule, call, example)),
        "responses": _responses(t, shapes, rule, call, example),
    }
    if call.body is not None:
        kind = "application/x-www-form-urlencoded" if call.form else "application/json"
        taken: Json = {"schema": shapes.of(call.body)}
        if "body" in example:
            taken["example"] = example["body"]
        operation["requestBody"] = {"required": not call.form, "content": {kind: taken}}
        operation["x-most-bytes"] = rule.body_bytes
    return operation


def _parameters(t: Texts, shapes: _Shapes, rule: Rule, call: Call, example: Json) -> Iterator[Json]:
    for name in (part[1:-1] for part in rule.path.split("/") if part.startswith("{")):
        schema = {"type": "string", "minLength": 1}
        yield _parameter(t, "path", name, schema, example.get("path", {}).get(name)) | {"required": True}
    if call.query is not None:
        for name, schema in shapes.fields(call.query).items():
            yield _parameter(t, "query", name, schema, example.get("query", {}).get(name))
    if call.conditional:
        yield _parameter(t, "header", "If-None-Match", {"type": "string"}, None)
    if _keyed(rule, call):
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS, "pattern": "^[!-~]+$"}
        yield _parameter(t, "header", "Idempotency-Key", schema, None)


def _parameter(t: Texts, place: str, name: str, schema: Json, example: object) -> Json:
    said: Json = {"name": name, "in": place, "schema": schema}
    key = f"parameter.{name}"
    if key in t:
        said["description"] = t(key)
    return said if example is None else said | {"example": example}


def _keyed(rule: Rule, call: Call) -> bool:
    return call.method not in SAFE and ANYONE not in rule.who


def _responses(t: Texts, shapes: _Shapes, rule: Rule, call: Call, example: Json) -> Json:
    good: Json = {"description": t("api.good"), "content": {"application/json": {"schema": shapes.of(call.answer)}}}
    if "answer" in example:
        good["content"]["application/json"]["example"] = example["answer"]
    headers = dict(_headers(t, rule, call))
    if headers:
        good["headers"] = headers
    found: Json = {"200": good}
    if call.conditional:
        found["304"] = {"description": t("api.not-modified")}
    for status, keys in sorted(refusals(rule, call).items()):
        refused: Json = {
            "description": t("api.semicolon").join(f"{t(f'problem.{key}.title')} (`{key}`)" for key in keys),
            "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Refusal")}}},
        }
        if status in (429, 503, 507):
            refused["headers"] = {"Retry-After": _header(t, "Retry-After", {"type": "string"})}
        found[str(status)] = refused
    return found


def refusals(rule: Rule, call: Call) -> dict[int, list[str]]:
    """Every problem that a call may be answered with, by status: what its row of the table brings with it, and its own."""
    open_to_all, writes = ANYONE in rule.who, call.method not in SAFE
    found: list[tuple[int, str]] = []
    if call.body is not None and not call.form and not call.lenient:
        found += [(400, "malformed"), (415, "not-json-type")]
    if call.query is not None and not call.lenient:
        found.append((400, "malformed"))
    if not open_to_all:
        found += [(401, "sign-in"), (403, "not-yours")]
    if not open_to_all and not rule.limited and not set(WITH_ACCOUNT).isdisjoint(rule.who):
        found.append((403, "factor-wanted"))
    if rule.step_up or rule.step_up_people:
        found.append((403, "step-up"))
    if rule.step_up:
        found.append((403, "token-step-up"))
    if writes:
        found += [(403, "other-site"), (413, "too-large")]
    if _keyed(rule, call):
        found += [
            (400, "key-malformed"), (403, "token-reads"), (409, "key-under-way"), (409, "key-unknown-outcome"),
            (422, "key-reused"),
        ]  # fmt: skip
    found += call.refused
    found += [
        (421, "wrong-host"),
        (429, "too-many"),
        (500, "ours"),
        (503, "crowded"),
        (503, "storage-busy"),
        (503, "storage-failed"),
    ]
    if writes or call.form:
        found.append((507, "no-room"))
    by_status: dict[int, list[str]] = {}
    for status, key in dict.fromkeys(found):
        by_status.setdefault(status, []).append(key)
    return by_status


def _headers(t: Texts, rule: Rule, call: Call) -> Iterator[tuple[str, Json]]:
    names = ["ETag"] if call.conditional else []
    names += ["Last-Modified"] if call.dated else []
    names += ["Link"] if call.query is not None and "cursor" in {f.name for f in msgspec.structs.fields(call.query)} else []
    names += ["Idempotency-Replayed"] if _keyed(rule, call) else []
    for name in names:
        yield name, _header(t, name, {"type": "string"})


def _header(t: Texts, name: str, schema: Json) -> Json:
    return {"description": t(f"header.{name}"), "schema": schema}


# -- the types ----------------------------------------------------------------------------------------------------------


class _Shapes:
    """The schemas of all types that calls take and answer, with their texts."""

    def __init__(self, t: Texts, calls: list[Call]) -> None:
        kinds = [kind for call in calls for kind in (call.answer, call.body) if kind is not None]
        wanted = [*dict.fromkeys([*kinds, *_BESIDES])]
        schemas, self.components = msgspec.json.schema_components(wanted, ref_template=_REF)
        self._schemas = dict(zip(map(repr, wanted), schemas, strict=True))
        instants = {name: fields for kind in wanted for name, fields in _instants(kind)}
        for name, schema in self.components.items():
            schema.pop("description", None)
            key = f"fact.{name}" if name in KINDS else f"schema.{name}"
            if key in t:
                schema["description"] = t(key)
            for field, held in schema.get("properties", {}).items():
                if (name, field) in _RAW:
                    schema["properties"][field] = _schema(_RAW[name, field])
                elif field in instants.get(name, ()):
                    _dated(held)

    def of(self, kind: object) -> Json:
        """The schema of a type: a reference, mostly."""
        return dict(self._schemas[repr(kind)])

    def fields(self, kind: type[msgspec.Struct]) -> dict[str, Json]:
        """The fields of a query, each as a parameter takes it: what may be left out is left out, and never null."""
        _, components = msgspec.json.schema_components([kind], ref_template=_REF)
        properties: dict[str, Json] = components[kind.__name__]["properties"]
        return {name: _without_null(schema) for name, schema in properties.items()}


def _schema(kind: object) -> Json:
    return msgspec.json.schema_components([kind], ref_template=_REF)[0][0]


def _without_null(schema: Json) -> Json:
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "default") or value not in (None, "")}
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        kept.pop("anyOf")
        kept |= choices[0]
    return kept


def _dated(schema: Json) -> None:
    """Say of a text that it is an instant, as our own writer writes it."""
    for choice in (schema, *schema.get("anyOf", ())):
        if choice.get("type") == "string":
            choice["format"] = "date-time"


def _instants(kind: object, seen: set[object] | None = None) -> Iterator[tuple[str, set[str]]]:
    """The fields of a type, and of all that it is made of, that hold an instant: by the type's name."""
    seen = set() if seen is None else seen
    if kind in seen:
        return
    seen.add(kind)
    for part in get_args(kind):
        yield from _instants(part, seen)
    struct = get_origin(kind) or kind
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
        fields = msgspec.structs.fields(struct)
        yield struct.__name__, {f.name for f in fields if f.type is datetime or datetime in get_args(f.type)}
        for field in fields:
            yield from _instants(field.type, seen)
