"""Every call that writes, sent again because its answer was lost: one effect, seen in the whole of the database.

The calls are those of the document's examples, in their order; the line between loses the first answer to each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from checkpoint.store import Store
from checkpoint.store.tables import TABLES
from checkpoint.web.access import ANYONE, SAFE
from checkpoint.web.api_described import CALLS, Call
from checkpoint.web.idempotency import REPLAYED
from checkpoint.web.openapi import described
from checkpoint.web.routes import TABLE
from tests import examples
from tests.desk import Desk, desk

# What is written beside the effect: who came in and when, what was answered, how often somebody failed.
BESIDES = frozenset({"sessions", "kept_answers", "attempts", "audit", "settings"})
# Without a key the answer differs, and says what became of it the first time; the effect is one all the same.
SAID_ONCE = {
    "accounts.add": 409, "accounts.accept": 410, "session.end": 401, "kiosk.enrol": 403, "webhooks.remove": 404,
}  # fmt: skip
# Granted again while no phone has opened it, a pass gets a new link in the place of the one that may be lost.
RENEWED = {"pass-requests.grant": {"links"}}


def snapshot(store: Store, without: frozenset[str]) -> dict[str, list[Any]]:
    """Everything that lies in the database."""
    names = [str(table._meta.table_name) for table in TABLES]
    names += ["facts", "subjects", "heads", "gaps", "aside", "positions", "strangers"]
    return {name: sorted(store._db.rows(f"SELECT * FROM {name}"), key=repr) for name in names if name not in without}


class Line:
    """Between a program and the server: each write arrives twice, since the first answer is lost."""

    def __init__(self, client: TestClient, found: Desk, keyed: bool) -> None:
        self.client, self.found, self.keyed = client, found, keyed
        self.wrong: list[str] = []
        self.asked: list[str] = []

    @property
    def headers(self) -> Any:
        return self.client.headers

    def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        call = self._call(method, path)
        rule, _ = described(TABLE)[method, call.path]
        if method in SAFE or call.repeated == "anew":
            return self.client.request(method, path, **more)
        keyed = self.keyed and ANYONE not in rule.who
        if not keyed and call.repeated == "key":
            return self.client.request(method, path, **more)
        if keyed:
            more["headers"] = {**more["headers"], "Idempotency-Key": f'"key-{len(self.asked)}"'}
        self.asked.append(call.key)
        lost = self.client.request(method, path, **more)
        before = snapshot(self.found.store, BESIDES | RENEWED.get(call.key, set()) if not keyed else BESIDES)
        again = self.client.request(method, path, **more)
        after = snapshot(self.found.store, BESIDES | RENEWED.get(call.key, set()) if not keyed else BESIDES)
        self.wrong += [f"{call.key}: {name} changed" for name in before if before[name] != after[name]]
        if call.key == "session.end":
            keyed = False  # whoever ended their session is nobody any more, and nobody has kept answers
        if keyed and (again.content != lost.content or again.headers.get(REPLAYED) != "true"):
            self.wrong.append(f"{call.key}: another answer: {again.text}")
        if not keyed and again.status_code != SAID_ONCE.get(call.key, 200):
            self.wrong.append(f"{call.key}: {again.status_code} {again.text}")
        # What the program goes on with is what it could have known: the second answer, where that is one.
        return again if again.status_code == 200 and call.key not in RENEWED else lost

    def _call(self, method: str, path: str) -> Call:
        parts = path.split("/")

        def fits(call: Call) -> bool:
            pattern = call.path.split("/")
            same = len(pattern) == len(parts)
            return same and all(p.startswith("{") or p == q for p, q in zip(pattern, parts, strict=True))

        fitting = [call for call in CALLS if call.method == method and fits(call)]
        return min(fitting, key=lambda call: call.path.count("{"))


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found


@pytest.mark.parametrize("keyed", [True, False], ids=["under a key", "by its own numbers"])
def test_a_write_whose_answer_was_lost_has_one_effect(found: Desk, keyed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(found.nobody(), found, keyed)
    monkeypatch.setattr(found, "nobody", lambda: line)
    for call, answered, _ in examples.play(found):
        assert answered.status_code == 200, (call.key, answered.text)
    assert line.wrong == []
    writes = {call.key for call in CALLS if call.method not in SAFE and call.repeated != "anew"}
    without_example = {"kiosk.renew", "pass-requests.refuse", "positions.report-owntracks"}
    if not keyed:
        writes -= {call.key for call in CALLS if call.repeated == "key"}
    assert set(line.asked) == writes - without_example


def test_every_write_says_how_it_may_be_repeated() -> None:
    anew = [call.key for call in CALLS if call.method not in SAFE and call.repeated == "anew"]
    assert anew == ["session.open"], "opening a session twice opens two, and hurts nobody"
    by_key = {call.key for call in CALLS if call.repeated == "key"}
    assert by_key == {"kiosks.place", "passes.reissue", "webhooks.make", "webhooks.renew"}
