"""The simulated fleet: the same seed plays the same day, the cast is where its table says, and a real server holds all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from random import Random

import httpx
import pytest

from checkpoint.config import utc_now
from checkpoint.core import geo
from checkpoint.core.facts import Alerted, Entered, Happening, Left, Scanned, Shown, SwabTaken
from checkpoint.core.loop import Loop, parse
from checkpoint.demo.drawing import DOCUMENT
from checkpoint.simulator.cast import CAST, Role, begins, crowd
from checkpoint.simulator.devices import Receiver
from checkpoint.simulator.fleet import Fleet
from checkpoint.simulator.playing import PIN, client_of
from checkpoint.simulator.road import Road
from checkpoint.simulator.script import Event, Moved, Showed, Truck, life
from checkpoint.store import Store
from tests.server import PASSWORD, Served, free_port, served

NOW = datetime(2026, 5, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def loop() -> Loop:
    return parse(DOCUMENT.read_bytes())


@pytest.fixture(scope="module")
def road(loop: Loop) -> Road:
    return Road(loop)


def _dice(role: Role) -> Random:
    return Random(f"42:{role.plate}")


def _day(role: Role, road: Road, until: datetime = NOW) -> list[Event]:
    """A truck's events up to an instant, with gates that find everything in order."""
    truck = Truck(vehicle=role.plate, pass_id="330304-0000001", crew=role.crew, habits=role.habits, dice=_dice(role))
    script = life(truck, road, begins(role, road, NOW, lambda: _dice(role)))

    def events() -> Iterator[Event]:
        answer: Shown | None = None
        while True:
            try:
                event = script.send(answer)
            except StopIteration:
                return
            yield event
            answer = Shown(word="GO", reasons=("evidence-missing",), next_step="") if isinstance(event, Showed) else None

    return list(takewhile(lambda event: event.at <= until, events()))


def test_the_same_seed_plays_the_same_day(road: Road) -> None:
    role = CAST[1]
    assert _day(role, road) == _day(role, road)


@pytest.mark.parametrize("role", CAST, ids=[role.plate for role in CAST])
def test_each_truck_is_where_its_cue_says_when_the_curtain_rises(role: Role, road: Road) -> None:
    day = _day(role, road, NOW + timedelta(minutes=2))
    assert [event.at for event in day] == sorted(event.at for event in day)
    moment = NOW - role.cue.ago
    cued = [event for event in day if abs(event.at - moment) < timedelta(seconds=1)]
    assert any(role.cue.met(event) for event in cued), cued


def test_the_cast_has_trucks_both_ways_and_every_story_that_the_board_should_tell() -> None:
    assert len(CAST) == 20
    assert len({role.plate for role in CAST}) == 20
    legs = [role.cue.leg for role in CAST]
    assert legs.count("outbound") >= 4
    assert legs.count("inbound") >= 4
    assert sum(role.habits.strays is not None for role in CAST) == 1
    assert sum(role.habits.quiet is not None for role in CAST) == 1
    assert sum(role.habits.pcr == "positive" for role in CAST) == 1
    assert sum(role.guest for role in CAST) == 1


def test_a_truck_keeps_to_its_line_unless_its_script_strays(road: Road, loop: Loop) -> None:
    for role in (CAST[1], next(role for role in CAST if role.habits.strays)):
        moved = [event.moment for event in _day(role, road, NOW + timedelta(minutes=10)) if isinstance(event, Moved)]
        driving = [moment for moment in moved if moment.speed_kmh and moment.leg == "outbound"]
        off_m = max(loop.paths["outbound"].nearest(moment.place).off_m for moment in driving)
        assert (off_m > 1000) is (role.habits.strays is not None)
        if role.habits.strays is None:
            assert off_m < 1


def test_a_receiver_errs_by_metres_and_says_how_much(road: Road) -> None:
    receiver = Receiver(Random(1))
    moment = road.standing(NOW, "outbound", "ouhai-depot")
    seen = [receiver.see(moment) for _ in range(200)]
    errors = [geo.distance_m(moment.place, (s.lon, s.lat)) for s in seen]
    assert 2 < sum(errors) / len(errors) < 12
    assert max(errors) < 40
    assert all(4 <= s.accuracy_m <= 14 for s in seen)


def test_a_crowd_is_as_large_as_wanted_and_its_laps_are_over(road: Road) -> None:
    roles = crowd(1200, Random(1))
    assert len({role.plate for role in roles}) == 1200
    for role in roles[:5]:
        assert all(event.at < NOW for event in _day(role, road, NOW + timedelta(days=1)))


