"""The kiosk's page as a program sees it: who is let in, what is answered to wrong input, and the start from a terminal."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from checkpoint.headers import HSTS
from checkpoint.version import VERSION
from kiosk.app import create_app
from kiosk.scanner import MAX_BYTES
from kiosk.station import open_kiosk
from tests.ground import Still
from tests.observatory import FULL_MARKS, WITHOUT_COOKIES, score
from tests.station import PIN, Ground, ground, jpeg, picture

ROOT = Path(__file__).parent.parent


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        yield found


@pytest.fixture
def page(g: Ground) -> Iterator[TestClient]:
    with TestClient(create_app(g.kiosk, start_link=False), base_url="http://localhost:8100") as found:
        yield found


def test_every_answer_of_the_page_has_what_a_grader_asks_for(
    page: TestClient, g: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for https for ever: this page is the machine's own, and `localhost` is everybody's."""
    asked = [page.get("/?lang=en", follow_redirects=False), page.post("/do", content=b"{"), page.delete("/do")]
    asked += [page.get(path) for path in ("/", "/screen", "/livez", "/nowhere", "/static/tokens.css", "/static/kiosk/kiosk.css")]
    asked.append(page.get("/", headers={"host": "evil.example"}))

    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(g.kiosk.desk, "screen", broken)
    asked.append(page.get("/screen"))
    assert {answer.status_code for answer in asked} == {200, 303, 400, 403, 404, 405, 500}
    for answer in asked:
        headers = [*answer.headers.multi_items(), ("Strict-Transport-Security", HSTS)]
        headers = [(name, f"{value}; Secure" if name == "set-cookie" else value) for name, value in headers]
        points, marks = score(headers)
        assert points == (FULL_MARKS if "set-cookie" in answer.headers else WITHOUT_COOKIES), (answer.url, marks)
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8100", "127.0.0.1:8100", "[::1]:8100", "LOCALHOST"])
def test_this_machine_is_let_in_by_its_own_names(page: TestClient, host: str) -> None:
    assert page.get("/livez", headers={"Host": host}).json() == {"ok": True, "program": VERSION}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8100", "192.168.1.4:8100", "[", ""])
def test_a_name_that_is_not_this_machines_is_refused(page: TestClient, host: str) -> None:
    assert page.get("/screen", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8100", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_only_our_own_page_may_change_anything(page: TestClient, headers: dict[str, str], status: int) -> None:
    assert page.post("/clear", headers=headers).status_code == status


def test_every_answer_forbids_what_no_page_of_ours_needs(page: TestClient) -> None:
    for path in ("/", "/screen", "/static/kiosk/kiosk.js", "/nowhere"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "camera=(self)" in headers["permissions-policy"]


def test_the_page_asks_nothing_of_another_origin_and_holds_no_inline_code(page: TestClient) -> None:
    text = page.get("/").text
    assert "<script>" not in text
    assert " style=" not in text
    assert " onclick" not in text
    links = [part.split('"')[0] for mark in ('src="', 'href="') for part in text.split(mark)[1:]]
    assert links
    assert all(link.startswith(("/", "?", "#")) for link in links)


def test_a_frame_becomes_a_verdict(g: Ground, page: TestClient) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    told = page.post("/scan/frame", content=jpeg(picture(g.live(number)))).json()
    assert (told["state"], told["word"], told["sounded"]) == ("verdict", "GO", 1)
    assert number in told["screen"]
    again = page.get(f"/screen?known={told['known']}").json()
    assert "screen" not in again, "what is on the page already is not sent again"
    assert page.post("/scan/frame", content=jpeg(Image.new("L", (640, 480), 90))).status_code == 204


def test_a_photograph_becomes_a_verdict_or_a_sentence(g: Ground, page: TestClient) -> None:
    number = g.pass_()
    g.pull()
    told = page.post("/scan/photo", content=jpeg(picture(g.sheet(number), box=12, side=1600))).json()
    assert told["word"] == "HOLD"
    for data, status in (
        (b"nonsense", 422),
        (b"", 422),
        (jpeg(Image.new("L", (300, 300), 90)), 422),
        (b"\x00" * (MAX_BYTES + 1), 413),
    ):
        answer = page.post("/scan/photo", content=data)
        assert answer.status_code == status
        assert answer.json()["refused"]


def test_a_tube_is_read_from_the_camera_while_one_is_asked_for(page: TestClient) -> None:
    from tests.test_scanner import code128

    answer = page.post("/scan/frame?for=tube", content=jpeg(code128("TB20260503017")))
    assert answer.json() == {"tube": "TB20260503017"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"do":"Explode"}',
        b'{"do":"Measure","person":"p"}',
        b'{"do":"Enter","extra":1}',
        b'{"do":' + b"[" * 30_000,
        b'{"do":"Measure","person":"p","celsius":1e999}',
    ],
)
def test_a_deed_nobody_knows_is_refused_by_name(page: TestClient, body: bytes) -> None:
    answer = page.post("/do", content=body)
    assert answer.status_code == 400
    assert answer.json()["refused"]


def test_five_megabytes_of_json_are_refused_without_being_read(page: TestClient) -> None:
    assert page.post("/do", content=b'{"do":"' + b"A" * 5_000_000 + b'"}').status_code == 413


def test_signing_on_and_acting(g: Ground, page: TestClient) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    page.post("/scan/text", json={"text": g.live(number)})
    assert page.post("/do", json={"do": "Enter"}).json()["done"] is False
    assert page.post("/sign-on", json={"staff": g.staff, "pin": "9999"}).json()["done"] is False
    assert page.post("/sign-on", json={"staff": g.staff, "pin": PIN}).json()["done"] is True
    assert page.post("/do", json={"do": "Enter"}).json()["done"] is True
    assert page.post("/sign-off").status_code == 200
    assert g.kiosk.desk.screen().signed_on is None


def test_both_languages_are_spoken_everywhere(g: Ground, page: TestClient) -> None:
    assert "请扫描通行证" in page.get("/", headers={"Accept-Language": "fr"}).text
    assert "Scan a pass" in page.get("/", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    answer = page.get("/?lang=en", follow_redirects=False)
    assert answer.status_code == 303
    assert "Scan a pass" in page.get("/").text
    assert "Scan a pass" in page.get("/screen").json()["screen"]


def test_a_kiosk_nobody_enrolled_asks_for_a_token(tmp_path: Path) -> None:
    kiosk = open_kiosk(tmp_path, Still(), transport=httpx.MockTransport(lambda request: httpx.Response(403)))
    with TestClient(
        create_app(kiosk, server="http://server.example:8000", start_link=False), base_url="http://localhost"
    ) as page:
        text = page.get("/").text
        assert 'id="enrol"' in text
        assert "http://server.example:8000" in text
        answer = page.post("/enrol", json={"token": "used", "server": "http://server.example:8000"})
        assert answer.status_code == 422
        assert answer.json()["refused"]
        page.post("/scan/text", json={"text": "anything"})
        page.post("/do", json={"do": "Enter"})
        assert kiosk.outbox.depth().waiting == 0
    kiosk.close()


# -- in a terminal -------------------------------------------------------------------------------------------------------


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "kiosk", "--data", str(folder / "kiosk"), *words]


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = subprocess.run(
            command(tmp_path, "--port", str(port)), capture_output=True, text=True, timeout=30, cwd=ROOT, check=False
        )
    assert ran.returncode == 1
    assert str(port) in ran.stderr
    assert "CHECKPOINT_KIOSK_PORT" in ran.stderr
    assert not (tmp_path / "kiosk").exists(), "nothing was begun"


def test_the_program_starts_answers_and_ends_cleanly(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ran = subprocess.Popen(
        command(tmp_path, "--port", str(port)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        deadline = time.monotonic() + 20
        alive = False
        while not alive and time.monotonic() < deadline:
            try:
                alive = httpx.get(f"http://localhost:{port}/livez", timeout=1).is_success
            except httpx.HTTPError:
                time.sleep(0.1)
        assert alive
        ran.send_signal(signal.SIGINT)
        out, errors = ran.communicate(timeout=15)
    finally:
        ran.kill()
    assert ran.returncode == 0
    assert f"http://localhost:{port}" in out
    assert all(" INFO uvicorn.error: " in line for line in errors.splitlines()), errors


def test_enrolling_from_a_terminal_says_what_is_wrong(tmp_path: Path) -> None:
    ran = subprocess.run(
        command(tmp_path, "enrol", "token", "--server", "http://127.0.0.1:1"),
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.strip()
    assert "Traceback" not in ran.stderr


def test_a_missing_library_is_said_on_the_page(g: Ground) -> None:
    from dataclasses import replace

    from kiosk.scanner import NoReader

    blind = replace(g.kiosk, no_reader=NoReader("missing"))
    with TestClient(create_app(blind, start_link=False), base_url="http://localhost") as page:
        assert "libzbar0" in page.get("/").text
        answer = page.post("/scan/frame", content=io.BytesIO(b"x").read())
        assert answer.status_code == 503
        assert "libzbar0" in answer.json()["refused"]
