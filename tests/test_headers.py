"""What every answer carries: each row of the table and each way to go wrong, graded as a well-known grader would."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from starlette.testclient import TestClient

from checkpoint.headers import HEADERS
from checkpoint.web import access
from checkpoint.web.access import ANYONE, COORDINATOR, KIOSK, SAFE
from checkpoint.web.edge import name_of
from checkpoint.web.routes import TABLE
from tests.desk import HTML, Desk, desk
from tests.observatory import FULL_MARKS, WITHOUT_COOKIES, score
from tests.test_access import client_as, filled

PUBLIC = "https://loop.example"
# What may be kept by a browser or a proxy: files that are the same for everybody.
KEPT = ("/static/", "/driver/sw.js", "/driver/manifest.webmanifest", "/api/v1/openapi.json")
WRITING = [(rule, method) for rule in TABLE for method in rule.methods if method not in SAFE]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server as people reach it by https."""
    with desk(tmp_path_factory.mktemp("headers"), public_url=PUBLIC) as found:
        found.house.hub.close()  # so that streams end by themselves
        yield found


def browser(found: Desk, role: str = "") -> TestClient:
    client = TestClient(found.app, base_url=PUBLIC, headers=HTML, follow_redirects=False)
    if role:
        token = access.open_session(found.house, role=role, who=role, name="周敏")
        client.cookies.set(access.cookie_name(found.house, role), token, domain="loop.example")
    return client


def graded(answer: httpx2.Response, path: str) -> None:
    """Full marks, and all that no grader asks for."""
    headers = answer.headers
    points, marks = score(headers.multi_items())
    assert points == (FULL_MARKS if "set-cookie" in headers else WITHOUT_COOKIES), (path, answer.status_code, marks)
    for name in HEADERS:
        assert len(headers.get_list(name)) == 1, (path, name)
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert "camera=(self)" in headers["permissions-policy"]
    assert "microphone=()" in headers["permissions-policy"]
    assert "server" not in headers
    assert "x-powered-by" not in headers
    assert headers["x-request-id"]
    kept = answer.status_code in (200, 304) and path.startswith(KEPT)
    if path.startswith("/api/") and "etag" in headers and not kept:
        # A program that asks again with the tag of what it has: no proxy keeps it, and no page shows it.
        assert headers["cache-control"] == "private, no-cache", path
    else:
        assert (headers["cache-control"] == "no-store") is not kept, (path, headers["cache-control"])


@pytest.mark.parametrize("role", [*sorted({role for rule in TABLE for role in rule.who} - {KIOSK})])
def test_every_row_of_the_table_has_full_marks_for_whoever_asks(found: Desk, role: str) -> None:
    client = browser(found, "" if role == ANYONE else role)
    for rule in sorted(TABLE, key=lambda rule: rule.path == "/sign-out"):  # what ends the session comes last
        for method in rule.methods:
            graded(client.request(method, filled(rule.path)), rule.path)


def test_what_a_kiosk_is_told_has_them_too(found: Desk) -> None:
    client = client_as(found, KIOSK)
    for rule in TABLE:
        for method in rule.methods:
            graded(client.request(method, PUBLIC + filled(rule.path)), rule.path)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/static/nowhere.css", 404),
        ("GET", "/static/tokens.css", 200),
        ("DELETE", "/sign-in", 405),
        ("OPTIONS", "/", 405),
        ("GET", "/", 303),
        ("GET", "/sign-in?lang=zh", 200),
        ("GET", "/events", 303),
        ("GET", "/api/v1/feed", 401),
    ],
)
def test_so_has_every_way_to_go_wrong_and_every_detour(found: Desk, method: str, path: str, status: int) -> None:
    for accept in ("text/html", "application/json"):
        answer = browser(found).request(method, path, headers={"accept": accept})
        if status != 303 or accept == "text/html":
            assert answer.status_code == status, path
        graded(answer, path)