# -- before a real server ---------------------------------------------------------------------------------------------------


WANTED = {"浙C2G671", "浙C3H762", "浙C4J853", "浙C7Q226", "浙C1K026", "浙C6N135"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("fleet"), terminals_port=str(free_port())) as found:
        yield found


STANDING = {"off-loop", "silent", "positive-result", "overstay", "alert-unacknowledged"}


def test_a_small_fleet_is_held_whole_and_the_board_tells_its_stories(server: Served, loop: Loop) -> None:
    roles = [role for role in CAST if role.plate in WANTED]

    async def play() -> tuple[Fleet, dict[str, set[str]]]:
        async with client_of(server.address) as client:
            fleet = Fleet(client, loop, roles, 42, utc_now, ("127.0.0.1", int(server.settings["CHECKPOINT_TERMINALS_PORT"])))
            await fleet.prepare(PASSWORD, DOCUMENT.read_bytes(), PIN)
            await fleet.play_past()
            found: dict[str, set[str]] = {}
            for _ in range(60):
                found = await _warnings(client)
                if set().union(*found.values()) == STANDING:
                    break
                await asyncio.sleep(0.5)
            return fleet, found

    fleet, warnings = asyncio.run(play())
    assert not fleet.aside()
    assert fleet.tally.fixes > 400
    assert "off-loop" in warnings["浙C2G671"]
    assert "silent" in warnings["浙C3H762"]
    assert "positive-result" in warnings["浙C7Q226"]
    assert "overstay" in warnings["浙C6N135"]
    assert not warnings["浙C4J853"]
    assert next(link for _, link in fleet.guests()).startswith(server.address)

    told = _facts(server.data)
    words = [what.shown.word for what in told if isinstance(what, Scanned)]
    assert {"GO", "HOLD"} <= set(words)
    assert any(isinstance(what, SwabTaken) and what.vehicle == "浙C4J853" for what in told)
    ahead = sorted((what.order, what.place) for what in told if isinstance(what, Alerted))
    assert [place for _, place in ahead] == ["ningbo-service", "bay-service", "jinshan-gate", "jiading-depot"]
    # What was raised while half the past had come, and was disproved by the rest, no longer stands.
    assert set().union(*warnings.values()) == STANDING


def test_a_truck_without_evidence_is_held_tested_and_let_go_with_its_pcr_pending(tmp_path: Path, loop: Loop) -> None:
    """By the rules' own verdicts; and then the fleet plays on as time goes."""
    role = next(role for role in CAST if role.plate == "浙C4J853")

    async def play(address: str) -> Fleet:
        async with client_of(address) as client:
            fleet = Fleet(client, loop, [role], 7, utc_now)
            fleet.begun -= timedelta(minutes=40)  # the curtain rose a while ago: the past holds the reading
            await fleet.prepare(PASSWORD, DOCUMENT.read_bytes(), PIN)
            await fleet.play_past()
            playing = asyncio.create_task(fleet.play_on())
            await asyncio.sleep(1)
            assert not playing.done()
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            return fleet

    with served(tmp_path / "served") as server:
        fleet = asyncio.run(play(server.address))
        assert not fleet.aside()
        told = _facts(server.data)
    left = [what for what in told if isinstance(what, Left)]
    entered = [what for what in told if isinstance(what, Entered)]
    assert left
    assert len(entered) >= len(left)
    shown = [what.shown for what in told if isinstance(what, Scanned)]
    assert {(s.word, s.reasons[0]) for s in shown} == {("HOLD", "evidence-missing"), ("GO", "pcr-pending")}


async def _warnings(client: httpx.AsyncClient) -> dict[str, set[str]]:
    """The kinds of open warnings by plate, as a program asks for them."""
    asked = {"account": "coordinator", "passphrase": PASSWORD}
    token = (await client.post("/api/v1/session", json=asked)).json()["token"]
    answer = await client.get("/api/v1/vehicles", headers={"Authorization": f"Bearer {token}"})
    return {row["vehicle"]: set(row["kinds"]) for row in answer.json()["vehicles"]}


def _facts(data: Path) -> list[Happening]:
    store = Store.open(data / "checkpoint.db", utc_now)
    try:
        return [recorded.fact.what for recorded in store.facts_after(0, 100_000)]
    finally:
        store.close()
