"""The programs under scripts/examples do what they say, each as a process of its own against a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from checkpoint.core.facts import Loaded
from tests.ground import document
from tests.server import PASSWORD, Served, clean_environment, free_port, served
from tests.witness import FakeKiosk

EXAMPLES = Path(__file__).parent.parent / "scripts" / "examples"
OURS, PLATE = "瓯海冷链", "浙C12345"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("examples"), webhooks="any") as found:
        with signed_in(found, "coordinator") as desk:
            assert desk.post("/api/v1/loops", json=document()).status_code == 200
            driven(desk)
        yield found


def signed_in(server: Served, account: str) -> httpx.Client:
    """A session of one of the demonstration's accounts."""
    asked = {"account": account, "passphrase": PASSWORD}
    token = httpx.post(f"{server.address}/api/v1/session", json=asked).raise_for_status().json()["token"]
    return httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {token}"})


def wish(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "carrier": OURS,
        "vehicle": PLATE,
        "crew": [{"name": "张三"}],
        "loop": document()["id"],
        "not_before": now.isoformat(),
        "expires": (now + timedelta(days=2)).isoformat(),
    } | changes


def driven(desk: httpx.Client) -> None:
    """The truck was loaded under an earlier pass: it has a journey."""
    request = desk.post("/api/v1/pass-requests", json=wish(expires=(datetime.now(UTC) + timedelta(days=1)).isoformat())).json()
    given = desk.post(f"/api/v1/pass-requests/{request['request']}/grant").json()
    token = desk.post("/api/v1/kiosks", json={"station": "panqiao"}).json()["token"]
    kiosk = FakeKiosk(station="panqiao")
    asked = {"token": token, "public_key": kiosk.public_key.hex()}
    enrolled = httpx.post(f"{desk.base_url}/api/v1/enrol", json=asked).raise_for_status().json()
    kiosk.id = enrolled["kiosk"]
    loaded = Loaded(vehicle=PLATE, pass_id=given["pass_id"], parcels_count=40, seal="S1")
    body = kiosk.body(kiosk.tell("loaded", datetime.now(UTC), loaded, station="panqiao"))
    taken = httpx.post(f"{desk.base_url}/api/v1/facts", content=body, headers={"Authorization": f"Bearer {enrolled['key']}"})
    assert taken.json()["held"] == ["loaded"], taken.text


def token_for(server: Served, role: str, office: str) -> str:
    """A token that an administrator makes on the page, for a program of an office."""
    with signed_in(server, "administrator") as desk:
        form = {"name": "example", "role": role, "office": office, "scope": "write", "days": "30"}
        led = desk.post("/tokens", data=form)
        assert led.status_code == 303, led.text
        shown = desk.get(led.headers["location"]).text
    found = re.search(r'value="(checkpoint_[\w-]+)"', shown)
    assert found is not None
    return found.group(1)


def running(script: str, token: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CHECKPOINT_")} | {"TOKEN": token}
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / script), *arguments],
        env=environment | clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(said: str) -> list[Any]:
    return [json.loads(line) for line in said.splitlines()]


def test_a_carriers_program_asks_hears_and_reads(server: Served, tmp_path: Path) -> None:
    (tmp_path / "wish.json").write_text(json.dumps(wish()), encoding="utf-8")
    port = free_port()
    program = running(
        "carrier.py", token_for(server, "carrier", OURS), server.address, str(tmp_path / "wish.json"),
        f"http://127.0.0.1:{port}/", str(port),
    )  # fmt: skip
    try:
        assert program.stdout is not None
        asked = json.loads(program.stdout.readline())["asked"]
        with signed_in(server, "coordinator") as desk:
            granted = desk.post(f"/api/v1/pass-requests/{asked}/grant").raise_for_status().json()
            loaded = {"pass_id": granted["pass_id"]}
        out, err = program.communicate(timeout=90)
    finally:
        program.kill()
        program.wait()
    assert (program.returncode, err) == (0, "")
    said = lines(out)
    assert said[0] == {"heard": "pass.granted"}
    assert said[1] == {"state": "granted", **loaded}
    assert [(each["state"], each["leg"]) for each in said[2:]] == [("open", "outbound")]


def test_a_carriers_program_says_why_it_is_refused(server: Served, tmp_path: Path) -> None:
    (tmp_path / "wish.json").write_text(json.dumps({"carrier": OURS}), encoding="utf-8")
    port = free_port()
    program = running(
        "carrier.py", token_for(server, "carrier", OURS), server.address, str(tmp_path / "wish.json"),
        f"http://127.0.0.1:{port}/", str(port),
    )  # fmt: skip
    _, err = program.communicate(timeout=90)
    assert program.returncode == 1
    assert json.loads(err)["errors"][0]["path"] == "$"


def test_a_laboratorys_program_hands_in_and_reads_what_became_of_each(server: Served, tmp_path: Path) -> None:
    good = {"accession": "A-1", "test": "pcr", "result": "negative", "tube": "T1", "reported_at": datetime.now(UTC).isoformat()}
    results = [good, good, good | {"accession": "A-2", "result": "blue"}, good | {"accession": "A-3", "tube": "T3"}]
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    token = token_for(server, "laboratory", "区疾控")
    for states in (["held", "repeated", "aside", "held"], ["repeated", "repeated", "aside", "repeated"]):
        program = running("laboratory.py", token, server.address, str(tmp_path / "results.json"))
        out, err = program.communicate(timeout=90)
        assert (program.returncode, err) == (0, "")
        *taken, held, aside = lines(out)
        assert [each["state"] for each in taken] == states
        assert taken[2] == {"accession": "A-2", "state": "aside", "why": "malformed"}
        assert held == {"held": ["A-1", "A-3"]}
        assert aside == {"aside": ["A-2"]}
