"""A full disk: positions are refused first, what was seen last; everybody is told; with room it goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import HelpCalled, Scanned, Voided, encode
from checkpoint.store import Room, StorageFull, Store
from checkpoint.store.room import RESERVE_FILE
from checkpoint.web.access import digest
from checkpoint.web.app import create_app
from kiosk.app import create_app as create_page
from kiosk.deeds import GivePack
from kiosk.kept import NoRoom
from kiosk.outbox import Outbox
from tests.disks import Disk, small_disk
from tests.ground import LOOP, T0, Still, publish, wish
from tests.station import ground
from tests.witness import FakeKiosk, fact

MB = 1 << 20
SIZE, HEADROOM = 64 * MB, 32 * MB
POSITION = "/api/v1/positions/osmand?id=phone-1&lat=28.1&lon=120.6&timestamp={}"


@pytest.fixture(params=[True, False], ids=["mounted", "counted"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", SIZE, mounted=request.param) as disk:
        yield disk


def opened(disk: Disk) -> Store:
    return Store.open(disk.folder / "checkpoint.db", Still(), HEADROOM)


class Station:
    """A kiosk that sends scans, and remembers which of them it was told are held."""

    def __init__(self, store: Store) -> None:
        made = store.registry.add_kiosk("panqiao", digest("token"), T0 + timedelta(days=1))
        self.kiosk = FakeKiosk(made.id, "panqiao")
        store.registry.enrol_kiosk(digest("token"), self.kiosk.public_key, digest("key"))
        self.held: list[str] = []
        self.waiting: list[tuple[str, bytes]] = []

    def scan(self, size: int = 0) -> None:
        name = f"scan-{len(self.held) + len(self.waiting)}"
        raw = encode(fact(name, T0, witness=self.kiosk.witness, station="panqiao")).decode()
        link = self.kiosk.link(raw.replace("{", "{" + " " * size, 1))  # the bytes are kept as they come
        self.waiting.append((name, self.kiosk.body(link)))

    def send(self, client: TestClient) -> int:
        """Send what waits; returns the status of the last answer."""
        status = 200
        while self.waiting and status == 200:
            name, body = self.waiting[0]
            answer = client.post("/api/v1/facts", content=body, headers={"Authorization": "Bearer key"})
            status = answer.status_code
            if status == 200:
                assert answer.json()["held"] == [name]
                self.held.append(self.waiting.pop(0)[0])
            else:
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.json()["detail"]
        return status


def test_positions_are_refused_first_and_scans_last_and_with_room_everything_is_taken_again(disk: Disk) -> None:
    store = opened(disk)
    publish(store)
    station = Station(store)
    with TestClient(create_app(store, store.now)) as client:

        def position(n: int) -> int:
            return client.get(POSITION.format(1777773600 + n)).status_code

        station.scan()
        assert (station.send(client), position(0), store.room().state) == (200, 404, "ample")  # 404: nobody bound the phone
        assert (disk.folder / RESERVE_FILE).stat().st_size == HEADROOM // 16

        disk.leave(HEADROOM - MB)
        station.scan()
        answer = client.get(POSITION.format(1777773601), headers={"Accept-Language": "en"})
        assert (station.send(client), answer.status_code, answer.json()["title"]) == (200, 507, "The server's disk is full")
        assert answer.headers["Retry-After"] == "60"
        assert store.room().refused == ("positions",)
        office = client.app.state.house.office  # type: ignore[attr-defined]
        office.request(wish(), by="c")

        disk.fill()
        for _ in range(10):
            station.scan(20_000)
        assert station.send(client) == 200, "the reserve is for this"
        assert not (disk.folder / RESERVE_FILE).exists()
        assert store.room().refused == ("positions", "desk")
        with pytest.raises(StorageFull):
            office.request(wish(vehicle="浙C54321"), by="c")
        store.record(fact("void", T0, Voided(target=f"loop-{LOOP}-9", reason="it can wait for nothing"), station=""))

        disk.fill()
        while len(station.held) < 1_000:
            station.scan(20_000)
            if station.send(client) != 200:
                break
        assert station.waiting, "a disk that is full takes nothing in"
        assert station.send(client) == 507
        assert client.get("/livez").status_code == 200, "what is held can still be read"

        disk.leave(HEADROOM // 2)
        assert station.send(client) == 200
        assert position(2) == 507
        disk.leave(SIZE - 16 * MB)
        station.scan()
        assert (station.send(client), position(2), store.room().state) == (200, 404, "ample")
        assert (disk.folder / RESERVE_FILE).exists(), "laid again for the next time"
    assert [f.id for f in store.facts_of("vehicle:浙C12345") if f.id.startswith("scan-")] == station.held
    assert store.verify().ok
    store.close()


def test_a_server_comes_up_on_a_full_disk_and_takes_scans(disk: Disk) -> None:
    store = opened(disk)
    publish(store)
    store.record(fact("first", T0, station=""))
    store.close()
    disk.fill()
    store = opened(disk)
    assert store.record(fact("second", T0, station="")).held
    assert store.room().state == "last"
    store.close()
    disk.leave(SIZE - 16 * MB)
    store = opened(disk)
    store.record(fact("third", T0, station=""))
    assert store.room() == Room(free_bytes=store.room().free_bytes)
    assert store.verify().ok
    store.close()


def test_where_no_headroom_is_asked_for_nothing_is_refused_by_us(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "checkpoint.db", Still())
    assert store.room() == Room()
    assert not (tmp_path / RESERVE_FILE).exists()
    store.close()


# -- at a station -------------------------------------------------------------------------------------------------------


def test_a_kiosk_on_a_full_disk_says_so_shows_no_verdict_it_did_not_write_down_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path / "kiosk", 32 * MB) as disk,
        ground(tmp_path, reserve_bytes=2 * MB) as g,
        TestClient(create_page(g.kiosk, start_link=False), base_url="http://localhost") as page,
    ):
        desk, headers = g.kiosk.desk, {"Origin": "http://localhost", "Accept-Language": "en"}
        number = g.pass_()
        g.tested(number)
        g.pull()
        g.sign_on()
        seen = 0

        def said() -> str:
            told = page.get("/screen", headers=headers).json()
            return str(told["strip"]) + str(told.get("screen", ""))

        def shown_anew() -> bool:
            """The same truck comes again, long enough after to be another look; whether a verdict is on the screen."""
            g.clock.forward(minutes=30)
            desk.scan(g.live(number))
            return desk.screen().verdict is not None

        seen += shown_anew()
        assert seen == 1
        assert (g.kiosk.outbox.disk, "disk" in said()) == ("ample", False)

        disk.leave(8 * MB)
        assert "disk is filling up" in said()
        disk.fill()
        seen += shown_anew()
        assert seen == 2, "the reserve is for this"
        assert "disk is full" in said()
        g.tell(HelpCalled(person="", vehicle="浙C12345", words="x"))
        with pytest.raises(NoRoom):
            g.pull()

        for _ in range(2_000):
            disk.fill()
            if not shown_anew():
                break
            seen += 1
        assert g.notice == "kiosk.refused.no-room"
        assert "Not written down" in said()
        assert desk.screen().verdict is None
        assert not desk.do(GivePack(person=g.crew(number)[0]))
        written = [f.id for f in g.kiosk.outbox.own_facts()]
        assert len([f for f in g.kiosk.outbox.own_facts() if isinstance(f.what, Scanned)]) >= seen
        assert g.kiosk.outbox.verify() is None
        g.kiosk.outbox.close()
        again = Outbox(disk.folder / "kiosk.db", 2 * MB)
        assert [f.id for f in again.own_facts()] == written
        again.close()
        g.kiosk.outbox._db.connect()

        disk.leave(24 * MB)
        assert shown_anew()
        g.pull()
        g.push()
        assert g.kiosk.outbox.depth().waiting == 0
        assert g.kiosk.outbox.disk == "ample"
        assert {f.id for f in g.kiosk.outbox.own_facts()} > set(written)
        assert all(g.store.fact(name) is not None for name in written)
        assert "disk is full" not in said()
