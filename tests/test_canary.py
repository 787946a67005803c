"""Unmistakable names, numbers and phones go through the whole system, and are looked for wherever they do not belong.

Real processes: a server, a kiosk at a station, the shell. Where personal words may stand, and nowhere else: encrypted in the
registry; on pages and in answers for those who may read them; and in what people wrote themselves (`WORDS`), which is part of
the record. Plates are the vehicles' names: they stand in facts and in addresses, and not in logs or counters.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import httpx
import pytest

from checkpoint.config import utc_now
from tests.fleet import DOCUMENT
from tests.server import PASSWORD, Served, clean_environment, free_port, served

NAME, MATE, STAFF, OFFICER = "金丝雀CanaryDriver", "金丝雀CanaryMate", "金丝雀CanaryStaff", "金丝雀CanaryOfficer"
PHONE, PLATE, CARRIER = "13798765431", "浙C98T76", "金丝雀车队"
# What a driver writes in free text stands in the record as it was written.
WORDS = "金丝雀CanaryWords"
PATIENT = "金丝雀CanaryPatient"


def _id_number(body: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


NUMBER, MATE_NUMBER = _id_number("33030419881107431"), _id_number("33030419900203857")
JSON = {"Content-Type": "application/json"}
PERSONAL = (NAME, MATE, STAFF, OFFICER, PHONE, NUMBER, MATE_NUMBER, PATIENT)


@dataclass
class Seen:
    """Everything that came out of the system, by where it was found."""

    data: Path
    kiosk: Path
    addresses: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    metrics: str = ""
    pages: str = ""
    shell: str = ""
    backup: Path = Path()


class Asking:
    """A client whose every address and every refusal is kept."""

    def __init__(self, client: httpx.Client, seen: Seen, token: str = "") -> None:
        self._client, self._seen = client, seen
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = self._headers | more.pop("headers", {})
        got = self._client.request(method, path, headers=headers, **more)
        self._seen.addresses |= {str(got.request.url), got.headers.get("location", "")}
        self._seen.addresses |= set(re.findall(r'(?:href|action|src)="([^"]*)"', got.text))
        if got.is_error:
            self._seen.problems.append(got.text)
        else:
            self._seen.pages += got.text
        return got

    def post(self, path: str, body: Any) -> Any:
        got = self.ask("POST", path, content=json.dumps(body), headers=JSON)
        assert got.is_success, (path, got.text)
        return got.json()


@contextmanager
def _kiosk(folder: Path, server: Served, token: str) -> Iterator[httpx.Client]:
    port = free_port()
    environment = clean_environment() | {
        "CHECKPOINT_SERVER_URL": server.address,
        "CHECKPOINT_KIOSK_DATA": str(folder),
        "CHECKPOINT_KIOSK_PORT": str(port),
    }
    folder.mkdir(parents=True)
    program = [sys.executable, "-m", "kiosk"]
    with (folder / "kiosk.log").open("wb") as log:
        subprocess.run([*program, "enrol", token], env=environment, stdout=log, stderr=log, check=True, timeout=60)
        process = subprocess.Popen(program, env=environment, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                _until(lambda: client.get("/livez").is_success)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _until(true: Any, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("canary")
    found = Seen(folder / "data", folder / "kiosk")
    with served(found.data) as server, httpx.Client(base_url=server.address, timeout=20) as client:
        _played(found, server, client)
        found.backup = _backed_up(found, server, folder)
    return found


def _played(seen: Seen, server: Served, client: httpx.Client) -> None:
    def office(account: str, passphrase: str = PASSWORD) -> Asking:
        asked = Asking(client, seen).post("/api/v1/session", {"account": account, "passphrase": passphrase})
        return Asking(client, seen, asked["token"])

    administrator = office("administrator")
    secret = "nine grey herons at dusk"
    for account, name, role, of in (
        ("officer", OFFICER, "coordinator", ""),
        ("fleet", "周敏", "carrier", CARRIER),
        ("lab", "吴倩", "laboratory", "lab-1"),
    ):
        made = administrator.post("/api/v1/accounts", {"account": account, "name": name, "role": role, "office": of})
        Asking(client, seen).post("/api/v1/invitations", {"invitation": made["invitation"], "passphrase": secret})
    coordinator, carrier, laboratory = office("officer", secret), office("fleet", secret), office("lab", secret)
    assert coordinator.ask("POST", "/api/v1/loops", content=DOCUMENT.encode(), headers=JSON).is_success
    staff = coordinator.post("/api/v1/staff", {"name": STAFF, "pin": "2580"})["id"]
    crew = [
        {"name": NAME, "id_number": NUMBER, "phone": PHONE},
        {"name": MATE, "id_number": MATE_NUMBER},
    ]
    wish = {
        "carrier": CARRIER, "vehicle": PLATE, "crew": crew, "loop": "ouhai-jiading",
        "not_before": utc_now().isoformat(), "expires": (utc_now() + timedelta(days=9)).isoformat(),
    }  # fmt: skip
    _refused(carrier, wish)
    request = carrier.ask(
        "POST", "/api/v1/pass-requests", content=json.dumps(wish),
        headers=JSON | {"Idempotency-Key": "canary-1"},
    ).json()["request"]  # fmt: skip
    granted = coordinator.post(f"/api/v1/pass-requests/{request}/grant", {})
    _driven(seen, server, granted["link"])
    token = coordinator.post("/api/v1/kiosks", {"station": "ouhai-sampling"})["token"]
    tube = "T-CANARY-1"
    with _kiosk(seen.kiosk, server, token) as page:
        kiosk = Asking(page, seen)
        _until(lambda: NAME in page.post("/scan/text", content=json.dumps({"text": granted["sheet"]})).text)
        person = re.findall(
            r"p-[0-9a-f]{15}", kiosk.ask("POST", "/scan/text", content=json.dumps({"text": granted["sheet"]})).text
        )[0]
        for path, body in (
            ("/sign-on", {"staff": staff, "pin": "2580"}),
            ("/do", {"do": "Enter"}),
            ("/do", {"do": "Measure", "person": person, "celsius": 38.4}),
            ("/do", {"do": "SwabPcr", "person": person, "tube": tube}),
            ("/do", {"do": "Compare", "plate": PLATE, "names_agree": True}),
            ("/do", {"do": "Measure", "person": NAME, "celsius": 38.4}),
            ("/do", {"do": NAME}),
            ("/scan/text", {"text": f"{NAME} {NUMBER}"}),
            ("/scan/number", {"text": PHONE}),
            ("/sign-on", {"staff": STAFF, "pin": NUMBER}),
        ):
            kiosk.ask("POST", path, content=json.dumps(body))
        kiosk.ask("POST", "/do", content=f"{{broken {NAME}")
        _until(lambda: PLATE in coordinator.ask("GET", "/api/v1/vehicles").text)
        _until(lambda: _told(seen.data, "SwabTaken") and _told(seen.data, "PassCompared"))
    # A laboratory's program sends more than it was asked for, and then something that cannot be read.
    result = {"accession": "A-1", "test": "pcr", "result": "positive", "reported_at": utc_now().isoformat(), "tube": tube}
    laboratory.ask("POST", "/api/v1/lab/results", json={"results": [result | {"patient": PATIENT, "phone": PHONE}]})
    laboratory.ask("POST", "/api/v1/lab/results", json={"results": [{"accession": "A-2", "patient": PATIENT, "result": NAME}]})
    laboratory.ask("POST", "/api/v1/lab/results", content=f"{{not json {PATIENT}", headers=JSON)
    client.get("/api/v1/positions/osmand", params={"id": "unknown", "lat": NAME, "lon": "1", "timestamp": "1"})
    _until(lambda: _told(seen.data, "WarningRaised"))
    seen.metrics = client.get("/metrics").text
    _shell(seen, server)


def _refused(carrier: Asking, wish: dict[str, Any]) -> None:
    """Requests that are wrong about the people in them; every refusal is kept."""
    one = dict(wish["crew"][0])
    for wrong in (
        [one | {"id_number": NUMBER[:-1] + ("1" if NUMBER[-1] != "1" else "2")}],
        [one | {"id_number": NAME}],
        [one | {"phone": NAME + PHONE}],
        [one | {"name": NAME * 40}],
        [one | {"name": f"{NAME}\x00"}],
        [one | {"name": 5, "phone": NUMBER}],
        [one, one],
        NAME,
    ):
        carrier.ask(
            "POST",
            "/api/v1/pass-requests",
            content=json.dumps(wish | {"crew": wrong}),
            headers=JSON,
        )
    for body in (f"{{broken {NAME} {NUMBER}", json.dumps({"crew": NAME}), json.dumps([NAME])):
        carrier.ask("POST", "/api/v1/pass-requests", content=body, headers=JSON)


def _driven(seen: Seen, server: Served, link: str) -> None:
    """The driver's phone: the link, the page, a word back, positions of which one is no position."""
    with httpx.Client(base_url=server.address, timeout=20, headers={"accept": "text/html"}, follow_redirects=True) as client:
        phone = Asking(client, seen)
        path = link.removeprefix(server.address)
        phone.ask("GET", path)
        phone.ask("POST", path)
        for page in ("/driver", "/driver/card", "/driver/sheet", "/driver/reads"):
            assert phone.ask("GET", page).is_success, page
        phone.ask("POST", "/driver/help", data={"words": f"{WORDS} flat tyre", "key": "1"})
        phone.ask("POST", "/driver/contest", data={"words": f"{WORDS} not so", "target": "verdict:HOLD", "key": "2"})
        phone.ask("POST", "/driver/positions", json={"fixes": [{"fixed_at": NAME, "lat": 28.0, "lon": 120.6}]})


