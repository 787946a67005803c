"""How much one may ask: buckets that nobody else empties, and places that nobody vital has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from checkpoint.web import access, limits
from checkpoint.web.access import ANYONE, COORDINATOR, DRIVER, KIOSK, SAFE
from checkpoint.web.limits import GUESSES, HELP, LINKS, ORDINARY, STATIONS, STREAMS_EACH, Full, Limits, Rate, TooMany, bucket_of
from checkpoint.web.routes import TABLE
from tests.desk import BASE, Desk, desk
from tests.fleet import Fleet
from tests.server import served
from tests.test_access import client_as

SLOW = Rate("slow", 3, 0.5)


class Count:
    """A steady count that the test moves on."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def spent(bucket: Limits, rate: Rate, who: str, most: int = 10_000) -> int:
    """How many requests a caller gets through before the first refusal."""
    for count in range(most):
        try:
            bucket.spend(rate, who)
        except TooMany:
            return count
    return most


# -- buckets ------------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    count = Count()
    bucket = Limits(1, count)
    assert spent(bucket, SLOW, "a") == 3
    with pytest.raises(TooMany) as refused:
        bucket.spend(SLOW, "a")
    assert refused.value.wait_s == 2
    count.s += 2
    assert spent(bucket, SLOW, "a") == 1, "after the wait that was told, one more"
    count.s += 3600
    assert spent(bucket, SLOW, "a") == 3, "and never more than the burst"


def test_nobody_empties_anothers_bucket_nor_one_rate_anothers() -> None:
    bucket = Limits(1, Count())
    spent(bucket, SLOW, "a")
    assert spent(bucket, SLOW, "b") == 3
    assert spent(bucket, HELP, "a") == HELP.burst


def test_all_rates_can_be_made_higher_or_taken_away() -> None:
    assert spent(Limits(2, Count()), SLOW, "a") == 6
    assert spent(Limits(0, Count()), SLOW, "a") == 10_000


def test_buckets_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT", 10)
    bucket = Limits(1, Count())
    for i in range(100):
        bucket.spend(SLOW, str(i))
    assert len(bucket._buckets) == 10


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::9", "2001:0db8:0001:0002"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("somewhere", "somewhere"),
    ],
)
def test_one_line_in_ipv6_is_one_bucket(address: str, bucket: str) -> None:
    assert bucket_of(address) == bucket


# -- the table ----------------------------------------------------------------------------------------------------------


def test_what_can_be_guessed_may_be_tried_seldom() -> None:
    """Whatever anyone may send us, and that is more than a position or a good-bye, has the rate of guesses or of links."""
    slow = (GUESSES, LINKS)
    writing = [rule for rule in TABLE if ANYONE in rule.who and set(rule.methods) - SAFE]
    open_to_all = {rule.path for rule in writing if rule.rate not in slow}
    assert open_to_all == {
        "/api/v1/positions/osmand", "/api/v1/positions/owntracks", "/sign-out",
        "/join/{token}/strength", "/sign-in/passkey/ask", "/sign-in/passkey",  # nothing to be guessed there
    }  # fmt: skip


def test_scans_and_calls_for_help_are_vital_and_have_buckets_of_their_own() -> None:
    rows = {rule.path: rule for rule in TABLE}
    assert rows["/api/v1/facts"].vital
    assert rows["/api/v1/facts"].rate is STATIONS
    assert rows["/driver/help"].vital
    assert [rule.path for rule in TABLE if rule.rate is HELP] == ["/driver/help"]


# -- requests -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[tuple[Desk, Count]]:
    """A server with bounds."""
    count = Count()
    with desk(tmp_path, told=Fleet({}, ()), limits=Limits(1, count)) as found:
        yield found, count


def from_address(found: Desk, address: str, role: str = "", who: str = "x") -> TestClient:
    client = TestClient(found.app, base_url=BASE, client=(address, 4000), follow_redirects=False)
    if role:
        client.headers["authorization"] = f"Bearer {access.open_session(found.house, role=role, who=who)}"
    return client


def test_who_asks_too_often_is_told_when_to_come_again(bounded: tuple[Desk, Count]) -> None:
    found, count = bounded
    client = from_address(found, "203.0.113.9")
    for _ in range(GUESSES.burst):
        assert client.post("/api/v1/session", json={}).status_code == 400
    refused = client.post("/api/v1/session", json={}, headers={"accept-language": "en"})
    assert refused.status_code == 429
    assert refused.json()["type"].endswith("/problems/too-many")
    assert refused.headers["retry-after"] == "2"
    assert "2 s" in refused.json()["detail"]
    assert from_address(found, "203.0.113.10").post("/api/v1/session", json={}).status_code == 400, "another is not held up"
    count.s += 2
    assert client.post("/api/v1/session", json={}).status_code == 400


def test_a_flood_from_an_address_takes_nothing_from_those_who_are_known_there(bounded: tuple[Desk, Count]) -> None:
    """Drivers of a whole province share a mobile network's address; a kiosk may stand behind the same one."""
    found, _ = bounded
    flood = from_address(found, "203.0.113.9")
    while flood.get("/passes").status_code != 429:
        pass
    known = from_address(found, "203.0.113.9", COORDINATOR)
    assert known.get("/passes").status_code == 200
    while known.get("/board/live").status_code != 429:
        pass
    assert from_address(found, "203.0.113.9", COORDINATOR, "another").get("/passes").status_code == 200
    kiosk = client_as(found, KIOSK)
    assert kiosk.post("/api/v1/facts", json={}).status_code == 200


