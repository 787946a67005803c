"""Kiosk and server in one process over a line that loses requests, loses answers and delivers twice.

What must hold at every moment: held and waiting together are what was seen, each once.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from checkpoint.config import Clock, steady_of
from checkpoint.core.facts import Fact, TubeSealed, Voided, encode
from kiosk import link as link_module
from kiosk.deeds import AnyDeed, Enter, Leave, Measure
from kiosk.link import LineDown, Link, LockedOut, NotEnrolled, enrol
from kiosk.outbox import Outbox
from tests.ground import T0, Still
from tests.seeds import seeds
from tests.station import SERVER, Ground, ground
from tests.test_outbox import enrolment, fact


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        yield found


def held(g: Ground) -> dict[str, int]:
    """How often the server's record holds each of this kiosk's facts."""
    enrolled = g.kiosk.outbox.enrolment
    assert enrolled is not None
    count: dict[str, int] = {}
    after = 0
    while told := g.store.facts_after(after, 500):
        for recorded in told:
            if recorded.fact.witness == enrolled.witness:
                count[recorded.fact.id] = count.get(recorded.fact.id, 0) + 1
        after = told[-1].number
    return count


def state(g: Ground) -> str:
    return g.kiosk.link.state.state


def offset(link: Link) -> float | None:
    return link.state.offset_s


def waiting(g: Ground) -> set[str]:
    return {entry.id for entry in g.kiosk.outbox.waiting(10_000)}


TROUBLES = ("", "", "dead", "answer-lost", "twice", "portal")


@pytest.mark.parametrize("seed", seeds(8))
def test_held_and_waiting_together_are_what_was_seen(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with ground(tmp_path) as g:
        number = g.pass_()
        g.tested(number)
        g.pull()
        g.line.trouble = lambda: rng.choice(TROUBLES)
        seen: list[str] = []
        desk = g.kiosk.desk
        g.sign_on()
        for _ in range(30):
            turn = rng.random()
            g.clock.forward(seconds=rng.randint(1, 39))  # 20 minutes at most: nobody is signed off
            try:
                if turn < 0.4:
                    desk.scan(g.live(number))
                elif turn < 0.6:
                    deeds: tuple[AnyDeed, ...] = (Enter(), Leave(), Measure(person=g.crew(number)[0], celsius=36.5))
                    desk.do(rng.choice(deeds))
                elif turn < 0.9:
                    g.kiosk.link.push_once()
                else:
                    g.kiosk.link.pull_once()
            except LineDown:
                pass
            seen = [f.id for f in g.kiosk.outbox.own_facts()]
            at_server = held(g)
            assert set(at_server) | waiting(g) == set(seen)
            assert all(times == 1 for times in at_server.values())
        assert len(seen) > 8
        g.line.trouble = lambda: ""
        g.push()
        assert waiting(g) == set()
        assert held(g) == dict.fromkeys(seen, 1)
        assert g.store.verify().problems == ()
        g.pull()
        assert len(seen) == len(set(seen)) == len(list(g.kiosk.outbox.own_facts()))


def test_a_fact_the_server_sets_aside_is_kept_by_both_and_shown(g: Ground) -> None:
    outbox = g.kiosk.outbox
    enrolled = outbox.enrolment
    assert enrolled is not None
    mine = Fact(id="same-id", at=T0, witness=enrolled.witness, what=TubeSealed(tube="T1"), station="sampling-1")
    g.store.record(msgspec.structs.replace(mine, witness="desk:other", what=TubeSealed(tube="T2")))
    outbox.record(mine, msgspec.structs.replace(mine, id="another"))
    g.push()
    assert [(a.id, a.why) for a in outbox.aside()] == [("same-id", "id-taken")]
    assert waiting(g) == set()
    assert set(held(g)) == {"another"}
    assert any(a.raw == encode(mine) for a in g.store.aside())


def test_what_was_learnt_elsewhere_reaches_the_desk(g: Ground) -> None:
    number = g.pass_()
    g.tested(number)
    g.pull()
    g.kiosk.desk.scan(g.live(number))
    assert g.shown[0] == "GO"
    g.revoke(number)
    g.pull()
    assert g.shown == ("STOP", ("pass-revoked",))
    words = [f.what.shown.word for f in g.kiosk.outbox.own_facts() if hasattr(f.what, "shown")]
    assert words == ["GO", "STOP"], "both were shown, and the record says so"


def test_the_lists_are_as_old_as_their_last_complete_reading(g: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PAGE", 2)
    g.clock.forward(hours=3)
    for _ in range(3):
        g.pass_()
    assert g.kiosk.link.pull_once(), "there is more"
    assert g.kiosk.desk.screen().lists_age_s == 3 * 3600
    g.pull()
    assert g.kiosk.desk.screen().lists_age_s == 0


def test_a_dead_line_is_told_from_a_kiosk_that_was_closed(g: Ground) -> None:
    g.line.trouble = lambda: "dead"
    with pytest.raises(LineDown):
        g.kiosk.link.pull_once()
    assert state(g) == "down"
    g.line.trouble = lambda: ""
    g.pull()
    assert state(g) == "up"
    enrolled = g.kiosk.outbox.enrolment
    assert enrolled is not None
    g.store.registry.close_kiosk(enrolled.kiosk)
    with pytest.raises(LockedOut):
        g.kiosk.link.pull_once()
    assert state(g) == "locked-out"


def test_a_guest_networks_page_is_no_answer(g: Ground) -> None:
    number = g.pass_()
    g.pull()
    g.kiosk.desk.scan(g.sheet(number))
    g.line.trouble = lambda: "portal"
    with pytest.raises(LineDown, match="not our server"):
        g.kiosk.link.push_once()
    assert len(waiting(g)) == 1


def scripted(tmp_path: Path, answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Outbox, Link]:
    outbox = Outbox(tmp_path / "kiosk.db")
    outbox.enrol(enrolment())
    return outbox, Link(outbox, Still(), lambda facts: None, transport=httpx.MockTransport(answer), steady=lambda: 0.0)


def test_one_fact_the_server_will_not_look_at_never_blocks_the_others(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        ids = [entry["fact"]["id"] for entry in msgspec.json.decode(request.read())["entries"]]
        if "f-3" in ids:
            return httpx.Response(413)
        return httpx.Response(200, json={"held": ids, "set_aside": [], "server_time": T0.isoformat()})

    outbox, link = scripted(tmp_path, answer)
    outbox.record(*(fact(i) for i in range(1, 9)))
    for _ in range(12):
        try:
            link.push_once()
        except LineDown:
            break
    assert [e.id for e in outbox.waiting(10)] == ["f-3"]
    assert outbox.depth().refused == 1
    link.stop()
    outbox.close()


def test_an_answer_that_names_strangers_forgets_nothing(tmp_path: Path) -> None:
    said = {
        "held": ["not-mine"],
        "set_aside": [{"id": "nor-this", "seq": 1, "why": "x", "detail": ""}],
        "server_time": T0.isoformat(),
    }
    outbox, link = scripted(tmp_path, lambda request: httpx.Response(200, json=said))
    outbox.record(fact(1))
    with pytest.raises(LineDown, match="names none"):
        link.push_once()
    assert [e.id for e in outbox.waiting(10)] == ["f-1"]
    link.stop()
    outbox.close()


def test_facts_go_up_in_batches_the_server_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = request.read()
        sizes.append(len(body))
        ids = [entry["fact"]["id"] for entry in msgspec.json.decode(body)["entries"]]
        return httpx.Response(200, json={"held": ids, "set_aside": [], "server_time": T0.isoformat()})

    monkeypatch.setattr(link_module, "BATCH_BYTES", 4000)
    outbox, link = scripted(tmp_path, answer)
    outbox.record(*(msgspec.structs.replace(fact(i), what=Voided(target="t", reason="长" * 300)) for i in range(1, 9)))
    while link.push_once():
        pass
    assert outbox.depth().waiting == 0
    assert len(sizes) == 3
    assert max(sizes) < 5500
    link.stop()
    outbox.close()


def test_a_hurried_clock_was_not_set_by_anybody(tmp_path: Path) -> None:
    real, count = [T0], [0.0]
    clock = Clock(T0, 60, now=lambda: real[0], count=lambda: count[0])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"held": ["f-1"], "set_aside": [], "server_time": clock().isoformat()})

    outbox = Outbox(tmp_path / "kiosk.db")
    outbox.enrol(enrolment())
    link = Link(outbox, clock, lambda facts: None, transport=httpx.MockTransport(answer), steady=steady_of(clock))
    outbox.record(fact(1))
    link.push_once()
    real[0], count[0] = T0 + timedelta(minutes=10), 600.0
    assert offset(link) == 0, "ten hours went by on both of its counts"
    real[0] += timedelta(minutes=1)  # somebody set the machine's clock
    assert offset(link) == -3600
    link.stop()
    outbox.close()


def test_the_clocks_are_compared_in_every_answer(tmp_path: Path) -> None:
    clock, count = Still(), [0.0]
    server_time = T0 - timedelta(seconds=90)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"held": ["f-1"], "set_aside": [], "server_time": server_time.isoformat()})

    outbox = Outbox(tmp_path / "kiosk.db")
    outbox.enrol(enrolment())
    link = Link(outbox, clock, lambda facts: None, transport=httpx.MockTransport(answer), steady=lambda: count[0])
    assert offset(link) is None, "nobody has compared it yet"
    outbox.record(fact(1))
    link.push_once()
    assert offset(link) == -90, "to be added to this clock to have the server's"
    clock.forward(minutes=5)
    count[0] += 300
    assert offset(link) == -90
    clock.forward(days=1)  # somebody set the clock
    assert offset(link) == -90 - 86400
    link.stop()
    clock.at = T0 + timedelta(minutes=6)
    again = Link(outbox, clock, lambda facts: None, steady=lambda: 5.0)
    assert offset(again) == -90, "kept over a restart"
    again.stop()
    clock.at = T0 - timedelta(hours=1)
    back = Link(outbox, clock, lambda facts: None, steady=lambda: 5.0)
    assert offset(back) is None, "the clock went back behind what it showed before"
    back.stop()
    outbox.close()


@pytest.mark.parametrize(
    ("server", "token", "answer", "why"),
    [
        ("ftp://x", "t", None, "bad-address"),
        ("not an address", "t", None, "bad-address"),
        (SERVER, "  ", None, "bad-token"),
        (SERVER, "代码", None, "bad-token"),
        (SERVER, "t", httpx.Response(403), "bad-token"),
        (SERVER, "t", httpx.Response(404), "unreachable"),
        (SERVER, "t", httpx.Response(502), "unreachable"),
        (SERVER, "t", httpx.Response(200, text="<html>"), "unreachable"),
    ],
)
def test_enrolling_says_what_is_wrong(server: str, token: str, answer: httpx.Response | None, why: str) -> None:
    with pytest.raises(NotEnrolled) as raised:
        enrol(token, server, transport=httpx.MockTransport(lambda request: answer or httpx.Response(500)))
    assert raised.value.why == why


def test_a_token_works_once(g: Ground) -> None:
    with pytest.raises(NotEnrolled) as raised:
        g.kiosk.enrol("enrol-token", SERVER)
    assert raised.value.why == "bad-token"


def test_the_loops_push_by_themselves_and_stop(g: Ground) -> None:
    number = g.pass_()
    g.pull()
    others = set(threading.enumerate())
    g.kiosk.link.start()
    loops = [thread for thread in set(threading.enumerate()) - others if thread.name in {"kiosk-push", "kiosk-pull"}]
    assert len(loops) == 2
    g.kiosk.desk.scan(g.sheet(number))
    deadline = time.monotonic() + 5
    while g.kiosk.outbox.depth().waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert g.kiosk.outbox.depth().waiting == 0
    g.kiosk.link.stop()
    assert not any(thread.is_alive() for thread in loops)


def test_a_kiosk_enrolled_anew_tells_what_waited(g: Ground) -> None:
    number = g.pass_()
    g.pull()
    g.kiosk.desk.scan(g.sheet(number))
    old = g.kiosk.outbox.enrolment
    assert old is not None
    g.store.registry.close_kiosk(old.kiosk)
    g.store.registry.add_kiosk("sampling-1", hashlib.sha256(b"anew").hexdigest(), g.clock() + timedelta(days=1))
    g.kiosk.enrol("anew", SERVER)
    g.push()
    assert waiting(g) == set()
    assert len(held(g)) == 1
