"""What watches over the machine is told: that it lives, whether it is well, and figures without anybody in them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from checkpoint.chores import FIRST_WAIT, Chore
from checkpoint.config import utc_now
from checkpoint.store import Store
from checkpoint.store.room import Room
from checkpoint.watch import Pulse, Watch
from checkpoint.web import access, health
from checkpoint.web.access import ADMINISTRATOR, COORDINATOR, KIOSK
from checkpoint.web.health import CHECKS
from tests.desk import BASE, Desk, desk
from tests.fleet import NOW, fleet
from tests.server import served
from tests.test_access import client_as

TOKEN = "a-token-of-the-monitoring"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server with a fleet on the road."""
    with desk(tmp_path_factory.mktemp("health"), metrics_token=TOKEN) as found:
        yield found


def here(found: Desk) -> TestClient:
    """A program on the server's own machine."""
    return TestClient(found.app, base_url=BASE, client=("127.0.0.1", 4000), headers={"accept-language": "en"})


def elsewhere(found: Desk, token: str = "") -> TestClient:
    client = TestClient(found.app, base_url=BASE, client=("203.0.113.9", 4000), headers={"accept-language": "en"})
    if token:
        client.headers["authorization"] = f"Bearer {token}"
    return client


def failing(answer: httpx2.Response) -> list[str]:
    return [check["name"] for check in answer.json()["checks"] if not check["ok"]]


# -- is it well? ----------------------------------------------------------------------------------------------------------


def test_a_server_that_is_well_is_ready_by_every_check(found: Desk) -> None:
    answer = here(found).get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert [check["name"] for check in answer.json()["checks"]] == [check.name for check in CHECKS]
    assert failing(answer) == []
    assert {check["name"]: check.get("detail") for check in answer.json()["checks"]}["watch"] == "age_s=0 waiting=0"