def test_a_drivers_own_flood_leaves_the_call_for_help(bounded: tuple[Desk, Count]) -> None:
    found, _ = bounded
    driver = from_address(found, "203.0.113.9", DRIVER)
    for _ in range(ORDINARY.burst):
        driver.get("/driver/live")
    assert driver.get("/driver/live").status_code == 429
    assert driver.post("/driver/help", json={}).status_code not in (429, 503)


def test_a_program_that_calls_its_own_machine_by_an_address_of_it_is_on_this_machine(bounded: tuple[Desk, Count]) -> None:
    found, _ = bounded
    for server, statuses in (("192.0.2.7", {400}), ("192.0.2.8", {400, 429})):
        client = TestClient(found.app, base_url=f"http://{server}", client=("192.0.2.7", 4000))
        assert {client.post("/api/v1/session", json={}).status_code for _ in range(GUESSES.burst + 5)} == statuses


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "203.0.113.9"}, {"forwarded": "for=203.0.113.9"}, {"via": "1.1 proxy"}])
def test_programs_on_this_machine_are_not_bounded_but_a_proxy_that_nobody_told_us_of_is(
    bounded: tuple[Desk, Count], headers: dict[str, str]
) -> None:
    found, _ = bounded
    here = from_address(found, "127.0.0.1")
    assert {here.post("/api/v1/session", json={}).status_code for _ in range(GUESSES.burst + 5)} == {400}
    assert {here.post("/api/v1/session", json={}, headers=headers).status_code for _ in range(GUESSES.burst + 5)} == {400, 429}


def test_a_caller_has_so_many_streams_and_no_more(bounded: tuple[Desk, Count]) -> None:
    found, _ = bounded
    client = from_address(found, "203.0.113.9", COORDINATOR)
    found.house.hub.close()
    who = "coordinator x coordinator"
    held = [found.house.limits.streaming(who) for _ in range(STREAMS_EACH)]
    for stream in held:
        stream.__enter__()
    refused = client.get("/events", headers={"accept": "text/event-stream"})
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert from_address(found, "203.0.113.9", COORDINATOR, "another").get("/events").status_code == 200
    held[0].__exit__(None, None, None)
    assert client.get("/events").status_code == 200
    assert found.house.limits._streams == {who: STREAMS_EACH - 1}, "a stream that ended is not counted"


# -- places -------------------------------------------------------------------------------------------------------------


def test_ordinary_requests_wait_their_turn_and_vital_ones_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATIENCE_S", 0.2)
    at_work, go_on = threading.Semaphore(0), threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        at_work.release()
        go_on.wait(20)
        return []

    with desk(tmp_path, told=Fleet({}, ()), limits=Limits(0, at_once=2)) as found:
        monkeypatch.setattr(type(found.store), "aside", slow)
        desk_token = access.open_session(found.house, role=COORDINATOR, who="x")
        kiosk_token = client_as(found, KIOSK).headers["authorization"]

        async def play() -> None:
            transport = httpx.ASGITransport(found.app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"accept-language": "en"}) as client:

                async def ordinary() -> httpx.Response:
                    return await client.get("/aside", headers={"authorization": f"Bearer {desk_token}"})

                held = [asyncio.create_task(ordinary()) for _ in range(2)]
                for _ in held:
                    await asyncio.to_thread(at_work.acquire)
                crowded = await ordinary()
                assert crowded.status_code == 503
                assert crowded.headers["retry-after"] == "2"
                assert "2 seconds" in crowded.json()["detail"]
                scan = await client.post("/api/v1/facts", json={}, headers={"authorization": kiosk_token})
                assert scan.status_code == 200, "a scan waits behind nobody"
                assert (await client.get("/livez")).status_code == 200
                go_on.set()
                assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
                assert (await ordinary()).status_code == 200, "places come back"

        try:
            asyncio.run(play())
        finally:
            go_on.set()


def test_beyond_a_number_nobody_even_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITING", 1)

    async def play() -> None:
        bucket = Limits(0, at_once=1)

        async def work() -> None:
            async with bucket.place():
                await asyncio.sleep(0.05)

        done = await asyncio.gather(*(work() for _ in range(3)), return_exceptions=True)
        assert [type(found) for found in done] == [type(None), type(None), Full]
        await work()

    asyncio.run(play())


# -- as it runs in earnest ------------------------------------------------------------------------------------------------


def test_a_real_server_has_bounds_and_names(tmp_path: Path) -> None:
    with served(tmp_path) as server, httpx.Client(base_url=server.address) as client:
        assert {client.get("/livez", headers={"host": host}).status_code for host in ("localhost", "evil.example")} == {200, 421}
        # A proxy that nobody told it of: its callers share one bucket.
        through = {"x-forwarded-for": "203.0.113.9"}
        answers = [client.post("/api/v1/session", json={}, headers=through) for _ in range(GUESSES.burst + 5)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(answer.headers["retry-after"] for answer in refused)
        assert client.post("/api/v1/session", json={}).status_code == 400
    assert (tmp_path / "server.log").read_text().count("CHECKPOINT_PROXIES") == 1, "and it says so, once"
