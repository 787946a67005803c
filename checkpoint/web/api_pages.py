"""The API's description: for programs as OpenAPI, for people as a page made from the same document."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkpoint.web.access import ADMINISTRATOR, ANYONE, CARRIER, COORDINATOR, LABORATORY, Rule
from checkpoint.web.house import house_of
from checkpoint.web.openapi import document
from checkpoint.web.page import language_of, render
from checkpoint.web.paging import told

WHO = (ADMINISTRATOR, COORDINATOR, CARRIER, LABORATORY)


@cache
def _written(rules: tuple[Rule, ...], lang: str, public_url: str) -> bytes:
    return msgspec.json.encode(document(rules, lang, public_url))


def _shown(written: bytes) -> list[dict[str, Any]]:
    """The document as the page shows it: group by group, each call with its examples as text."""
    found = msgspec.json.decode(written)
    groups = {tag["name"]: {"title": tag["description"], "name": tag["name"], "calls": []} for tag in found["tags"]}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]]["calls"].append(_call(method.upper(), path, operation))
    return list(groups.values())


def _call(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    taken: dict[str, Any] = next(iter(operation.get("requestBody", {"content": {}})["content"].values()), {})
    answered = operation["responses"]["200"]["content"]["application/json"]
    return {
        "method": method,
        "path": path,
        "id": operation["operationId"],
        "summary": operation["summary"],
        "said": operation["description"].split("\n\n"),
        "parameters": operation["parameters"],
        "sent": _pretty(taken.get("example")),
        "answered": _pretty(answered.get("example")),
        "refused": [(status, each["description"]) for status, each in operation["responses"].items() if status >= "400"],
    }


def _pretty(example: object) -> str:
    return "" if example is None else msgspec.json.format(msgspec.json.encode(example), indent=2).decode()


def routes_over(rules: Callable[[], tuple[Rule, ...]]) -> tuple[Rule, ...]:
    """The rows of this module; they describe the whole table, which they are part of."""

    async def openapi(request: Request) -> Response:
        written = await run_in_threadpool(_written, rules(), language_of(request), house_of(request).public_url)
        return told(request, written, {"Vary": "Accept-Language, Cookie", "Content-Language": language_of(request)})

    async def page(request: Request) -> Response:
        def work() -> Response:
            written = _written(rules(), language_of(request), house_of(request).public_url)
            return render(request, "api.html", groups=_shown(written), public_url=house_of(request).public_url)

        return await run_in_threadpool(work)

    return (
        Rule("/api/v1/openapi.json", ("GET",), openapi, (ANYONE,)),
        Rule("/api", ("GET",), page, WHO),
    )