def _told(data: Path, kind: str) -> bool:
    """Whether the server holds a fact of a kind."""
    database = apsw.Connection(str(data / "checkpoint.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = list(database.execute("SELECT 1 FROM facts WHERE kind = ?", (kind,)))
    database.close()
    return bool(found)


def _shell(seen: Seen, server: Served) -> None:
    settings = clean_environment() | {"CHECKPOINT_DATA": str(server.data)}
    for words in (["verify"], ["keys", "list"], ["retention", "--dry-run"]):
        done = subprocess.run(
            [sys.executable, "-m", "checkpoint.cli", *words],
            env=settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr)
        seen.shell += done.stdout + done.stderr


def _backed_up(seen: Seen, server: Served, folder: Path) -> Path:
    to = folder / "backups"
    settings = clean_environment() | {"CHECKPOINT_DATA": str(server.data)}
    command = [sys.executable, "-m", "checkpoint.cli", "backup", "--to", str(to)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    seen.shell += done.stdout + done.stderr
    return to


# -- where they were looked for --------------------------------------------------------------------------------------------


def _said(data: bytes | str, *words: str) -> list[str]:
    """Which of these stand in it: as text, or as JSON or a web form would write them."""
    raw = data.encode() if isinstance(data, str) else data
    forms = {
        word: (word.encode(), word.encode("utf-16-le"), json.dumps(word)[1:-1].encode(), quote(word).encode()) for word in words
    }
    return [word for word, each in forms.items() if any(form in raw for form in each)]


def _files(folder: Path, pattern: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob(pattern)) if path.is_file()}


def test_the_canaries_were_there_to_be_seen(seen: Seen) -> None:
    """Pages show names to those who may read them: without this the tests below could pass by nothing having happened."""
    assert {NAME, MATE, STAFF, PHONE} - {STAFF, PHONE} <= set(_said(seen.pages, NAME, MATE))
    assert len(seen.problems) >= 12
    database = apsw.Connection(str(seen.data / "checkpoint.db"), flags=apsw.SQLITE_OPEN_READONLY)
    kinds = {kind for (kind,) in database.execute("SELECT DISTINCT kind FROM facts")}
    asides = list(database.execute("SELECT why FROM aside"))
    database.close()
    assert {"PassGranted", "Scanned", "TemperatureMeasured", "SwabTaken", "HelpCalled", "Contested", "ResultReported"} <= kinds
    assert len(asides) >= 2


def test_no_fact_holds_one(seen: Seen) -> None:
    database = apsw.Connection(str(seen.data / "checkpoint.db"), flags=apsw.SQLITE_OPEN_READONLY)
    facts = [(raw, received or b"") for raw, received in database.execute("SELECT raw, received FROM facts")]
    database.close()
    for raw, received in facts:
        assert _said(raw, *PERSONAL) == []
        assert _said(received, *PERSONAL) == []
    assert any(_said(raw, WORDS) for raw, _ in facts), "what somebody wrote is in the record as it was written"


def test_no_file_of_the_server_holds_one(seen: Seen) -> None:
    for name, data in _files(seen.data, "*").items():
        assert _said(data, *PERSONAL) == [], name


def test_no_backup_holds_one(seen: Seen) -> None:
    files = _files(seen.backup, "*")
    assert files
    for name, data in files.items():
        assert _said(data, *PERSONAL) == [], name
        if name.endswith(".gz"):
            assert _said(gzip.decompress(data), *PERSONAL) == [], name
        assert b"master.key" not in name.encode()


def test_no_file_of_the_kiosk_holds_one(seen: Seen) -> None:
    files = _files(seen.kiosk, "*")
    assert any(name.startswith("kiosk.db") for name in files)
    for name, data in files.items():
        assert _said(data, *PERSONAL) == [], name


def test_no_log_holds_one_nor_a_plate_nor_what_somebody_wrote(seen: Seen) -> None:
    logs = _files(seen.data, "*.log") | _files(seen.kiosk, "*.log")
    assert all(len(data) > 20 for data in logs.values()), logs.keys()
    for name, data in logs.items():
        assert _said(data, *PERSONAL, PLATE, WORDS) == [], name


def test_no_counter_holds_one_nor_a_plate(seen: Seen) -> None:
    assert "checkpoint_" in seen.metrics
    assert _said(seen.metrics, *PERSONAL, PLATE, WORDS) == []


def test_no_address_holds_one(seen: Seen) -> None:
    assert len(seen.addresses) > 20
    assert _said("\n".join(seen.addresses), *PERSONAL, WORDS) == []


def test_no_refusal_repeats_one(seen: Seen) -> None:
    for text in seen.problems:
        assert _said(text, *PERSONAL) == [], text


def test_the_shell_says_none(seen: Seen) -> None:
    assert _said(seen.shell, *PERSONAL, PLATE, WORDS) == []
