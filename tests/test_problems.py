"""Every refusal to a program is a problem document: its kind an address that explains it, its words in the asker's language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.store import StorageBusy, StorageFailed, StorageFull
from checkpoint.web import access
from checkpoint.web.app import create_app
from checkpoint.web.problem_pages import KINDS
from tests.ground import Still, store_in

SITE = "https://loop.example"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    clock = Still()
    store = store_in(tmp_path_factory.mktemp("problems"), clock)
    app = create_app(store, clock, public_url=SITE)
    with TestClient(app, base_url=SITE, raise_server_exceptions=False) as client:
        token = access.open_session(app.state.house, role="coordinator", who="coordinator", name="测试")
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["Accept"] = "application/json"
        yield client
    store.close()


REFUSALS: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
    ("GET", "/api/v1/nowhere", {}, 404, "not-found"),
    ("GET", "/api/v2/facts", {}, 404, "not-found"),
    ("PATCH", "/api/v1/vehicles", {}, 405, "method"),
    ("GET", "/api/v1/facts", {}, 405, "method"),
    ("OPTIONS", "/api/v1/loops", {}, 405, "method"),
    ("POST", "/api/v1/pass-requests", {"json": {"carrier": 5}}, 400, "malformed"),
    ("POST", "/api/v1/pass-requests", {"data": {"carrier": "x"}}, 415, "not-json-type"),
    ("POST", "/api/v1/pass-requests", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "not-json-type"),
    (
        "POST",
        "/api/v1/pass-requests",
        {"content": b"{}", "headers": {"Content-Type": "application/json; charset=gb18030"}},
        415,
        "not-json-type",
    ),
    ("POST", "/api/v1/loops", {"content": b"{}", "headers": {"Content-Type": "application/xml"}}, 415, "not-json-type"),
    ("POST", "/api/v1/staff", {"content": b"x" * 70_000}, 413, "too-large"),
    ("POST", "/api/v1/staff", {"json": {"name": "", "pin": "1"}}, 422, "malformed"),
    ("POST", "/api/v1/facts", {"json": {}}, 403, "not-yours"),
    ("POST", "/api/v1/facts", {"json": {}, "headers": {"Authorization": "Bearer x"}}, 401, "sign-in"),
)


@pytest.mark.parametrize(("method", "path", "more", "status", "kind"), REFUSALS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_refusal_is_a_problem_document(
    client: TestClient, method: str, path: str, more: dict[str, Any], status: int, kind: str, lang: str
) -> None:
    headers = {"Accept-Language": lang} | more.get("headers", {})
    answered = client.request(method, path, **(more | {"headers": headers}))
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.headers["content-language"] == lang
    said = answered.json()
    assert (said["type"], said["status"]) == (f"{SITE}/problems/{kind}", status)
    assert said["title"]
    assert said["detail"]
    assert said["instance"].startswith("urn:request:")
    for wrong in said.get("errors", ()):
        assert wrong["path"].startswith("$")


def test_each_kind_of_problem_has_a_page_that_says_what_to_do(client: TestClient) -> None:
    assert {kind for *_, kind in REFUSALS} <= set(KINDS)
    for kind in KINDS:
        for lang in ("zh", "en"):
            page = client.get(f"/problems/{kind}?lang={lang}", headers={"Accept": "text/html"})
            assert page.status_code == 200, kind
            assert "%(" not in page.text
    assert all(f'href="/problems/{kind}"' in client.get("/problems").text for kind in KINDS)
    assert client.get("/problems/nothing-of-the-kind").status_code == 404


def test_a_method_that_is_not_there_names_all_that_are(client: TestClient) -> None:
    assert client.patch("/api/v1/vehicles").headers["allow"] == "GET, HEAD"
    assert client.delete("/api/v1/positions/osmand").headers["allow"] == "GET, HEAD, POST"
    two_rows = client.delete("/passes/new")
    assert two_rows.headers["allow"] == "GET, HEAD, POST"


def test_a_body_that_does_not_say_what_it_is_is_taken_for_json(client: TestClient) -> None:
    assert client.post("/api/v1/staff", content=b'{"name":"x","pin":"1357"}').status_code == 200


def test_an_accept_header_costs_nobody_an_answer(client: TestClient) -> None:
    answered = client.get("/api/v1/vehicles", headers={"Accept": "application/xml"})
    assert (answered.status_code, answered.headers["content-type"]) == (200, "application/json")


def test_too_many_tries_say_when_to_come_back(tmp_path: Path) -> None:
    clock = Still()
    store = store_in(tmp_path, clock)
    with TestClient(create_app(store, clock)) as client:
        for _ in range(6):
            refused = client.post("/api/v1/session", json={"account": "laboratory", "passphrase": "wrong"})
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "2"
        assert refused.json()["type"].endswith("/problems/too-many")
    store.close()


@pytest.mark.parametrize(
    ("raised", "status", "kind"),
    [
        (RuntimeError("ours"), 500, "ours"),
        (StorageFailed("the disk"), 503, "storage-failed"),
        (StorageBusy("held"), 503, "storage-busy"),
        (StorageFull("no room"), 507, "no-room"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_fails_on_our_side_is_a_problem_document_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, kind: str, method: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise raised

    store = client.app.state.house.store  # type: ignore[attr-defined]
    monkeypatch.setattr(type(store), "facts_of_kind_after", failing)
    monkeypatch.setattr(type(store.registry), "add_kiosk", failing)
    path, body = ("/passes", None) if method == "GET" else ("/kiosks", {"station": "panqiao"})
    answered = client.request(method, f"/api/v1{path}", json=body)
    assert (answered.status_code, answered.headers["content-type"]) == (status, "application/problem+json")
    said = answered.json()
    assert (said["type"], said["status"]) == (f"{SITE}/problems/{kind}", status)
    assert said["instance"].startswith("urn:request:")
    assert ("retry-after" in answered.headers) == (status != 500)
