"""What we say to a truck's terminal, byte by byte as the standard has it; and what its single bits mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from checkpoint.decoders import jt808
from checkpoint.decoders.jt808 import Edition, Location, Message, Peer, Route, Splitter, Turn, parse
from checkpoint.decoders.jt808.frames import checksum, unescape
from tests.terminals import EDITIONS, Terminal, place
from tests.test_jt808 import captured

AT = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
OLD, NEW = Peer("2013", bytes.fromhex("013912345678")), Peer("2019", bytes.fromhex("00000000013912345678"))
PEERS = {"2011": Peer("2011", OLD.phone_field), "2013": OLD, "2019": NEW}


def bare(frame: bytes) -> str:
    """A frame without flags, escapes and checksum, as hex."""
    (inner,) = Splitter().feed(frame)
    data = unescape(inner)
    assert checksum(data) == 0
    return data[:-1].hex()


def asked(edition: Edition = "2013", msg_id: int = 0x0200, serial: int = 0x1234) -> Message:
    (frame,) = Splitter().feed(Terminal(edition=edition, serial=serial).say(msg_id)[0])
    return parse(frame)


# -- answers --------------------------------------------------------------------------------------------------------------


def test_the_general_answer_names_what_it_answers() -> None:
    assert bare(jt808.reply_8001(OLD, 7, asked())) == "80010005" + "013912345678" + "0007" + "1234" + "0200" + "00"
    assert bare(jt808.reply_8001(NEW, 7, asked("2019"), 3)) == "80014005" + "01" + "00000000013912345678" + "0007" + "1234020003"


def test_a_registration_is_answered_with_a_code_only_when_it_succeeded() -> None:
    to = asked(msg_id=0x0100)
    assert bare(jt808.reply_8100(OLD, 1, to, 0, "k3")) == "81000005" + "013912345678" + "0001" + "1234" + "00" + b"k3".hex()
    assert bare(jt808.reply_8100(OLD, 1, to, 4, "k3")) == "81000003" + "013912345678" + "0001" + "1234" + "04"


def test_fragments_are_asked_for_with_a_count_of_one_byte_or_of_two() -> None:
    assert bare(jt808.ask_8003(OLD, 1, 0x10, [2, 5])) == "80030007" + "013912345678" + "0001" + "0010" + "02" + "00020005"
    assert bare(jt808.ask_8003(NEW, 1, 0x10, [2])).endswith("0010" + "0001" + "0002")
    for peer, most in ((OLD, 255), (NEW, 509)):
        (frame,) = Splitter().feed(jt808.ask_8003(peer, 1, 0x10, range(1, 2_000)))
        assert parse(frame).body[-2:] == most.to_bytes(2, "big")


def test_the_time_is_told_in_utc() -> None:
    china = AT.astimezone(timezone(timedelta(hours=8)))
    assert bare(jt808.time_8004(NEW, 1, china)).endswith("260503020000")


def test_parameters_are_numbers_and_texts() -> None:
    (frame,) = jt808.parameters_8103(OLD, 1, {0x0029: 10, 0x0013: "浙"})
    assert bare(frame).endswith("02" + "00000029" + "04" + "0000000a" + "00000013" + "02" + "浙".encode("gbk").hex())


def test_what_we_say_is_escaped() -> None:
    frame = jt808.reply_8001(OLD, 0x7E7D, asked(serial=0x7D7E))
    assert frame.count(b"\x7e") == 2
    assert bare(frame).endswith("7e7d7d7e020000")


@pytest.mark.parametrize("case", captured({"standard"}))
def test_captured_replies_of_platforms_are_what_we_would_have_said(case: dict[str, object]) -> None:
    """The replies of another platform, where it gave one of those we build; it always counts its messages from 0."""
    expected = case["expected"]
    assert isinstance(expected, dict)
    if not expected["spec"]["checksum_ok"]:
        return
    (frame,) = Splitter().feed(bytes.fromhex(str(case["input"])))
    message = parse(frame)
    for said in (expected.get("traccar") or {}).get("reply_hex_unescaped") or ():
        if said[2:6] == "8001":
            assert f"7e{bare(jt808.reply_8001(message.peer, 0, message))}" == said[:-4]
        elif said[2:6] == "8100":
            code = message.phone_field.hex()
            assert f"7e{bare(jt808.reply_8100(message.peer, 0, message, 0, code))}" == said[:-4]


# -- routes ---------------------------------------------------------------------------------------------------------------

LINE = (
    Turn(lat=28.0, lon=120.5, width_m=100, seconds=(600, 60), limit=(80, 10, 60)),
    Turn(lat=-28.25, lon=-120.75, width_m=255),
)
FIRST, SECOND = "01ab3f00" + "072eaf20", "01af0f90" + "07327fb0"


@pytest.mark.parametrize(
    ("edition", "body"),
    [
        ("2011", "0002" + "02" + "00000001" + FIRST + "6403" + "0258" + "0050" + "0a" + "00000002" + SECOND + "ff0c"),
        (
            "2013",
            "0002" + "0000000100000001" + FIRST + "6403" + "0258" + "003c" + "0050" + "0a" + "0000000200000002" + SECOND + "ff0c",
        ),
        (
            "2019",
            "0002" + "0000000100000001" + FIRST + "6403" + "0258" + "003c" + "0050" + "0a" + "003c"
            "0000000200000002" + SECOND + "ff0c" + "0004" + "b3b5cfdf",
        ),
    ],
)
def test_a_route_is_written_in_the_terminals_own_edition(edition: Edition, body: str) -> None:
    (frame,) = jt808.route_8606(PEERS[edition], 1, Route(id=9, turns=LINE, name="车线"))
    assert bare(frame).partition("0001" + "00000009")[2] == "0038" + body


def test_a_route_may_hold_for_some_hours_in_the_time_of_china() -> None:
    (frame,) = jt808.route_8606(OLD, 1, Route(id=9, turns=LINE, alarms=0, between=(AT, AT + timedelta(hours=1))))
    assert "0001" + "260503100000" + "260503110000" + "0002" in bare(frame)


def test_a_long_route_takes_several_frames_with_serials_in_a_row() -> None:
    turns = [Turn(lat=28 + i / 1_000, lon=120.5, width_m=100) for i in range(500)]
    frames = jt808.route_8606(OLD, 0xFFFF, Route(id=9, turns=turns))
    messages = [parse(frame) for frame in Splitter().feed(b"".join(frames))]
    assert [m.serial for m in messages] == [(0xFFFF + i) & 0xFFFF for i in range(len(messages))]
    assert [(m.total, m.number) for m in messages] == [(9, i) for i in range(1, 10)]
    assert sum(len(m.body) for m in messages) == 8 + 500 * 18


@pytest.mark.parametrize(
    ("edition", "turns"),
    [
        ("2013", [LINE[0]]),
        ("2013", list(LINE) * 251),
        ("2011", list(LINE) * 128),
        ("2013", [LINE[0], Turn(lat=28, lon=120, width_m=256)]),
        ("2013", [LINE[0], Turn(lat=28, lon=120, width_m=0)]),
        ("2013", [LINE[0], Turn(lat=91, lon=120, width_m=100)]),
    ],
)
def test_what_a_route_cannot_say_is_refused(edition: Edition, turns: list[Turn]) -> None:
    with pytest.raises(ValueError, match=r"route|place"):
        jt808.route_8606(PEERS[edition], 1, Route(id=9, turns=turns))


def test_routes_are_taken_off_by_number_or_all_at_once() -> None:
    assert bare(jt808.delete_route_8607(OLD, 1, [9, 10])).endswith("0001" + "02" + "00000009" + "0000000a")
    assert bare(jt808.delete_route_8607(OLD, 1, [])).endswith("0001" + "00")


# -- what single bits and fields of a position mean -----------------------------------------------------------------------------


def located(body: bytes, edition: Edition = "2013") -> Location:
    (frame,) = Splitter().feed(Terminal(edition=edition).locate(body)[0])
    return jt808.location(parse(frame, edition))


@pytest.mark.parametrize("bit", range(32))
@pytest.mark.parametrize("edition", EDITIONS)
def test_each_alarm_has_its_name_where_its_edition_has_it(bit: int, edition: Edition) -> None:
    reserved = {"2011": {*range(12, 18), 29, 30, 31}, "2013": {15, 16, 17}, "2019": {31}}[edition]
    read = located(place(AT, 28, 120, alarms=1 << bit), edition)
    assert read.fix is not None
    assert read.alarms == read.fix.alarms == (() if bit in reserved else (jt808.ALARMS[bit],))
    assert read.alarm_bits == 1 << bit


def test_the_names_of_alarms_are_the_ones_agreed_on() -> None:
    assert len(set(jt808.ALARMS)) == 32
    assert (jt808.ALARMS[0], jt808.ALARMS[18], jt808.ALARMS[23], jt808.ALARMS[31]) == (
        "emergency",
        "day-driving-exceeded",
        "route-deviation",
        "illegal-door",
    )


def test_a_place_that_was_not_fixed_is_kept_and_called_invalid() -> None:
    fix = located(place(AT, 28, 120, status=0b01)).fix
    assert fix is not None
    assert (fix.valid, fix.encrypted) == (False, False)


def test_enciphered_coordinates_are_kept_and_marked() -> None:
    fix = located(place(AT, 28, 120, status=0b100010)).fix
    assert fix is not None
    assert (fix.valid, fix.encrypted, fix.lat) == (True, True, 28)


@pytest.mark.parametrize(
    "bcd", ["000000000000", "261301000000", "260229000000", "2605032a0000", "260503240000", "260503020060", "ffffffffffff"]
)
def test_a_date_that_is_none_gives_no_fix_but_its_alarms(bcd: str) -> None:
    body = place(AT, 28, 120, alarms=1)
    read = located(body[:22] + bytes.fromhex(bcd))
    assert (read.fix, read.trouble, read.alarms) == (None, ("time",), ("emergency",))


@pytest.mark.parametrize(
    ("lat", "lon", "on_earth"), [(90, 180, True), (90.000001, 0, False), (0, 180.000001, False), (4294, 0, False)]
)
def test_a_place_that_is_not_on_earth_gives_no_fix(lat: float, lon: float, on_earth: bool) -> None:
    read = located(place(AT, lat, lon))
    assert (read.fix is not None, read.trouble) == (on_earth, () if on_earth else ("coordinates",))


def test_what_is_beside_a_position_never_costs_it() -> None:
    body = place(AT, 28, 120, items={0x01: b"\0\0\1\2", 0x30: b"\x1f"})
    broken = located(body + b"\xeb\x40\0\1")
    assert broken.fix == located(body).fix is not None
    assert (broken.trouble, broken.values) == (("items",), {"mileage_km": 25.8, "signal": 31})
    assert located(body + b"\xeb").trouble == ("items",)
    # An id of the standard with another length is a vendor's.
    assert located(place(AT, 28, 120, items={0x01: b"\1", 0x12: b"\4"})).values == {}


def test_what_a_terminal_cannot_know_is_none() -> None:
    body = place(AT, 28, 120)
    fix = located(body[:18] + b"\xff\xff\x02\x00" + body[22:]).fix
    assert fix is not None
    assert (fix.speed_kmh, fix.course_deg) == (None, None)


def test_a_cold_box_below_zero_has_a_sign_and_a_region_its_direction() -> None:
    read = located(place(AT, 28, 120, items={0x06: b"\x80\x12", 0x12: b"\4\0\0\0\x09\1"}))
    assert read.values == {"cargo_c": -18}
    assert read.region == jt808.Region(4, 9, out=True)


def test_a_broken_position_in_a_batch_costs_itself() -> None:
    good, bad = place(AT, 28, 120), place(AT, 28, 120)[:22] + b"\xff" * 6
    items = b"".join(len(body).to_bytes(2, "big") + body for body in (good, bad, b"", good))
    (frame,) = Splitter().feed(Terminal().say(0x0704, b"\0\4\1" + items)[0])
    batch = jt808.batch(parse(frame))
    assert [read.trouble for read in batch.locations] == [(), ("time",), ("short",), ()]
    assert (batch.resent, batch.trouble) == (True, ())
    # One that ends too early is read as far as it goes, and the announcement is compared.
    (frame,) = Splitter().feed(Terminal().say(0x0704, b"\0\5\0" + items + b"\0\x40" + good)[0])
    batch = jt808.batch(parse(frame))
    assert [read.fix is not None for read in batch.locations] == [True, False, False, True, True]
    assert (batch.resent, batch.trouble) == (False, ("short",))
    (frame,) = Splitter().feed(Terminal().say(0x0704, b"\0\5\0" + items)[0])
    assert jt808.batch(parse(frame)).trouble == ("count",)
