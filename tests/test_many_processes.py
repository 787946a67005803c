"""Several servers on one database: what one is told all show, one tells of warnings, and nothing is told twice.

The second half is played with real processes, of which the elected one is killed, or stopped and let go again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from checkpoint.config import utc_now
from checkpoint.core.facts import HelpCalled, PassGranted, WarningRaised
from checkpoint.granting import PassOffice
from checkpoint.store import SERVER, StorageFailed, Store, postgres
from checkpoint.store.election import ELECTED_LOCK
from checkpoint.store.signals import LOST
from checkpoint.voice import Voice
from checkpoint.watch import Watch
from checkpoint.web.access import digest
from tests.ground import LOOP, T0, Still, publish, wish
from tests.nursery import Nursery, nursery
from tests.places import Place
from tests.postgres import Server
from tests.seeds import rounds
from tests.server import PASSWORD, free_port
from tests.witness import FakeKiosk, fact

PATIENCE_S = 30.0
DAY = timedelta(days=1)


def until(true: Callable[[], object], what: str, every_s: float = 0.01) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(every_s)


@pytest.fixture
def shared(postgres: Server, tmp_path: Path) -> Iterator[Place]:
    """An empty PostgreSQL database."""
    with postgres.database() as url:
        yield Place("postgresql", tmp_path, url)


@pytest.fixture
def two(shared: Place) -> Iterator[tuple[Store, Store]]:
    """The stores of two processes on one database."""
    one, other = shared.open(Still()), shared.open(Still())
    yield one, other
    one.close()
    other.close()


def cut(place: Place, purpose: str) -> None:
    """The server ends the connections for a purpose."""
    place.behind(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE ?", (f"checkpoint {purpose}%",)
    )


# -- in one process -----------------------------------------------------------------------------------------------------


def test_what_is_published_in_one_process_is_heard_in_the_others_and_again_after_a_cut(
    shared: Place, two: tuple[Store, Store]
) -> None:
    one, other = two
    heard: list[tuple[str, str]] = []
    other.signals.subscribe(lambda channel, payload: heard.append((channel, payload)))

    def is_heard(payload: str) -> bool:
        one.signals.publish("test", payload)
        return ("test", payload) in heard

    until(lambda: is_heard("first"), "a signal is heard")
    cut(shared, "signals")
    until(lambda: (LOST, "") in heard, "that signals may have been missed is heard")
    until(lambda: is_heard("second"), "a signal is heard again")
    heard.clear()
    one.record(fact("f", T0, station=""))
    until(lambda: ("record", "") in heard, "the record has grown")


def test_one_is_elected_and_another_when_it_steps_down_or_its_session_ends(shared: Place, two: tuple[Store, Store]) -> None:
    one, other = two
    one.election.start(lambda: None)
    other.election.start(lambda: None)
    assert (one.election.elected(), other.election.elected()) == (True, False)
    one.election.stop()
    assert not one.election.elected()
    until(other.election.elected, "the other is elected")
    one.election.start(lambda: None)
    assert not one.election.elected()
    cut(shared, "election")
    until(lambda: one.election.elected() or other.election.elected(), "one of them is elected again")
    assert not (one.election.elected() and other.election.elected())


def test_of_two_servers_on_one_file_the_second_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = (Store.open(tmp_path / "checkpoint.db", Still()) for _ in range(2))
    called: list[str] = []
    assert second.election.elected(), "who only looks has nobody beside"
    first.election.start(lambda: None)
    second.election.start(lambda: called.append("elected"))
    assert (first.election.elected(), second.election.elected()) == (True, False)
    first.close()
    until(second.election.elected, "the second is elected")
    assert called == ["elected"]
    second.close()


def test_an_elected_session_that_is_silent_is_ended_by_the_server(
    shared: Place, two: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    monkeypatch.setattr("checkpoint.store.election.SILENT_S", 1)
    with monkeypatch.context() as patch:
        patch.setattr("checkpoint.store.election.BEAT_S", 4.0)  # one that hardly says that it lives
        patch.setattr("checkpoint.store.election.SURE_S", 0.5)
        one.election.start(lambda: None)
        assert one.election.elected()
    other.election.start(lambda: None)
    until(other.election.elected, "the other is elected")
    assert not one.election.elected()


def test_a_writer_that_stops_inside_a_transaction_does_not_hold_up_the_others_for_long(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "IDLE_WRITER_S", 1)
    one, other = shared.open(Still()), shared.open(Still())
    inside, go_on = threading.Event(), threading.Event()

    def stopped() -> str:
        inside.set()
        go_on.wait(PATIENCE_S)
        one._db.run("INSERT INTO settings VALUES ('stopped', 'and came back')")
        return "done"

    late = one._writer.submit(stopped)
    assert inside.wait(PATIENCE_S)
    assert other.record(fact("a", T0, station="")).held
    go_on.set()
    with pytest.raises(StorageFailed):
        late.result(PATIENCE_S)
    assert other.registry.setting("stopped") == ""
    assert one.record(fact("b", T0, station="")).held, "and it goes on"
    one.close()
    other.close()


def granted(store: Store, vehicle: str, number: int) -> None:
    """A pass for a truck, from now on."""
    now = store.now()
    pass_id = f"330304-{number:07d}"
    what = PassGranted(
        pass_id=pass_id, generation=1, vehicle=vehicle, crew=(f"p-{number}",), loop=LOOP, carrier="c", not_before=now - DAY,
        expires=now + DAY,
    )  # fmt: skip
    store.record(fact(f"granted-{number}", now - DAY, what, station=""))


def test_who_takes_itself_for_elected_tells_nothing_past_another(place: Place) -> None:
    clock = Still()
    store = place.open(clock)
    publish(store)
    granted(store, "浙C12345", 1)
    clock.forward(days=1)
    elected, stopped = (Watch(store, clock, lambda event, data: None) for _ in range(2))
    elected.settle()
    stopped.settle()
    store.record(fact("help", clock(), HelpCalled(person="p-1", vehicle="浙C12345", words="!"), station=""))
    stopped._learn()
    voice = Voice(store)
    stopped._look_at("浙C12345", True, clock(), voice)
    assert voice.waiting == {"浙C12345"}
    # Here it is stopped, after judging and before telling; the other tells, and it comes back.
    elected.settle()
    told = [r.fact for r in store.facts_of_kind("WarningRaised")]
    assert len(told) == 1
    spoken = voice.speak()
    assert (spoken.outrun, spoken.again, spoken.told_to) == (True, {"浙C12345"}, 0)
    stopped.settle()
    assert [r.fact for r in store.facts_of_kind("WarningRaised")] == told
    assert store.verify().ok
    store.close()


def test_two_processes_that_grant_the_same_request_at_once_grant_one_pass(two: tuple[Store, Store]) -> None:
    publish(two[0])
    two[0].registry.sealing_key()
    offices = [PassOffice(store, store.now, store.record) for store in two]
    for n in range(5):
        together = threading.Barrier(2)

        def grant(office: PassOffice, request: str, together: threading.Barrier = together) -> str:
            together.wait()
            return office.grant(request, "c").pass_id

        request = offices[0].request(wish(vehicle=f"浙C{n:05d}"), "carrier")
        with ThreadPoolExecutor(2) as threads:
            granted = {done.result() for done in [threads.submit(grant, office, request) for office in offices]}
        assert len(granted) == 1
    assert len(two[0].facts_of_kind("PassGranted")) == 5


def test_a_process_whose_clock_is_behind_takes_back_nothing_that_another_told(place: Place) -> None:
    ahead, behind = Still(), Still()
    store = place.open(ahead)
    publish(store)
    granted(store, "浙C12345", 1)
    watches = [Watch(store, clock, lambda event, data: None) for clock in (ahead, behind)]
    for clock, watch in zip((ahead, behind), watches, strict=True):
        clock.forward(days=1)
        watch.settle()
    ahead.forward(seconds=1)
    store.record(fact("help", ahead(), HelpCalled(person="p-1", vehicle="浙C12345", words="!"), station=""))
    for _ in range(2):
        for watch in watches:
            watch.settle()
    kinds = [type(r.fact.what).__name__ for r in store.facts_after(0, 100) if r.fact.witness == SERVER]
    assert kinds == ["WarningRaised"]
    store.close()


# -- real processes -------------------------------------------------------------------------------------------------------


class Servers:
    """Servers on one database, and a kiosk that tells any of them."""

    def __init__(self, place: Place, begun: Nursery, count: int) -> None:
        self.place, self.begun = place, begun
        self.ports: dict[int, int] = {}
        self.store = place.open(utc_now)
        publish(self.store)
        made = self.store.registry.add_kiosk("panqiao", digest("token"), utc_now() + DAY)
        self.kiosk = FakeKiosk(made.id, "panqiao")
        self.store.registry.enrol_kiosk(digest("token"), self.kiosk.public_key, digest("key"))
        self.calls = 0
        for _ in range(count):
            self.begin()

    def begin(self) -> None:
        """One more server; returns when it answers."""
        port = free_port()
        settings = {
            "CHECKPOINT_DATA": str(self.place.folder),
            "CHECKPOINT_DATABASE": str(self.place.where),
            "CHECKPOINT_PORT": str(port),
            "CHECKPOINT_FIRST_PASSWORD": PASSWORD,
        }
        pid = self.begun.begin(settings, self.place.folder / f"server-{port}.log")
        self.ports[pid] = port
        self.until_answers(pid)

    def until_answers(self, pid: int) -> None:
        """Wait until a server answers."""
        until(lambda: self._answers(self.ports[pid]), "a server answers")

    def _answers(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def elected(self) -> int:
        """The process id of the elected server; 0 while there is none."""
        rows = self.place.behind(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND ((l.classid::bigint << 32) | l.objid::bigint) = ?",
            (ELECTED_LOCK,),
        )
        return int(rows[0][0].split()[-1]) if rows else 0

    def end(self, pid: int) -> None:
        self.begun.end(pid)
        del self.ports[pid]

    def call(self, *, apart_from: int = 0) -> str:
        """A truck of its own calls for help at the station; returns its plate. Told to any server but one."""
        return self.call_at(apart_from=apart_from)[0]

    def call_at(self, *, apart_from: int = 0) -> tuple[str, int, float]:
        """The same; returns also the port it was told to, and when (`perf_counter`)."""
        self.calls += 1
        plate = f"浙C{self.calls:05d}"
        granted(self.store, plate, self.calls)
        what = HelpCalled(person=f"p-{self.calls}", vehicle=plate, words="flat tyre")
        body = self.kiosk.body(self.kiosk.tell(f"help-{self.calls}", utc_now(), what, station="panqiao"))
        ports = [port for pid, port in self.ports.items() if pid != apart_from]
        port = ports[self.calls % len(ports)]
        began = time.perf_counter()

        def held() -> bool:
            url, headers = f"http://127.0.0.1:{port}/api/v1/facts", {"Authorization": "Bearer key"}
            answer = httpx.post(url, content=body, headers=headers, timeout=30)
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200

        until(held, "the call is held")
        return plate, port, began

    def raised(self) -> Counter[tuple[str, str, str]]:
        """How often each warning was raised: by vehicle, kind and subject."""
        found = [r.fact.what for r in self.store.facts_of_kind("WarningRaised")]
        return Counter((w.vehicle, w.finding, w.subject) for w in found if isinstance(w, WarningRaised))

    def until_told(self, *plates: str) -> None:
        """Wait until these trucks' calls were told."""

        def told() -> bool:
            return set(plates) <= {vehicle for vehicle, finding, _ in self.raised() if finding == "help-called"}

        until(told, "the elected tells")


