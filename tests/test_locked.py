"""A database that another program holds: everybody is told so at once, nothing is lost, and then it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from checkpoint.store import StorageBusy, Store, sqlite, writer
from checkpoint.store import postgres as pg
from checkpoint.web.access import digest
from checkpoint.web.app import create_app
from checkpoint.web.invitations import begin
from tests.accounts import PASSPHRASE
from tests.ground import T0, Still, publish, store_in
from tests.postgres import Server, running
from tests.served import serving
from tests.witness import FakeKiosk, fact

POSITION = "/api/v1/positions/osmand?id=phone-1&lat=28.1&lon=120.6&timestamp=1777773600"
_HOLDS = """
import sys, apsw
held = apsw.Connection(sys.argv[1])
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
held.execute("ROLLBACK")
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Another process has the database to itself for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline().strip() == "held"
        yield
        holding.communicate("")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.6)
    monkeypatch.setattr(writer, "PATIENCE_S", 0.3)
    store = store_in(tmp_path, Still())
    yield store
    store.close()


def enrolled(store: Store, name: str) -> FakeKiosk:
    """A kiosk that calls with the key `key-<name>`."""
    kiosk = FakeKiosk(store.registry.add_kiosk("panqiao", digest(name), T0 + timedelta(days=1)).id, "panqiao")
    store.registry.enrol_kiosk(digest(name), kiosk.public_key, digest(f"key-{name}"))
    return kiosk


def until_taken(client: httpx.Client, name: str, body: bytes) -> httpx.Response:
    """A kiosk sends what was not acknowledged again, until it is."""
    for _ in range(200):
        answer = client.post("/api/v1/facts", content=body, headers={"Authorization": f"Bearer key-{name}"})
        if answer.status_code != 503:
            break
        threading.Event().wait(0.05)
    return answer


