"""Kiosk and server one version apart, either way; and the files that the version before left.

The messages, files and readings of that version are frozen in `tests/version_0_1_0`: an old kiosk is what it sent and how it
read the answers; an old server is what it answered and how it read what came.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.testclient import TestClient

from checkpoint.core.facts import Fact, PassRevoked, decode
from checkpoint.store import StorageFailed, Store
from checkpoint.store.keys import KEY_FILE
from checkpoint.store.migrations import MIGRATIONS
from checkpoint.version import VERSION
from checkpoint.web.app import create_app
from kiosk.kept import Told
from kiosk.outbox import FILE_NAME
from kiosk.station import Kiosk, open_kiosk
from tests import version_0_1_0 as old
from tests.ground import Still
from tests.station import SERVER, ground

ROOT = Path(__file__).parent.parent


def test_the_programs_version_is_the_packages() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


# -- the files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Still:
    return Still(old.NOW)


@pytest.fixture
def upgraded(tmp_path: Path, clock: Still) -> Iterator[Store]:
    """The old server's database under the new program."""
    old.database("server", tmp_path / "checkpoint.db")
    (tmp_path / KEY_FILE).write_text(old.MASTER_KEY)
    (tmp_path / KEY_FILE).chmod(0o600)
    store = Store.open(tmp_path / "checkpoint.db", clock)
    yield store
    store.close()


def test_an_old_servers_database_is_brought_up_to_date_and_holds_what_it_held(upgraded: Store) -> None:
    steps = [row[0] for row in upgraded._db.rows("SELECT number FROM migrations ORDER BY number")]
    assert steps == list(range(1, len(MIGRATIONS) + 1))
    told = {t["fact"]["id"]: t["number"] for s in old.SPOKEN[: old.THEN] if "feed" in s["path"] for t in _json(s)["facts"]}
    assert told
    assert {r.fact.id: r.number for r in upgraded.facts_after(0, 100)}.items() >= told.items()
    assert upgraded.verify().ok
    assert {p.name for p in upgraded.registry.people(_people(upgraded))} == {"张三", "李四"}
    assert [k.station for k in upgraded.registry.kiosks()] == ["sampling-1"]
    assert upgraded.registry.seed(old.PASS, 1) is not None, "the driver's phone still shows the pass"
    assert upgraded.lost == ()
    assert upgraded.returned() == []


def test_the_step_back_is_refused_in_words(upgraded: Store, tmp_path: Path, clock: Still) -> None:
    """A program of the version before would say the same of a database of ours: it knows fewer steps than are there."""
    upgraded._writer.do(lambda: upgraded._db.execute_sql(f"INSERT INTO migrations VALUES ({len(MIGRATIONS) + 1}, 'later', 0)"))
    upgraded.close()
    with pytest.raises(StorageFailed, match="newer version"):
        Store.open(tmp_path / "checkpoint.db", clock)


def test_an_old_kiosks_file_is_brought_up_to_date_and_what_waited_waits(old_kiosk: Kiosk) -> None:
    waiting = old_kiosk.outbox.waiting(10)
    sent = [e["fact"]["id"] for e in msgspec.json.decode(_facts_after_upgrade()["request"])["entries"]]
    assert [one.id for one in waiting] == sent
    assert not any(one.again for one in waiting)
    assert old_kiosk.outbox.verify() is None
    assert old_kiosk.desk._known.granted(old.PASS) is not None
    assert set(old_kiosk.outbox.people().values()) == {"张三", "李四"}
    assert [member.name for member in old_kiosk.outbox.staff().values()] == ["陈站长"]


# -- an old kiosk, a new server ---------------------------------------------------------------------------------------------