@contextmanager
def servers_on(place: Place, count: int = 3) -> Iterator[Servers]:
    with nursery() as begun:
        servers = Servers(place, begun, count)
        yield servers
        # Whatever happened: every warning once, and the record holds.
        twice = [name for name, times in servers.raised().items() if times > 1]
        assert not twice, [(r.number, r.seq, r.fact) for r in servers.store.facts_after(0, 10_000) if r.fact.witness == SERVER]
        assert len([1 for _, finding, _ in servers.raised() if finding == "help-called"]) == servers.calls
        assert servers.store.verify().ok
        servers.store.close()


def test_when_the_elected_is_killed_another_tells_and_nothing_is_told_twice(shared: Place) -> None:
    with servers_on(shared) as servers:
        plates = [servers.call()]
        servers.until_told(*plates)
        for turn in range(rounds(2, soak=20)):
            elected = servers.elected()
            assert elected in servers.ports
            plates += [servers.call(apart_from=elected) for _ in range(4)]  # it may be telling of some of them in one breath
            if turn % 2:
                time.sleep(0.15)  # it may be just about to tell
            servers.end(elected)
            plates.append(servers.call())
            servers.until_told(*plates)
            servers.begin()


def test_an_elected_server_that_is_stopped_and_comes_back_tells_nothing_that_was_told_meanwhile(shared: Place) -> None:
    with servers_on(shared) as servers:
        until(servers.elected, "one is elected")
        for _ in range(rounds(1, soak=8)):
            elected = servers.elected()
            before = servers.call(apart_from=elected)
            servers.begun.send(elected, signal.SIGSTOP)
            servers.until_told(before, servers.call(apart_from=elected))
            assert servers.elected() not in (0, elected)
            servers.begun.send(elected, signal.SIGCONT)
            servers.until_answers(elected)
            servers.until_told(servers.call())
            time.sleep(1)  # what it would tell twice it would tell now


def test_a_scan_told_to_one_server_reaches_a_board_that_another_shows(shared: Place) -> None:
    with servers_on(shared, 2) as servers:
        ports = list(servers.ports.values())
        signed_in = httpx.post(
            f"http://127.0.0.1:{ports[0]}/api/v1/session", json={"account": "coordinator", "passphrase": PASSWORD}
        )
        heard: list[tuple[int, str, str]] = []
        streams = [threading.Thread(target=listen, args=(port, signed_in.json()["token"], heard), daemon=True) for port in ports]
        for stream in streams:
            stream.start()
        until(lambda: len(heard) == len(ports), "every board is open")
        plate = servers.call()
        wanted = {(port, event) for port in ports for event in ("vehicle", "warning")}
        until(lambda: wanted <= {(port, event) for port, event, data in heard if plate in data}, "every board hears of it")


def listen(port: int, token: str, heard: list[tuple[int, str, str]]) -> None:
    """A board left open at one server: what it hears."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"http://127.0.0.1:{port}/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        heard.append((port, "open", ""))
        event = ""
        try:
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    heard.append((port, event, line))
        except httpx.HTTPError:
            return