def test_who_finds_the_database_held_is_told_when_to_come_again_and_nothing_is_lost(tmp_path: Path, store: Store) -> None:
    begin(store, PASSPHRASE, "", T0)
    kiosks = {f"k{i}": enrolled(store, f"k{i}") for i in range(4)}
    before = store.last_number()
    waiting: list[tuple[str, bytes]] = []
    for name, kiosk in kiosks.items():
        links = [kiosk.tell(f"{name}-{i}", T0, station="panqiao") for i in range(5)]
        waiting += [(name, kiosk.body(link, head=kiosk.head(link["seq"], link["hash"]))) for link in links]

    async def ask(client: httpx.AsyncClient, name: str, body: bytes) -> httpx.Response:
        return await client.post("/api/v1/facts", content=body, headers={"Authorization": f"Bearer key-{name}"})

    async def everything(address: str) -> tuple[list[httpx.Response], list[httpx.Response]]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
            asked = [ask(client, name, body) for name, body in waiting]
            asked += [client.get(POSITION) for _ in range(60)]
            asked += [client.post("/api/v1/session", json={"account": "laboratory", "passphrase": PASSPHRASE})]
            page = {"Accept": "text/html", "Accept-Language": "zh"}
            form = {"name": "laboratory", "passphrase": PASSPHRASE}
            asked += [client.post("/sign-in", data=form, headers=page)]
            first = await asyncio.gather(*asked)
            again = await asyncio.gather(*(ask(client, name, body) for name, body in waiting), client.get("/livez"))
            return first, again

    with serving(create_app(store, store.now)) as address:
        with held_by_another(tmp_path / "checkpoint.db"):
            first, again = asyncio.run(everything(address))
            threads = threading.active_count()
            again += asyncio.run(everything(address))[1]
            assert threading.active_count() <= threads, "who is refused at once keeps no thread"
        for answer in (*first, *again):
            if answer.url.path == "/livez":
                assert answer.status_code == 200, "what is held can still be read"
                continue
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
        page = first[-1]
        assert page.headers["Content-Type"].startswith("text/html")
        assert "服务器暂时无法写入" in page.text
        assert first[0].json()["title"] == "服务器暂时无法写入"
        with httpx.Client(base_url=address) as client:
            for name, body in waiting:
                assert until_taken(client, name, body).status_code == 200
            assert client.get(POSITION).status_code == 404, "kept apart: a phone that nobody bound"
    assert store.last_number() == before + len(waiting)
    assert store.verify().ok
    assert len(store.strangers()) == 1


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A PostgreSQL server that a test may stop."""
    with running() as server:
        yield server


@pytest.fixture
def url(own_server: Server) -> Iterator[str]:
    """A database there."""
    with own_server.database() as url:
        yield url


def test_a_database_server_that_is_gone_is_said_to_be_so_and_found_again(tmp_path: Path, own_server: Server, url: str) -> None:
    clock = Still()
    store = Store.open(url, clock, key_folder=tmp_path)
    publish(store)
    kiosk = enrolled(store, "k")
    links = [kiosk.tell(f"k-{i}", T0, station="panqiao") for i in range(3)]
    bodies = [kiosk.body(link, head=kiosk.head(link["seq"], link["hash"])) for link in links]
    with serving(create_app(store, clock)) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert until_taken(client, "k", bodies[0]).status_code == 200
        own_server.stop()
        for path in ("/api/v1/feed", POSITION):
            answer = client.get(path, headers={"Authorization": "Bearer key-k"})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
        answer = client.post("/api/v1/facts", content=bodies[1], headers={"Authorization": "Bearer key-k"})
        assert answer.status_code == 503
        own_server.start()
        for body in bodies[1:]:
            assert until_taken(client, "k", body).status_code == 200
        assert client.get("/api/v1/feed", headers={"Authorization": "Bearer key-k"}).status_code == 200
    assert [r.fact.id for r in store.facts_after(0, 100) if r.fact.witness == kiosk.witness] == ["k-0", "k-1", "k-2"]
    assert store.verify().ok
    store.close()


def test_while_a_database_server_hangs_the_process_still_answers_and_goes_on_when_it_does(
    tmp_path: Path, own_server: Server, url: str
) -> None:
    store = Store.open(url, Still(), key_folder=tmp_path)
    publish(store)
    kiosk = enrolled(store, "k")
    body = kiosk.body(kiosk.tell("k-0", T0, station="panqiao"))
    answers: list[int] = []
    with serving(create_app(store, store.now)) as address:

        def send() -> None:
            with httpx.Client(base_url=address, timeout=60) as client:
                answers.append(until_taken(client, "k", body).status_code)

        with stopped(own_server):
            sending = [threading.Thread(target=send) for _ in range(4)]
            for thread in sending:
                thread.start()
            for _ in range(5):
                assert httpx.get(f"{address}/livez", timeout=10).status_code == 200
            assert answers == []
        for thread in sending:
            thread.join(60)
    assert answers == [200] * 4
    assert store.verify().ok
    store.close()


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """All processes of a PostgreSQL server stand still for as long as the block lasts."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    pids = [server.process.pid, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_another_process_that_does_not_stop_writing_is_waited_for_and_then_told_of(
    tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pg._SETTINGS, "lock_timeout", "600ms")
    monkeypatch.setattr(writer, "PATIENCE_S", 0.3)
    with postgres.database() as url:
        store = Store.open(url, Still(), key_folder=tmp_path)
        with psycopg.connect(url) as holding:
            holding.execute("SELECT pg_advisory_xact_lock(%s)", (pg.WRITERS_LOCK,))
            with pytest.raises(StorageBusy):
                store.record(fact("a", T0, station=""))
            with pytest.raises(StorageBusy):
                store.append_soon([])  # at once: nobody waits in a row
            assert store.fact("a") is None
        for _ in range(200):
            try:
                held = store.record(fact("a", T0, station="")).held
                break
            except StorageBusy:
                threading.Event().wait(0.05)
        assert held
        store.close()


def test_who_gave_up_waiting_does_not_end_the_writer(store: Store) -> None:
    hold = threading.Event()
    first = store._writer.submit(lambda: hold.wait(5))
    given_up = store._writer.submit(lambda: store._db.run("INSERT INTO settings VALUES ('given', 'up')"))
    assert given_up.cancel()
    hold.set()
    assert first.result(5)
    store.registry.set_setting("next", "one")
    assert (store.registry.setting("given"), store.registry.setting("next")) == ("", "one")