def _json(exchange: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(exchange["answer"])
    return found


def _people(store: Store) -> set[str]:
    return {row[0] for row in store._db.rows("SELECT id FROM people")}


def _facts_after_upgrade() -> dict[str, Any]:
    return next(s for s in old.SPOKEN[old.THEN :] if s["method"] == "POST")


def said(server: TestClient, exchange: dict[str, Any]) -> httpx.Response:
    """What the server answers to what the old kiosk sent, to the byte."""
    headers = {"Authorization": exchange["authorization"], "User-Agent": "checkpoint-kiosk"}
    if exchange["content_type"]:
        headers["Content-Type"] = exchange["content_type"]
    answered = server.request(exchange["method"], exchange["path"], content=exchange["request"].encode(), headers=headers)
    assert answered.status_code == exchange["status"], answered.text
    return httpx.Response(answered.status_code, content=answered.content)


@pytest.fixture
def server(upgraded: Store, clock: Still) -> Iterator[TestClient]:
    with TestClient(create_app(upgraded, clock, public_url=SERVER), base_url=SERVER) as found:
        yield found


def test_an_old_kiosk_goes_on_with_a_new_server_where_it_stopped(server: TestClient, upgraded: Store) -> None:
    """Its own key opens, its chain goes on, and it reads every answer; what it is told is what the old server told it."""
    for exchange in old.SPOKEN[old.THEN :]:
        if "PassRevoked" in exchange["answer"]:
            was = next(f for f in _json(exchange)["facts"] if f["fact"]["what"]["kind"] == "PassRevoked")["fact"]
            upgraded.record(decode(msgspec.json.encode(was)))
        answer, wanted = said(server, exchange).content, exchange["answer"].encode()
        if exchange["method"] == "POST":
            taken, before = (msgspec.json.decode(text, type=old.Taken) for text in (answer, wanted))
            assert (taken.held, taken.set_aside) == (before.held, before.set_aside)
        else:
            page, told = (msgspec.json.decode(text, type=old.Page) for text in (answer, wanted))
            assert [(f.number, bytes(f.fact)) for f in page.facts] == [(f.number, bytes(f.fact)) for f in told.facts]
            assert (page.cursor, page.more, page.station, page.kiosk) == (told.cursor, told.more, told.station, told.kiosk)
            assert (page.people, page.issuers) == (told.people, told.issuers)
            assert [(m.id, m.name, m.pin) for m in page.staff] == [(m.id, m.name, m.pin) for m in told.staff]
    assert upgraded.verify().ok
    assert upgraded.gaps() == []


def test_an_old_kiosk_is_enrolled_by_a_new_server(server: TestClient, upgraded: Store, clock: Still) -> None:
    exchange = old.SPOKEN[0]
    sent = msgspec.json.decode(exchange["request"], type=old.Enrol)
    digest = hashlib.sha256(sent.token.encode()).hexdigest()
    upgraded.registry.add_kiosk("sampling-1", digest, clock() + timedelta(days=1))
    answered = msgspec.json.decode(said(server, exchange).content, type=old.Enrolled)
    assert answered.station == "sampling-1"
    assert upgraded.registry.kiosk(answered.kiosk) is not None


def test_an_old_kiosk_reads_on_after_a_restore_it_knows_nothing_of(server: TestClient, upgraded: Store, clock: Still) -> None:
    """Numbers leap, so that its cursor never lies; a kind of fact it does not know is a text it passes over."""
    cursor = max(_json(s)["cursor"] for s in old.SPOKEN[: old.THEN] if "feed" in s["path"])
    before = upgraded.last_number()
    upgraded.bring_back(clock())
    lost = PassRevoked(pass_id=old.PASS, reason="lost")
    upgraded.record(Fact(id="later", at=clock(), witness="desk:coordinator", what=lost))
    exchange = next(s for s in old.SPOKEN if s["method"] == "GET") | {"path": f"/api/v1/feed?after={cursor}&limit=500"}
    page = msgspec.json.decode(said(server, exchange).content, type=old.Page)
    assert any(b"PassRevoked" in bytes(f.fact) for f in page.facts)
    assert page.cursor > before > cursor - 1
    again = msgspec.json.decode(said(server, _facts_after_upgrade()).content, type=old.Taken)
    assert len(again.held) == 4


# -- a new kiosk, an old server ---------------------------------------------------------------------------------------------


class OldServer(httpx.BaseTransport):
    """Reads what comes as the old server did, and answers with its words. What it had no route for is not found."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.refused: list[str] = []
        self.enrolled: list[old.Enrol] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, request.read()
        if (request.method, path) == ("POST", "/api/v1/enrol"):
            self.enrolled.append(msgspec.json.decode(body, type=old.Enrol))
            return self._words("/api/v1/enrol")
        if (request.method, path) == ("GET", "/api/v1/feed"):
            after = int(request.url.params["after"])
            pages = [s for s in old.SPOKEN if s["path"].startswith("/api/v1/feed")]
            found = next((s for s in pages if f"after={after}&" in s["path"]), None)
            if found is not None:
                return httpx.Response(200, text=found["answer"])
            return httpx.Response(200, json=_json(pages[-1]) | {"facts": [], "cursor": after})
        if (request.method, path) == ("POST", "/api/v1/facts"):
            batch = msgspec.json.decode(body, type=old.Batch)
            assert batch.head is not None
            ids = []
            for raw in batch.entries:
                sent = msgspec.json.decode(bytes(raw), type=old.Sent)
                own = hashlib.sha256(bytes.fromhex(sent.prev) + sent.seq.to_bytes(8) + bytes(sent.fact)).hexdigest()
                assert own == sent.hash
                ids.append(msgspec.json.decode(bytes(sent.fact))["id"])
            key = msgspec.json.decode(old.SPOKEN[0]["request"], type=old.Enrol).public_key
            kiosk = _json(old.SPOKEN[0])["kiosk"]
            message = f"{kiosk}|{batch.head.seq}|{batch.head.hash}".encode()
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(batch.head.signature), message)
            self.held += ids
            answer = {"held": ids, "set_aside": [], "gaps": [], "server_time": old.NOW.isoformat()}
            return httpx.Response(200, json=answer)
        self.refused.append(f"{request.method} {path}")
        return httpx.Response(404, json={"title": "Not found", "status": 404})

    def _words(self, path: str) -> httpx.Response:
        found = next(s for s in old.SPOKEN if s["path"] == path)
        return httpx.Response(found["status"], text=found["answer"])


@pytest.fixture
def old_server() -> OldServer:
    return OldServer()


@pytest.fixture
def old_kiosk(tmp_path: Path, clock: Still, old_server: OldServer) -> Iterator[Kiosk]:
    """The old kiosk's file under the new program, its line leading to the old server."""
    (tmp_path / "kiosk").mkdir()
    old.database("kiosk", tmp_path / "kiosk" / FILE_NAME)
    kiosk = open_kiosk(tmp_path / "kiosk", clock, transport=old_server, steady=lambda: 0.0, reserve_bytes=0)
    yield kiosk
    kiosk.close()


def test_a_new_kiosk_goes_on_with_an_old_server_where_it_stopped(old_kiosk: Kiosk, old_server: OldServer) -> None:
    """It says no more than the old server reads, hears what it does not say as unknown, and loses and repeats nothing."""
    while old_kiosk.link.push_once():
        pass
    while old_kiosk.link.pull_once():
        pass
    for _ in range(3):
        old_kiosk.link.pull_once()
        old_kiosk.link.push_once()
    sent = [e["fact"]["id"] for e in msgspec.json.decode(_facts_after_upgrade()["request"])["entries"]]
    assert old_server.held == sent, "each once"
    assert old_kiosk.outbox.depth().waiting == 0
    assert old_kiosk.outbox.pulled_at == old.NOW
    grant = old_kiosk.desk._known.granted(old.PASS)
    assert grant is not None
    revoked = old_kiosk.desk._known.book.of(f"pass:{old.PASS}")
    assert any(isinstance(f.what, PassRevoked) for f in revoked)
    assert old_kiosk.link.state.state == "up"


def test_a_new_kiosk_enrols_at_an_old_server(tmp_path: Path, clock: Still, old_server: OldServer) -> None:
    kiosk = open_kiosk(tmp_path / "new", clock, transport=old_server, steady=lambda: 0.0, reserve_bytes=0)
    kiosk.enrol("token", SERVER)
    kiosk.enrol("token", SERVER)  # anew, with a name from before
    assert [sent.token for sent in old_server.enrolled] == ["token", "token"]
    kiosk.close()


# -- what the next version will say ---------------------------------------------------------------------------------------


def test_a_kind_of_fact_of_the_next_version_stops_no_kiosk_and_is_kept_for_it(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        number = g.pass_()
        outbox = g.kiosk.outbox
        body = b'{"id":"f-next","at":"2026-05-03T02:00:00Z","witness":"server","what":{"kind":"Levitated","vehicle":"x"}}'
        outbox.take([Told(1_000, body)], 0, people={}, staff=[], issuers={}, complete_at=None)
        g.pull()
        assert g.kiosk.desk._known.granted(number) is not None
        again = open_kiosk(tmp_path / "kiosk", g.clock, transport=g.line, steady=lambda: 0.0, reserve_bytes=0)
        assert body in list(again.outbox.received())
        assert again.desk._known.granted(number) is not None
        again.close()


def test_what_the_next_version_says_more_is_passed_over(tmp_path: Path) -> None:
    with ground(tmp_path) as g:
        g.pass_()
        answer = g.line.handle_request

        def more(request: httpx.Request) -> httpx.Response:
            said = answer(request)
            extended = msgspec.json.decode(said.content) | {"weather": {"rain": True}}
            return httpx.Response(said.status_code, json=extended)

        g.line.handle_request = more  # type: ignore[method-assign]
        g.pull()
        assert g.kiosk.link.state.state == "up"


def test_a_kiosk_newer_than_its_server_is_not_stopped_by_what_the_server_cannot_read(tmp_path: Path) -> None:
    """What it cannot read the server keeps whole, set aside; the facts behind it are held."""
    with ground(tmp_path) as g:
        number = g.pass_()
        g.pull()
        g.sign_on()
        odd = b'{"id":"f-next","at":"2026-05-03T02:00:00Z","witness":"kiosk:x","what":{"kind":"Levitated"}}'
        head = g.kiosk.outbox.head()
        own = hashlib.sha256(bytes.fromhex(head.hash) + (head.seq + 1).to_bytes(8) + odd).hexdigest()
        outbox = g.kiosk.outbox
        enrolled = outbox.enrolment
        assert enrolled is not None
        insert = {"witness": enrolled.witness, "seq": head.seq + 1, "id": "f-next", "prev": head.hash, "hash": own, "body": odd}
        with outbox._writing():
            outbox._own.insert(**insert, at=old.NOW.isoformat()).execute()
        g.kiosk.desk.scan(g.live(number))
        g.push()
        assert outbox.depth().waiting == 0
        assert [(a.id, a.why) for a in outbox.aside()] == [("f-next", "malformed")]
        assert any(a.raw == odd for a in g.store.aside())
        assert g.store.verify().ok
