"""Truck terminals at the desk: enrolled, seen, opened again, shut out; and what each is told to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from struct import pack, unpack, unpack_from
from typing import Any

import pytest
from starlette.testclient import TestClient

from checkpoint.core.facts import Fact, Left, Loaded, PassGranted, PassRevoked, What
from checkpoint.core.loop import parse
from checkpoint.decoders.jt808 import Message
from checkpoint.demo.drawing import DOCUMENT
from checkpoint.gateway import Gateway, Limits, Tally
from checkpoint.gateway.orders import MOST_TURNS, turns_of
from checkpoint.store import Store
from checkpoint.web import access
from checkpoint.web.access import COORDINATOR
from checkpoint.web.app import create_app
from tests.ground import LOOP, T0, Still, publish, store_in
from tests.terminal import DEVICE, NUMBER, PLATE, Terminal, gateway, let_in, until

QUICK = Limits(sweep_s=0.02, note_s=0.1, orders_s=0.05, answer_s=0.3)


class Desk:
    """The desk and the gateway of one server."""

    def __init__(self, app: Any, g: Gateway, client: TestClient, store: Store, clock: Still) -> None:
        self.house, self.gateway, self.client, self.store, self.clock = app.state.house, g, client, store, clock
        self.port = g.tally.port

    def see(self, device: str = DEVICE) -> str:
        return self.client.get(f"/stations/terminals/{device}").text

    def enrol(self, number: str = "0" + NUMBER, plate: str = PLATE) -> Any:
        return self.client.post("/stations/terminals", data={"number": number, "vehicle": plate})

    def press(self, what: str) -> Any:
        return self.client.post(f"/stations/terminals/{DEVICE}/{what}")


@contextmanager
def opened(folder: Path, interval_s: int = 0) -> Iterator[Desk]:
    clock = Still()
    store = store_in(folder, clock)
    tally = Tally()
    app = create_app(store, clock, public_url="https://loop.example", terminals=tally)
    house = app.state.house
    with gateway(store, clock, house.intake, QUICK, tally=tally, looks=house.watch.looks, interval_s=interval_s) as g:
        client = TestClient(app, base_url="https://loop.example", headers={"accept": "text/html", "accept-language": "en"})
        token = access.open_session(house, role=COORDINATOR, who=COORDINATOR, name="周敏")
        client.cookies.set(access.cookie_name(house, COORDINATOR), token)
        yield Desk(app, g, client, store, clock)
    store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as found:
        yield found


# -- at the desk --------------------------------------------------------------------------------------------------------------


def test_a_terminal_is_enrolled_by_number_and_plate_and_then_comes_by_itself(desk: Desk) -> None:
    answer = desk.enrol()
    assert answer.url.path == f"/stations/terminals/{DEVICE}"
    assert f"loop.example:{desk.port}" in answer.text
    assert "has not registered" in answer.text
    terminal, _ = let_in(desk.port)
    assert terminal.tell(0) == 0
    page = desk.see()
    for said in ("connected since", "JT/T 808-2013", "A6-0001", PLATE, "only the same device may register again"):
        assert said in page
    assert [fix.device for fix in desk.store.positions(PLATE)] == [DEVICE]
    listed = desk.client.get("/stations/terminals").text
    assert f'href="/stations/terminals/{DEVICE}"' in listed
    assert f'href="/stations/trackers/{DEVICE}"' not in desk.client.get("/stations").text
    assert desk.client.get(f"/stations/trackers/{DEVICE}").url.path == f"/stations/terminals/{DEVICE}"


@pytest.mark.parametrize(("number", "plate"), [("", PLATE), ("12x4", PLATE), ("1" * 21, PLATE), (NUMBER, "nothing")])
def test_what_is_no_number_or_no_plate_is_said_and_enrols_nothing(desk: Desk, number: str, plate: str) -> None:
    answer = desk.enrol(number, plate)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert desk.store.registry.terminals() == {}


def test_a_plate_that_differs_and_a_device_that_is_another_stand_on_the_page(desk: Desk) -> None:
    desk.enrol()
    terminal = Terminal(desk.port)
    code = terminal.register(plate="浙C99999")[1]
    assert terminal.prove(code) == 0
    assert "浙C99999" in desk.see()
    assert "浙C99999" in desk.client.get("/stations/terminals").text
    assert Terminal(desk.port).register(terminal_id="B7-<b>9")[0] == 3
    page = desk.see()
    assert "another device registered under this number" in page
    assert "B7-&lt;b&gt;" in page


def test_strangers_that_knocked_are_listed_and_what_they_say_is_harmless(desk: Desk) -> None:
    assert Terminal(desk.port, "13800000000").register(terminal_id="<b>x")[0] == 4
    page = desk.client.get("/stations/terminals").text
    assert "13800000000" in page
    assert "&lt;b&gt;x" in page
    stranger = Terminal(desk.port, "13800000001")
    assert stranger.tell(0, 10, 20) == 1
    row = desk.client.get("/stations/terminals").text.split("13800000001", 1)[1].split("</tr>", 1)[0]
    assert '<td class="figures">1</td><td class="figures">3</td>' in row


def test_shut_out_at_the_desk_it_is_cut_off_and_let_in_again_when_registration_is_opened(desk: Desk) -> None:
    desk.enrol()
    terminal, code = let_in(desk.port)
    assert desk.press("shut-out").status_code == 200
    assert terminal.is_cut()
    assert "Shut out since" in desk.see()
    assert Terminal(desk.port).prove(code) == 1
    assert Terminal(desk.port).register() == (4, "")
    desk.press("open")
    assert "any device may register under this number" in desk.see()
    assert Terminal(desk.port).prove(code) == 1, "not with the code of before"
    let_in(desk.port)


def test_one_that_is_opened_again_right_after_it_was_shut_out_gets_a_code_that_is_good(desk: Desk) -> None:
    desk.enrol()
    given = Terminal(desk.port).register()[1]
    desk.press("shut-out")
    desk.press("open")
    code = Terminal(desk.port).register()[1]
    assert code != given
    assert Terminal(desk.port).prove(given) == 1
    assert Terminal(desk.port).prove(code) == 0


def test_a_number_that_was_shut_out_is_not_enrolled_over_and_it_is_said_how_it_is_opened(desk: Desk) -> None:
    desk.enrol()
    desk.press("shut-out")
    page = desk.enrol(plate="浙C54321")
    assert page.status_code == 409
    told = desk.client.post("/api/v1/terminals", json={"number": NUMBER, "vehicle": "浙C54321"})
    assert (told.status_code, told.json()["type"].rpartition("/")[2]) == (409, "terminal-out")
    for said in (page.text, told.json()["detail"]):
        assert f"/stations/terminals/{DEVICE}" in said
        assert "Open registration again" in said.replace("&#34;", "")
    terminal = desk.store.registry.terminals()[DEVICE]
    assert (terminal.plate, terminal.revoked_at, terminal.open_until) == (PLATE, T0, None)
    assert desk.house.intake.vehicle_of(DEVICE, T0) == PLATE, "what it reported stays laid to whose it was"
    desk.press("open")
    assert desk.enrol(plate="浙C54321").status_code == 200
    assert desk.store.registry.terminals()[DEVICE].plate == "浙C54321"


def test_the_trackers_own_way_to_shut_out_shuts_a_terminal_out_as_well(desk: Desk) -> None:
    desk.enrol()
    terminal, _ = let_in(desk.port)
    assert desk.client.post(f"/stations/shut-out/{DEVICE}").status_code == 200
    assert terminal.is_cut()
    assert desk.client.post(f"/stations/trackers/{DEVICE}").status_code == 404, "a terminal gets no tracker's key"


def test_nobody_speaks_in_a_terminals_name_by_another_way(desk: Desk) -> None:
    desk.enrol()
    asked = {"id": DEVICE, "lat": "28.0", "lon": "120.6", "timestamp": str(int(T0.timestamp()))}
    assert desk.client.get("/api/v1/positions/osmand", params=asked).status_code == 403
    bound = desk.client.post("/stations/devices", data={"device": "terminal-13800000000", "vehicle": PLATE})
    assert bound.status_code == 422
    assert desk.store.positions(PLATE) == []


def test_alarms_at_the_last_position_are_named_on_the_page(desk: Desk) -> None:
    desk.enrol()
    terminal, _ = let_in(desk.port)
    desk.clock.forward(minutes=5)
    assert terminal.tell(0, alarms=1 << 23 | 1 << 2) == 0
    page = desk.see()
    t = desk.house.texts("en")
    assert t("alarm.route-deviation") in page
    assert t("alarm.fatigue") in page


def test_connections_messages_and_refusals_are_counted(desk: Desk) -> None:
    desk.enrol()
    terminal, _ = let_in(desk.port)
    terminal.tell(0)
    terminal.ask(0x0002)
    Terminal(desk.port).prove("wrong")
    text = desk.house.meters.text(desk.house).decode()
    for line in (
        "checkpoint_terminals 1.0",
        'checkpoint_terminal_messages_total{kind="heartbeat"} 1.0',
        "checkpoint_terminal_acknowledged_total 1.0",
        'checkpoint_terminal_refused_total{why="authentication"} 1.0',
    ):
        assert line in text
    assert NUMBER not in text


# -- what it is told ----------------------------------------------------------------------------------------------------------


def under_way(desk: Desk) -> None:
    """The truck has a pass and has left the depot."""
    store = desk.store

    def tell(name: str, what: What, station: str = "") -> None:
        store.record(Fact(id=name, at=T0 - timedelta(minutes=10), witness="desk:coordinator", what=what, station=station))

    granted = PassGranted(
        pass_id="330304-1", generation=1, vehicle=PLATE, crew=("p-1",), loop=LOOP, carrier="c",
        not_before=T0 - timedelta(hours=1), expires=T0 + timedelta(days=1),
    )  # fmt: skip
    tell("granted", granted)
    tell("loaded", Loaded(vehicle=PLATE, pass_id="330304-1", parcels_count=1, seal="x"), "panqiao")
    tell("left", Left(vehicle=PLATE, pass_id="330304-1"), "panqiao")
    desk.house.watch.settle()


def order(terminal: Terminal) -> Message:
    """The next thing the platform orders."""
    heard = terminal.orders.pop(0) if terminal.orders else terminal.hear()
    assert heard is not None
    return heard


def answer(terminal: Terminal, to: Message, result: int) -> None:
    terminal.send(0x0001, pack(">HHB", to.serial, to.msg_id, result))


def state(desk: Desk, what: str) -> str:
    return str(getattr(desk.store.registry.terminals()[DEVICE], what))


def test_it_is_told_how_often_to_report_and_its_answer_is_written_down(tmp_path: Path) -> None:
    with opened(tmp_path, interval_s=15) as desk:
        desk.enrol()
        terminal, code = let_in(desk.port)
        told_it = order(terminal)
        assert told_it.msg_id == 0x8103
        assert unpack(">B IBI IBI IBI", told_it.body) == (3, 0x0001, 4, 60, 0x0020, 4, 0, 0x0029, 4, 15)
        answer(terminal, told_it, 0)
        until(lambda: state(desk, "parameters_state") == "taken")
        again, _ = let_in(desk.port, code)
        with pytest.raises(TimeoutError):
            again.hear(0.3)
        assert "a position every 15 s" in desk.see()


def test_what_it_does_not_support_is_shown_and_not_sent_again_until_somebody_asks(tmp_path: Path) -> None:
    with opened(tmp_path, interval_s=15) as desk:
        desk.enrol()
        terminal, code = let_in(desk.port)
        answer(terminal, order(terminal), 3)
        until(lambda: state(desk, "parameters_state") == "unsupported")
        with pytest.raises(TimeoutError):
            terminal.hear(0.3)
        assert "does not support it" in desk.see()
        desk.press("orders")
        again, _ = let_in(desk.port, code)
        assert order(again).msg_id == 0x8103


def test_one_that_never_answers_is_told_three_times(tmp_path: Path) -> None:
    with opened(tmp_path, interval_s=15) as desk:
        desk.enrol()
        terminal, _ = let_in(desk.port)
        assert [order(terminal).msg_id for _ in range(3)] == [0x8103] * 3
        until(lambda: state(desk, "parameters_state") == "silent")
        with pytest.raises(TimeoutError):
            terminal.hear(0.5)


def test_the_line_of_the_leg_is_set_and_taken_off_when_another_is_to_be_kept_to(desk: Desk) -> None:
    desk.enrol()
    under_way(desk)
    terminal, _ = let_in(desk.port)
    first = order(terminal)
    assert first.msg_id == 0x8606
    number, alarms, count = unpack_from(">IHH", first.body)
    assert (alarms, count) == (1 << 3 | 1 << 4 | 1 << 5, 2), "a straight line has two ends"
    points = [unpack_from(">IIIIBB", first.body, 8 + 18 * n)[2:5] for n in range(count)]
    assert points == [(28_000_000, 120_600_000, 255), (28_200_000, 120_600_000, 255)]
    answer(terminal, first, 0)
    until(lambda: state(desk, "route_state") == "taken")
    assert state(desk, "route") == f"{LOOP}/1/outbound"

    publish(desk.store, version=2, effective_from=(T0 - timedelta(minutes=1)).isoformat())
    desk.house.watch.settle()
    gone = order(terminal)
    assert (gone.msg_id, gone.body) == (0x8607, b"\x01" + number.to_bytes(4, "big"))
    answer(terminal, gone, 0)
    second = order(terminal)
    assert (second.msg_id, second.body[:4] != first.body[:4]) == (0x8606, True)
    answer(terminal, second, 3)
    until(lambda: state(desk, "route_state") == "unsupported")
    publish(desk.store, version=3, effective_from=(T0 - timedelta(seconds=30)).isoformat())
    desk.house.watch.settle()
    with pytest.raises(TimeoutError):
        terminal.hear(0.4)


def test_a_truck_whose_pass_is_over_keeps_no_line(desk: Desk) -> None:
    desk.enrol()
    under_way(desk)
    terminal, _ = let_in(desk.port)
    answer(terminal, order(terminal), 0)
    until(lambda: state(desk, "route_state") == "taken")
    desk.store.record(Fact(id="revoked", at=T0, witness="desk:coordinator", what=PassRevoked(pass_id="330304-1", reason="x")))
    desk.house.watch.settle()
    assert order(terminal).msg_id == 0x8607
    until(lambda: state(desk, "route") == "")


def test_the_demonstrations_lines_fit_into_a_terminal() -> None:
    loop = parse(DOCUMENT.read_bytes())
    for leg in ("outbound", "inbound"):
        turns = turns_of(loop, leg)
        assert 2 < len(turns) <= MOST_TURNS
        assert {turn.width_m for turn in turns} <= set(range(100, 256))


def test_orders_hold_no_position_up(tmp_path: Path) -> None:
    with opened(tmp_path, interval_s=15) as desk:
        desk.enrol()
        under_way(desk)
        terminal, _ = let_in(desk.port)
        assert terminal.tell(*range(0, 300, 10)) == 0
    assert len(terminal.orders) >= 1
