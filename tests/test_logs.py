"""What is logged: one line a request, by pattern and role; errors with their id; and nothing of what people sent."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from checkpoint import logs
from checkpoint.logs import Logged, log_to_stderr
from checkpoint.web.access import COORDINATOR
from tests.desk import desk
from tests.fleet import Fleet

PLATE = "浙C12345"
PROXY = "10.9.8.7"
PROXIES = (ip_network("10.9.0.0/16"),)


class Ours(RuntimeError):
    """A failure whose message speaks of the machine."""


async def _hello(request: Request) -> Response:
    def in_a_thread() -> None:
        logging.getLogger("somewhere").warning("something")

    await run_in_threadpool(in_a_thread)
    assert request.client is not None
    return PlainTextResponse(f"{request.client.host} {request.url.scheme} {request.state.request_id}")


async def _quiet(_: Request) -> Response:
    return PlainTextResponse("")


APP = Starlette(
    routes=[Route("/vehicles/{plate}", _hello), Route("/quiet", _quiet)],
    middleware=[Middleware(Logged, proxies=PROXIES, quiet=frozenset({"/quiet"}))],
)


def client(host: str = "198.51.100.1") -> TestClient:
    return TestClient(APP, client=(host, 4000))


@pytest.fixture
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged in one style (json unless the test says otherwise), in place of standard error."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    others = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "httpx2")}
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's own client
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    # pytest's own handlers go out of the way, and come back untouched.
    root.handlers[:] = []
    log_to_stderr(getattr(request, "param", "json"), plain=(Ours,))
    try:
        yield out
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        for name, kept in others.items():
            logging.getLogger(name).setLevel(kept)


def lines(said: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_request_leaves_one_line_by_pattern_and_role_and_never_its_address(said: io.StringIO) -> None:
    answer = client().get(f"/vehicles/{PLATE}?name=wang", headers={"authorization": "Bearer secret"})
    assert answer.status_code == 200
    inside, line = lines(said)
    assert (line["logger"], line["level"], line["route"], line["method"]) == (
        "checkpoint.request",
        "INFO",
        "/vehicles/{plate}",
        "GET",
    )
    assert (line["status"], line["role"], line["request_id"]) == (200, "-", answer.headers["x-request-id"])
    assert isinstance(line["ms"], float)
    assert inside["request_id"] == line["request_id"], "a line from a thread knows its request"
    assert (datetime.now(UTC) - datetime.fromisoformat(str(line["time"]))).total_seconds() < 60
    text = said.getvalue() + said.getvalue().encode().decode("unicode_escape")
    for private in (PLATE, "wang", "secret", "198.51.100.1"):
        assert private not in text


def test_what_matches_no_route_is_logged_without_what_was_asked_for(said: io.StringIO) -> None:
    client().get(f"/{PLATE}")
    assert [line["route"] for line in lines(said)] == [logs.NO_ROUTE]


def test_quiet_routes_speak_only_of_trouble(said: io.StringIO) -> None:
    client().get("/quiet")
    client().post("/quiet")
    assert [line["status"] for line in lines(said)] == [405]


@pytest.mark.parametrize("said", ["text"], indirect=True)
def test_for_people_a_line_is_readable_and_ends_with_the_id(said: io.StringIO) -> None:
    number = client().get("/vehicles/x").headers["x-request-id"]
    line = said.getvalue().splitlines()[-1]
    instant, message = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r"GET /vehicles/\{plate\} 200 [\d.]+ ms -"
    assert re.fullmatch(rf"{instant} INFO checkpoint\.request: {message} \[{number}\]", line)


@pytest.mark.parametrize("said", ["text", "json"], indirect=True)
def test_an_exception_is_told_by_type_and_place_and_its_message_only_when_it_is_ours(said: io.StringIO) -> None:
    try:
        try:
            raise ValueError(f"no such vehicle {PLATE}")
        except ValueError as error:
            raise Ours("the disk is full\nDETAIL: Key (vehicle)=(浙C12345)") from error
    except Ours:
        logging.getLogger("x").exception("it failed")
    try:
        raise FileNotFoundError(2, "No such file", "/home/wang/passes")
    except OSError:
        logging.getLogger("x").exception("and again")
    text = said.getvalue()
    assert "ValueError" in text
    assert "the disk is full" in text
    assert "No such file" in text
    assert "test_logs.py" in text
    for private in (PLATE, "\\u6d59", "DETAIL", "wang"):
        assert private not in text


# -- proxies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["0123456789abcdef", "6b0f5bbd0a4f4b1e9d5c2f6e7a8b9c0d", "6b0f5bbd-0a4f-4b1e-9d5c-2f6e7a8b9c0d"]
)
def test_a_proxys_id_of_the_request_is_kept(number: str) -> None:
    answer = client(PROXY).get("/vehicles/x", headers={"x-request-id": number})
    assert answer.headers["x-request-id"] == number
    assert answer.text.endswith(number)


@pytest.mark.parametrize(
    ("host", "number"), [("198.51.100.1", "0123456789abcdef"), (PROXY, "wang"), (PROXY, "0" * 33), (PROXY, "0123456789abcdef\tx")]
)
def test_an_id_of_a_stranger_or_in_no_proper_form_is_replaced(host: str, number: str) -> None:
    answer = client(host).get("/vehicles/x", headers={"x-request-id": number})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != number


@pytest.mark.parametrize(
    ("said_for", "asks"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what a stranger wrote before it does not count
        ("203.0.113.9, 10.9.1.1", "203.0.113.9"),  # two proxies of ours
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.9, ::ffff:10.9.1.1", "203.0.113.9"),
        ("nonsense", PROXY),
        ("", PROXY),
    ],
)
def test_a_proxy_is_believed_who_asks(said_for: str, asks: str) -> None:
    headers = {"x-forwarded-for": said_for, "x-forwarded-proto": "https"}
    assert client(PROXY).get("/vehicles/x", headers=headers).text.startswith(f"{asks} https ")


def test_a_proxy_on_a_socket_of_both_kinds_is_known_by_its_address() -> None:
    assert (
        client(f"::ffff:{PROXY}").get("/vehicles/x", headers={"x-forwarded-for": "203.0.113.9"}).text.startswith("203.0.113.9 ")
    )


def test_anybody_else_is_not() -> None:
    headers = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
    assert client().get("/vehicles/x", headers=headers).text.startswith("198.51.100.1 http ")


# -- the server itself --------------------------------------------------------------------------------------------------


def test_the_server_logs_who_called_by_role(tmp_path: Path, said: io.StringIO) -> None:
    with desk(tmp_path, told=Fleet({}, ())) as found:
        found.signed_in(COORDINATOR).get("/stations")
        found.nobody().get("/stations")
    told = [(line["route"], line["status"], line["role"]) for line in lines(said) if line["logger"] == "checkpoint.request"]
    assert told == [("/stations", 200, COORDINATOR), ("/stations", 303, "-")]
