"""The server is killed again and again under kiosks and phones that send again what was not acknowledged.

Nothing acknowledged is lost, nothing is doubled, and the record verifies.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checkpoint.config import utc_now
from checkpoint.core.facts import DeviceBound, Fact, SwabTaken, encode, uuid7
from checkpoint.store import Store
from checkpoint.web.access import digest
from kiosk.kept import Enrolment
from kiosk.link import LineDown, Link
from kiosk.outbox import Outbox
from tests.ground import publish
from tests.nursery import Nursery, nursery
from tests.places import Place
from tests.seeds import rounds, seeds
from tests.server import PASSWORD, free_port

CLIENTS = 4
PATIENCE_S = 60.0


class Client:
    """A kiosk with its own file and line, and a phone: both tell on and on, and send again until they are answered."""

    def __init__(self, number: int, folder: Path, store: Store, address: str) -> None:
        self.number, self.address = number, address
        made = store.registry.add_kiosk("panqiao", digest(f"token-{number}"), utc_now() + timedelta(days=1))
        key = Ed25519PrivateKey.generate()
        store.registry.enrol_kiosk(digest(f"token-{number}"), key.public_key().public_bytes_raw(), digest(f"key-{number}"))
        self.outbox = Outbox(folder / f"kiosk-{number}" / "kiosk.db")
        self.outbox.enrol(
            Enrolment(
                kiosk=made.id,
                station="panqiao",
                server=address,
                bearer=f"key-{number}",
                private_key=key.private_bytes_raw().hex(),
            )
        )
        self.plate = f"浙C0000{number}"
        bound = DeviceBound(device=f"phone-{number}", vehicle=self.plate)
        store.record(Fact(id=f"bound-{number}", at=utc_now() - timedelta(days=2), witness="desk:coordinator", what=bound))
        self.chance = random.Random(seeds(1)[0] * CLIENTS + number)
        self.told: dict[str, bytes] = {}
        self.fixes: list[int] = []
        self.acknowledged: set[str] = set()
        self.acknowledged_fixes: set[int] = set()
        self.answers = 0
        self.telling, self.ended = True, False
        self.trouble: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        link = Link(self.outbox, utc_now, lambda facts: None)
        try:
            with httpx.Client(base_url=self.address, timeout=5) as phone:
                while not self.ended:
                    self._turn(link, phone)
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.trouble = error
        finally:
            link.stop()

    def _turn(self, link: Link, phone: httpx.Client) -> None:
        if self.telling:
            self._tell()
        try:
            self.answers += link.push_once()
            waiting = {entry.id for entry in self.outbox.waiting(1_000)}
            self.acknowledged = self.told.keys() - waiting
        except LineDown:
            time.sleep(0.01)
        due = sorted(set(self.fixes) - self.acknowledged_fixes)[:1]
        for fixed_at in due:
            query = f"id=phone-{self.number}&lat=28.1&lon=120.6&accuracy=9&timestamp={fixed_at}"
            try:
                answer = phone.get(f"/api/v1/positions/osmand?{query}")
            except httpx.HTTPError:
                time.sleep(0.01)
                continue
            if answer.status_code == 200:
                self.acknowledged_fixes.add(fixed_at)
                self.answers += 1
        if not self.telling and not due and not self.outbox.depth().waiting:
            time.sleep(0.01)

    def _tell(self) -> None:
        at = utc_now()
        seen = []
        for i in range(self.chance.randint(1, 5)):
            name = uuid7(at, self.chance.randbytes(10))
            what = SwabTaken(specimen=f"s-{name}", person=f"p-{i}", test="pcr", vehicle=self.plate)
            witness = self.outbox.enrolment.witness  # type: ignore[union-attr]
            seen.append(Fact(id=name, at=at, witness=witness, what=what, by="staff-1", station="panqiao"))
        self.outbox.record(*seen)
        self.told |= {fact.id: encode(fact) for fact in seen}
        self.fixes.append(int(at.timestamp()) - 86_400 + len(self.fixes))


def settled(clients: list[Client]) -> bool:
    return all(not c.outbox.depth().waiting and set(c.fixes) == c.acknowledged_fixes for c in clients)


def until(question: str, true: object, clients: list[Client]) -> None:
    """Wait until something is so; a client in trouble raises."""
    assert callable(true)
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        for client in clients:
            if client.trouble is not None:
                raise client.trouble
        assert time.monotonic() < deadline, question
        time.sleep(0.005)


def killed(place: Place, begun: Nursery, kills: int) -> None:
    """Play it."""
    port, log = free_port(), place.folder / "server.log"
    settings = {
        "CHECKPOINT_DATA": str(place.folder),
        "CHECKPOINT_DATABASE": str(place.where),
        "CHECKPOINT_PORT": str(port),
        "CHECKPOINT_FIRST_PASSWORD": PASSWORD,
        "CHECKPOINT_HEADROOM_MB": "0",
    }
    store = place.open(utc_now)
    publish(store)
    clients = [Client(n, place.folder, store, f"http://127.0.0.1:{port}") for n in range(CLIENTS)]
    store.close()
    chance = random.Random(seeds(1)[0])
    for client in clients:
        client.thread.start()
    for _ in range(kills):
        before = [client.answers for client in clients]
        pid = begun.begin(settings, log)
        until(
            "everybody is answered",
            lambda before=before: all(c.answers > b for c, b in zip(clients, before, strict=True)),
            clients,
        )
        time.sleep(chance.uniform(0, 0.1))
        assert begun.end(pid) == -signal.SIGKILL, log.read_text()
    for client in clients:
        client.telling = False
    pid = begun.begin(settings, log)
    until("everything is acknowledged", lambda: settled(clients), clients)
    assert begun.end(pid, signal.SIGTERM) == 0, log.read_text()
    for client in clients:
        client.ended = True
        client.thread.join(PATIENCE_S)

    store = place.open(utc_now)
    verification = store.verify()
    assert verification.ok, verification.problems
    assert store.gaps() == []
    held = store.facts_after(0, 1_000_000)
    assert max(Counter(r.fact.id for r in held).values()) == 1
    raw = {r.fact.id: r.raw for r in held if r.fact.witness.startswith("kiosk:")}
    assert raw == {name: told for client in clients for name, told in client.told.items()}
    for client in clients:
        assert client.acknowledged <= raw.keys()
        fixes = [int(fix.fixed_at.timestamp()) for fix in store.positions(client.plate)]
        assert fixes == sorted(client.fixes), "each once"
        assert client.outbox.verify() is None
        client.outbox.close()
    store.close()


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(place: Place) -> None:
    kills = rounds(40, soak=500) if place.kind == "sqlite" else rounds(10, soak=100)
    with nursery() as begun:
        killed(place, begun, kills)
