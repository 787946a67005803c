"""The examples of the API's document, played one after the other against a server with a fleet on its road.

What a server makes up anew each time (numbers, tokens, keys) is another each time: where an answer holds such a value, the
documented one stands for it from then on, in answers and in what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import msgspec

from checkpoint.web import access
from checkpoint.web.access import ANYONE, KIOSK
from checkpoint.web.api_described import CALLS, Call
from checkpoint.web.openapi import described, examples
from checkpoint.web.routes import TABLE
from tests.desk import Desk

# Fields whose values are made anew each time.
MADE = frozenset(
    {
        "anchor", "badge", "crew", "id", "installation", "invitation", "key", "key_id", "kiosk", "link", "pass_id", "person",
        "mark", "pin", "prev", "public_key", "request", "secret", "sheet", "stamp", "token", "webhook",
    }
)  # fmt: skip
# Who calls, where several may.
_FIRST = ("coordinator", "carrier", "laboratory", "administrator")


class Played(NamedTuple):
    """One example: the call, what it was answered with, and what the document says."""

    call: Call
    answer: httpx2.Response
    documented: Any


def play(found: Desk) -> Iterator[Played]:
    """Every example there is, in the order of the table."""
    real: dict[str, str] = {}
    rules = described(TABLE)
    client = found.nobody()
    for call in CALLS:
        example = examples().get(call.key)
        if example is None:
            continue
        rule, _ = rules[call.method, call.path]
        sent = _put({key: value for key, value in example.items() if key != "answer"}, real)
        path = call.path.format(**sent.get("path", {}))
        headers = {"accept": "application/json", "accept-language": "en"} | _as(found, rule.who, real)
        body: dict[str, Any] = {"data" if call.form else "json": sent["body"]} if "body" in sent else {}
        answered = client.request(call.method, path, params=sent.get("query", {}), headers=headers, **body)
        yield Played(call, answered, example.get("answer"))
        if answered.status_code == 200 and "answer" in example:
            _learn(example["answer"], answered.json(), real)


def _as(found: Desk, who: Any, real: dict[str, str]) -> dict[str, str]:
    if ANYONE in who:
        return {}
    if KIOSK in who:
        return {"authorization": f"Bearer {real[examples()['kiosk.enrol']['answer']['key']]}"}
    role = next(role for role in _FIRST if role in who)
    office = {"laboratory": "区疾控"}.get(role, role)
    return {"authorization": f"Bearer {access.open_session(found.house, role=role, who=office, name='周敏')}"}


def _put(value: Any, real: dict[str, str]) -> Any:
    """What is sent, with the documented values that stand for real ones replaced."""
    if isinstance(value, dict):
        return {key: _put(each, real) for key, each in value.items()}
    if isinstance(value, list):
        return [_put(each, real) for each in value]
    return real.get(value, value) if isinstance(value, str) else value


def _learn(documented: Any, answered: Any, real: dict[str, str]) -> None:
    if isinstance(documented, dict) and isinstance(answered, dict):
        for key, value in documented.items():
            if key in MADE and isinstance(value, str) and isinstance(answered.get(key), str):
                real[value] = answered[key]
            else:
                _learn(value, answered.get(key), real)
    elif isinstance(documented, list) and isinstance(answered, list):
        for one, other in zip(documented, answered, strict=False):
            _learn(one, other, real)


def shape(value: Any, key: str = "") -> Any:
    """An answer as it is compared: what is made anew is only there, everything else is what it is."""
    if key in MADE and isinstance(value, str):
        return f"<{key}>" if value else ""
    if isinstance(value, dict):
        return {name: shape(each, name) for name, each in value.items()}
    if isinstance(value, list):
        found = [shape(each, key) for each in value]
        # The feed tells people in the order of their pseudonyms, which are made anew.
        return sorted(found, key=str) if key == "people" else found
    return value


def plain(answered: httpx2.Response) -> Any:
    """An answer's JSON."""
    return msgspec.json.decode(answered.content)