def broken_database(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    def raises(*_: object) -> Any:
        raise RuntimeError

    monkeypatch.setattr(Store, "answers", raises)


def slow_database(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(health, "LIMIT_S", 0.1)
    monkeypatch.setattr(Store, "answers", lambda _: go_on.wait(1))


def stuck_writer(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr(Store, "stuck", property(lambda _: True))


def last_room(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr(Store, "room", lambda _: Room(free_bytes=1 << 20, state="last", refused=("positions", "desk")))


def older_schema(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr("checkpoint.store.migrations.MIGRATIONS", (("one", ()),))


def pulse(**changes: Any) -> Pulse:
    return Pulse(**({"running": True, "age_s": 1.0, "rounds": 1, "rounds_s": 0.1, "read_to": 0} | changes))


def dead_watch(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr(found.house.watch, "pulse", lambda: pulse(running=False))


def late_watch(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr(found.house.watch, "pulse", lambda: pulse(age_s=61.0))


def stuck_chore(monkeypatch: pytest.MonkeyPatch, found: Desk) -> None:
    monkeypatch.setattr(found.house.chores, "stuck", lambda _: ["retention"])


@pytest.mark.parametrize(
    ("breaks", "names"),
    [
        (broken_database, ["database"]),
        (slow_database, ["database"]),
        (stuck_writer, ["writing"]),
        (last_room, ["room"]),
        (older_schema, ["migrations"]),
        (dead_watch, ["watch"]),
        (late_watch, ["watch"]),
        (stuck_chore, ["chores"]),
    ],
)
def test_each_check_can_fail_is_named_and_makes_it_not_ready(
    found: Desk, monkeypatch: pytest.MonkeyPatch, breaks: Any, names: list[str]
) -> None:
    breaks(monkeypatch, found)
    answer = elsewhere(found).get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not-ready")
    assert failing(answer) == names
    assert elsewhere(found).get("/livez").status_code == 200, "it lives all the same"


def test_little_room_refuses_positions_and_still_takes_scans(found: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "room", lambda _: Room(free_bytes=9 << 20, state="low", refused=("positions",)))
    assert here(found).get("/readyz").status_code == 200


def test_it_lives_though_the_database_does_not_answer(found: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here(found).get("/livez").json()["facts"] == len(found.told.facts)
    go_on = threading.Event()
    monkeypatch.setattr(health, "LIMIT_S", 0.2)
    monkeypatch.setattr(Store, "last_number", lambda _: go_on.wait(1))
    answer = here(found).get("/livez")
    assert (answer.status_code, answer.json()["facts"], answer.json()["status"]) == (200, None, "ok")


def test_a_chore_is_stuck_when_it_fails_again_and_again_or_is_long_overdue(tmp_path: Path) -> None:
    at, fails = [NOW], [True]

    def work(_: object) -> str:
        if fails[0]:
            raise RuntimeError
        return "done"

    with desk(tmp_path) as found:
        chores = found.house.chores
        chores._now = lambda: at[0]
        chores.add(Chore("retention", timedelta(hours=1), work))
        assert chores.stuck(at[0]) == [], "one that never ran may not be due"
        for _ in range(3):
            chores.run_due()
            assert chores.stuck(at[0]) == ([] if _ < 2 else ["retention"])
            at[0] += 8 * FIRST_WAIT
        fails[0] = False
        chores.run_due()
        assert chores.stuck(at[0]) == []
        assert chores.stuck(at[0] + timedelta(hours=3, minutes=59)) == []
        assert chores.stuck(at[0] + timedelta(hours=4, minutes=1)) == ["retention"]


def test_a_watch_tells_how_it_does(tmp_path: Path) -> None:
    told = fleet()
    store = Store.open(tmp_path / "checkpoint.db", lambda: NOW)
    watch = Watch(store, lambda: NOW, lambda *_: None)
    try:
        assert not watch.pulse().running
        for fact in told.facts:
            store.record(fact)
        watch.start()
        deadline = utc_now() + timedelta(seconds=20)
        while not watch.pulse().rounds and utc_now() < deadline:
            threading.Event().wait(0.02)
        pulse = watch.pulse()
        assert pulse.running
        assert pulse.rounds >= 1
        assert pulse.rounds_s > 0
        assert pulse.age_s < 20
        assert pulse.read_to >= len(told.facts)
        watch.stop()
        assert not watch.pulse().running
    finally:
        watch.stop()
        store.close()


# -- who sees figures -------------------------------------------------------------------------------------------------------


def test_figures_are_for_this_machine_for_administrators_and_for_the_token(found: Desk) -> None:
    admin = elsewhere(found, access.open_session(found.house, role=ADMINISTRATOR, who="admin"))
    may = [here(found), elsewhere(found, TOKEN), admin]
    coordinator = elsewhere(found, access.open_session(found.house, role=COORDINATOR, who="x"))
    may_not = [elsewhere(found), elsewhere(found, TOKEN + "x"), coordinator, client_as(found, KIOSK)]
    for client in may:
        assert client.get("/metrics").status_code == 200
        assert any("detail" in check for check in client.get("/readyz").json()["checks"])
    for client in may_not:
        assert client.get("/metrics").status_code == 403
        assert not any("detail" in check for check in client.get("/readyz").json()["checks"])


def test_a_proxy_on_this_machine_does_not_make_the_world_local(found: Desk) -> None:
    assert here(found).get("/metrics", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 403


def test_where_somebody_else_does_https_and_nobody_said_who_this_machine_is_not_known_by_its_address(tmp_path: Path) -> None:
    """Such a proxy may say nothing of those it speaks for: then all the world comes from this machine."""
    with desk(tmp_path, public_url="https://loop.example", metrics_token=TOKEN) as hidden:
        assert here(hidden).get("/metrics").status_code == 403
        assert elsewhere(hidden, TOKEN).get("/metrics").status_code == 200
        hidden.app.state.house = dataclasses.replace(hidden.house, unknown_proxy=False)
        assert here(hidden).get("/metrics").status_code == 200


def test_without_a_token_set_no_token_opens_anything(tmp_path: Path) -> None:
    with desk(tmp_path) as plain:
        for header in ("Bearer", "Bearer ", "Bearer x"):
            answer = elsewhere(plain).get("/metrics", headers={"authorization": header})
            assert answer.status_code == 403, header


# -- what they say ----------------------------------------------------------------------------------------------------------


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What Prometheus' own reader makes of it."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_requests_are_counted_by_pattern_and_status_and_timed(found: Desk) -> None:
    client = found.signed_in(COORDINATOR)
    client.get("/vehicles/浙C88888")
    client.get("/no/such/浙C88888")
    answer = here(found).get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = samples(answer.text)
    counted = {(labels["route"], labels["status"]): value for labels, value in told["checkpoint_requests_total"]}
    assert counted["/vehicles/{plate}", "404"] >= 1
    assert counted["no route", "404"] >= 1
    timed = {labels["route"]: value for labels, value in told["checkpoint_request_seconds_count"]}
    assert timed["/vehicles/{plate}"] >= 1


def test_the_record_the_watch_and_the_stations_are_measured(found: Desk) -> None:
    kiosk = client_as(found, KIOSK)
    kiosk.post("/api/v1/facts", json={"sent_at": NOW.isoformat()})
    told = samples(here(found).get("/metrics").text)
    facts = {(labels["kind"], labels["outcome"]): value for labels, value in told["checkpoint_facts_total"]}
    assert sum(facts.values()) == len(found.told.facts)
    assert facts["PassGranted", "held"] > 0
    warned = {(labels["kind"], labels["colour"]): value for labels, value in told["checkpoint_warnings_open"]}
    expected = [w for look in found.told.looks.values() for w in look.view.warnings if w.open]
    assert expected
    assert sum(warned.values()) == len(expected)
    commits = told["checkpoint_commit_seconds_bucket"]
    assert [value for _, value in commits] == sorted(value for _, value in commits)
    assert commits[-1][0]["le"] == "+Inf"
    assert commits[-1][1] == told["checkpoint_commit_seconds_count"][0][1] > 0
    for name in (
        "checkpoint_build_info", "checkpoint_writer_waiting", "checkpoint_database_bytes", "checkpoint_watch_age_seconds",
        "checkpoint_watch_behind_facts", "checkpoint_watch_rounds_total", "checkpoint_kiosk_silent_seconds", "checkpoint_streams",
        "checkpoint_kiosk_missing", "checkpoint_intake_refused", "checkpoint_ledger_number",
    ):  # fmt: skip
        assert told[name], name
    assert told["checkpoint_database_bytes"][0][1] > 4096


def test_no_label_holds_a_person_a_plate_or_an_address(found: Desk) -> None:
    client = found.signed_in(COORDINATOR)
    for plate in found.told.looks:
        client.get(f"/vehicles/{plate}?name=wang")
        client.get(f"/vehicles/{plate}/plan.json")
    client.get("/passes")
    elsewhere(found).get("/d/secret-token")
    text = here(found).get("/metrics").text
    private = {*found.told.looks, "wang", "周敏", "secret-token", "203.0.113.9", "testclient", "p-0", "330304-"}
    assert not [word for word in private if word in text]


def test_a_real_server_is_ready_and_counts(tmp_path: Path) -> None:
    import httpx

    with served(tmp_path) as server:
        deadline = utc_now() + timedelta(seconds=20)
        while httpx.get(f"{server.address}/readyz").status_code != 200 and utc_now() < deadline:
            threading.Event().wait(0.1)
        answer = httpx.get(f"{server.address}/readyz")
        assert answer.json()["status"] == "ready", answer.text
        assert "free_mb=" in answer.text
        told = samples(httpx.get(f"{server.address}/metrics").text)
        assert told["checkpoint_watch_running"][0][1] == 1
        assert told["checkpoint_disk_free_bytes"][0][1] > 0
        assert told["process_resident_memory_bytes"][0][1] > 0