def test_streams_repeated_files_large_bodies_and_mistakes_of_ours_have_them(found: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browser(found, COORDINATOR)
    stream = client.get("/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    graded(stream, "/events")
    tag = client.get("/static/tokens.css").headers["etag"]
    again = client.get("/static/tokens.css", headers={"if-none-match": tag})
    assert again.status_code == 304
    graded(again, "/static/tokens.css")
    large = client.post("/stations/staff", content=b"x" * 70_000)
    assert large.status_code == 413
    graded(large, "/stations/staff")

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(found.store), "aside", broken)
    ours = client.get("/aside")
    assert ours.status_code == 500
    graded(ours, "/aside")


def test_only_by_https_is_https_insisted_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    with desk(tmp_path_factory.mktemp("plain")) as plain:
        assert "strict-transport-security" not in plain.nobody().get("/sign-in").headers


@pytest.mark.parametrize(
    ("change", "value", "points"),
    [
        ("content-security-policy", "default-src 'self'", 120),
        ("content-security-policy", "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'", 80),
        ("strict-transport-security", "max-age=600", 120),
        ("set-cookie", "lang=zh; Secure; SameSite=lax", 70),
        ("referrer-policy", "unsafe-url", 120),
        ("cross-origin-resource-policy", "", 115),
    ],
)
def test_the_grader_takes_points_for_what_is_wrong(found: Desk, change: str, value: str, points: int) -> None:
    """So that full marks mean something: each of these is noticed."""
    headers = [(n, v) for n, v in browser(found).get("/sign-in").headers.multi_items() if n != change] + [(change, value)]
    assert score(headers)[0] == points


# -- who else may make a browser write ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://loop.example:8443"},
        {"origin": "https://loop.example.evil.example"},
    ],
)
def test_no_row_that_writes_takes_what_another_site_set_off(found: Desk, headers: dict[str, str]) -> None:
    asked = 0
    for rule, method in WRITING:
        for role in sorted({*rule.who} - {KIOSK}):
            client = browser(found, "" if role == ANYONE else role)
            answer = client.request(method, filled(rule.path), headers={**headers, "accept": "application/json"})
            assert answer.status_code == 403, (method, rule.path, role)
            assert answer.json()["type"] == f"{PUBLIC}/problems/other-site", (method, rule.path, role)
            asked += 1
    assert asked > 20


# -- by which names we may be called --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("loop.example", "loop.example"),
        ("LOOP.example:8443", "loop.example"),
        ("loop.example.", "loop.example"),
        ("[::1]:8000", "::1"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("loop.example@evil.example", ""),
        ("evil.example/loop.example", ""),
        ("evil.example?loop.example", ""),
        ("loop.example:port", ""),
        ("loop.example:99999", ""),
        ("", ""),
        ("[::1", ""),
    ],
)
def test_a_name_is_read_out_of_a_host_header_or_it_is_none(host: str, name: str) -> None:
    assert name_of(host) == name


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server that knows its names."""
    with desk(tmp_path_factory.mktemp("called"), public_url=PUBLIC, hosts=frozenset({"loop.example", "localhost"})) as found:
        yield found


@pytest.mark.parametrize("host", ["loop.example", "loop.example:443", "localhost:8000", "192.0.2.7:8000"])
def test_its_own_names_and_the_address_it_was_reached_at_are_taken(called: Desk, host: str) -> None:
    client = TestClient(called.app, base_url="https://192.0.2.7", follow_redirects=False)
    assert client.get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "192.0.2.8", "", "loop.example.evil.example", "evil.example@loop.example"])
def test_any_other_name_is_refused_wherever_it_asks_and_told_what_to_do(called: Desk, host: str) -> None:
    client = TestClient(called.app, base_url="https://192.0.2.7", follow_redirects=False)
    for path in ("/", "/livez", "/static/tokens.css", "/nowhere"):
        answer = client.get(path, headers={"host": host, "accept-language": "en"})
        assert answer.status_code == 421
        assert "CHECKPOINT_HOSTS" in answer.json()["detail"]
        graded(answer, "")
