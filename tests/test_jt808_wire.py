"""JT/T 808 whatever comes over the wire: what must hold of every cut, every noise, every edition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core.fixes import Fix
from checkpoint.decoders import jt808
from checkpoint.decoders.jt808 import Assembler, Edition, Malformed, Message, Splitter, parse
from checkpoint.decoders.jt808.frames import WIRE_MAX, checksum, escape, sealed, unescape
from tests.fuzzing import assault
from tests.seeds import rounds, seeds
from tests.terminals import EDITIONS, Terminal, place

AT = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)
editions = st.sampled_from(EDITIONS)


def said(frames: list[bytes], edition: Edition = "2013") -> list[Message]:
    return [parse(frame, edition) for frame in Splitter().feed(b"".join(frames))]


def whole(frames: list[bytes], edition: Edition = "2013") -> Message:
    assembler, found = Assembler(), None
    for message in said(frames, edition):
        assert found is None
        found = assembler.add(message, AT)
    assert found is not None
    return found


# -- cutting ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.binary(max_size=9), st.randoms(use_true_random=False))
def test_frames_come_out_the_same_however_the_bytes_were_cut(bodies: list[bytes], stray: bytes, chance: Random) -> None:
    stray = stray.replace(b"\x7e", b"")
    stream = stray + b"".join(sealed(body) for body in bodies)
    at_once = Splitter().feed(stream)
    assert [unescape(frame)[:-1] for frame in at_once] == bodies
    one_by_one, in_pieces, found, pieces, at = Splitter(), Splitter(), [], [], 0
    for byte in stream:
        found += one_by_one.feed(bytes((byte,)))
    while at < len(stream):
        end = at + chance.randint(1, 30)
        pieces += in_pieces.feed(stream[at:end])
        at = end
    assert found == pieces == at_once
    assert one_by_one.stray == in_pieces.stray == len(stray)


@given(st.binary(max_size=3_000), st.lists(st.integers(0, 3_000), max_size=6))
def test_whatever_is_fed_is_cut_the_same_and_little_is_held(stream: bytes, cuts: list[int]) -> None:
    splitter, found, at = Splitter(), [], 0
    for end in [*sorted(cuts), len(stream)]:
        found += splitter.feed(stream[at:end])
        at = max(at, end)
        assert splitter.held <= WIRE_MAX
    other = Splitter()
    assert found == other.feed(stream)
    assert (splitter.stray, splitter.overlong, splitter.held) == (other.stray, other.overlong, other.held)


def test_frames_may_share_a_flag_and_one_that_never_ends_is_dropped_alone() -> None:
    one, other = sealed(b"one"), sealed(b"other")
    assert Splitter().feed(one + other[1:]) == [one[1:-1], other[1:-1]]
    splitter = Splitter()
    assert splitter.feed(b"\x7e" + b"x" * 1_000) == []
    for _ in range(100):
        assert splitter.feed(b"x" * 1_000) == []
        assert splitter.held <= WIRE_MAX
    assert splitter.feed(one) == [one[1:-1]]
    assert splitter.overlong == 1


def test_a_frame_may_be_as_long_as_one_that_is_all_escaped_and_no_longer() -> None:
    longest, longer = b"x" * WIRE_MAX, b"y" * (WIRE_MAX + 1)
    stream, whole, halves = b"\x7e" + longer + b"\x7e" + longest + b"\x7e", Splitter(), Splitter()
    assert whole.feed(stream) == halves.feed(stream[:2_000]) + halves.feed(stream[2_000:]) == [longest]
    assert whole.overlong == halves.overlong == 1
    held = Splitter()
    assert held.feed(b"\x7e" + longest) == []
    assert held.feed(b"\x7e") == [longest], "its flag came by itself"
    (message,) = said(Terminal(edition="2019").say(0x0900, b"\x7e" * 1_023))
    assert len(message.body) == 1_023


@given(st.binary(max_size=300))
def test_what_is_escaped_comes_back_and_holds_no_flag(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert b"\x7e" not in escape(data)
    value = 0
    for byte in data:
        value ^= byte
    assert checksum(data) == value


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ("7d02", "7d0102"),
        ("7d01", "7d0101"),
        ("7e02", "7d0202"),
        ("7d7e", "7d017d02"),
        ("7d7d02", "7d017d0102"),
        ("01027d", "01027d01"),
    ],
)
def test_an_escape_is_undone_once_whatever_stands_behind_it(data: str, wire: str) -> None:
    assert escape(bytes.fromhex(data)).hex() == wire
    assert unescape(bytes.fromhex(wire)).hex() == data


@pytest.mark.parametrize("frame", ["7d", "307d03", "7d7d01", "307d"])
def test_an_escape_that_is_none_is_named(frame: str) -> None:
    with pytest.raises(Malformed, match="escape"):
        unescape(bytes.fromhex(frame))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: data[:11], "short"),
        (lambda data: data[:-1], "length"),
        (lambda data: data + b"\0", "length"),
        (lambda data: data[:2] + bytes((data[2] | 0x20,)) + data[3:], "length"),  # the body's head is taken for the parts
        (lambda data: b"\0\2\x20\0" + data[4:12] + b"\0\2\0\3", "fragment"),
        (lambda data: b"\0\2\x20\0" + data[4:12] + b"\0\2\0\0", "fragment"),
        (lambda data: b"\0\2\x40\0" + data[4:12], "short"),
    ],
)
def test_a_header_that_is_none_is_named(change: object, word: str) -> None:
    data = unescape(Splitter().feed(Terminal().locate(place(AT, 28, 120))[0])[0])[:-1]
    assert callable(change)
    with pytest.raises(Malformed, match=word):
        parse(sealed(change(data))[1:-1])


def test_every_single_flipped_bit_is_seen() -> None:
    frame = unescape(Splitter().feed(Terminal().locate(place(AT, 28, 120))[0])[0])
    for bit in range(len(frame) * 8):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed, match="checksum"):
            parse(escape(bytes(broken)))


# -- numbers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "phone"),
    [
        ("013912345678", "13912345678"),
        ("00000000013912345678", "13912345678"),
        ("000000000000", "0"),
        ("4eb6fb4afd9e", "865478070102068"),  # the first 14 digits of an IMEI as one number
    ],
)
def test_a_terminals_number_is_its_digits_without_what_fills_the_field_up(field: str, phone: str) -> None:
    assert jt808.header.phone(bytes.fromhex(field)) == phone


# -- what was written is read back ------------------------------------------------------------------------------------------

instants = st.integers(0, 99 * 365 * 86_400).map(lambda s: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
bodies = st.builds(
    place,
    instants,
    st.integers(-90_000_000, 90_000_000).map(lambda n: n / 1e6),
    st.integers(-180_000_000, 180_000_000).map(lambda n: n / 1e6),
    speed_kmh=st.integers(0, 2_000).map(lambda n: n / 10),
    course_deg=st.integers(0, 359),
    altitude_m=st.integers(-500, 9_000),
    alarms=st.integers(0, 0xFFFFFFFF),
    status=st.integers(0, 0x3FFFFF).map(lambda bits: bits & ~0b1100),
    items=st.dictionaries(st.integers(0, 255), st.binary(max_size=12), max_size=5),
)


@given(
    instants,
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000),
    st.integers(0, 9_999),
    st.integers(0, 359),
    st.integers(-500, 9_000),
    st.booleans(),
    st.booleans(),
    editions,
)
def test_a_position_is_read_back_as_it_was_sent(
    at: datetime, lat: int, lon: int, speed: int, course: int, altitude: int, fixed: bool, encrypted: bool, edition: Edition
) -> None:
    body = place(
        at, lat / 1e6, lon / 1e6, speed_kmh=speed / 10, course_deg=course, altitude_m=altitude, status=fixed << 1 | encrypted << 5
    )
    read = jt808.location(whole(Terminal(edition=edition).locate(body), edition))
    assert read.fix == Fix(
        device="terminal-13912345678",
        fixed_at=at,
        lat=lat / 1e6,
        lon=lon / 1e6,
        speed_kmh=speed / 10,
        course_deg=course,
        altitude_m=altitude,
        valid=fixed,
        encrypted=encrypted,
    )
    assert read.trouble == ()


@given(
    st.lists(bodies, min_size=1, max_size=40), st.booleans(), editions, st.integers(0, 0xFFFF), st.randoms(use_true_random=False)
)
def test_a_batch_says_what_its_positions_say_alone_in_whatever_order_its_fragments_come(
    places: list[bytes], blind: bool, edition: Edition, serial: int, chance: Random
) -> None:
    alone = tuple(jt808.location(whole(Terminal(edition=edition).locate(body), edition)) for body in places)
    frames = Terminal(edition=edition, serial=serial).resend(places, blind=blind)
    chance.shuffle(frames)
    read = jt808.batch(whole(frames, edition))
    assert (read.resent, read.locations, read.trouble) == (blind, alone, ())


@given(editions, st.from_regex("[浙苏粤][A-Z][A-Z0-9]{5,6}", fullmatch=True), st.integers(1, 9))
def test_a_registration_is_read_back_and_tells_the_edition(edition: Edition, plate: str, colour: int) -> None:
    read = jt808.register(whole(Terminal(edition=edition).register(plate, colour=colour)))
    assert (read.version, read.plate, read.plate_colour, read.maker, read.model) == (edition, plate, colour, "70111", "BD-7")
    assert (read.province, read.city, read.terminal_id) == (33, 300, "T123456")


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_vehicle_without_a_plate_is_named_by_its_own_number(edition: Edition) -> None:
    read = jt808.register(whole(Terminal(edition=edition).register("LZZ5ELSD8JA123456", colour=0)))
    assert (read.version, read.plate_colour, read.plate) == (edition, 0, "LZZ5ELSD8JA123456")


def test_the_longest_registration_of_2011_and_the_shortest_of_2013_are_told_apart() -> None:
    longest = jt808.register(whole(Terminal(edition="2011").register("浙CX1234567")))
    shortest = jt808.register(whole(Terminal(edition="2013").register("")))
    assert (longest.version, longest.plate, longest.terminal_id) == ("2011", "浙CX1234567", "T123456")
    assert (shortest.version, shortest.plate, shortest.terminal_id) == ("2013", "", "T123456")


def test_a_character_that_gbk_does_not_have_is_read() -> None:
    frames = Terminal().say(0x0100, bytes.fromhex("0021012c") + bytes(32) + b"\x02" + "㐂A12345".encode("gb18030"))
    assert jt808.register(whole(frames)).plate == "㐂A12345"


def test_an_authentication_of_2019_may_end_behind_its_code() -> None:
    read = jt808.authenticate(whole(Terminal(edition="2019").say(0x0102, b"\x04code")))
    assert (read.code, read.imei, read.software) == ("code", "", "")
    with pytest.raises(Malformed, match="short"):
        jt808.authenticate(whole(Terminal(edition="2019").say(0x0102, b"\x05code")))


@given(editions, st.text("abcXYZ019-_", min_size=1, max_size=60))
def test_an_authentication_is_read_back(edition: Edition, code: str) -> None:
    read = jt808.authenticate(whole(Terminal(edition=edition).authenticate(code)))
    newer = edition == "2019"
    assert (read.code, read.imei, read.software) == (code, "861234567890123" * newer, "V1.2.3" * newer)


# -- noise ----------------------------------------------------------------------------------------------------------------


def corpus() -> list[bytes]:
    """Whole messages without their seal: header and body."""
    found = []
    for edition in EDITIONS:
        terminal = Terminal(edition=edition)
        at = place(
            AT, 28.1, 120.6, speed_kmh=61.5, alarms=1 << 23, items={0x01: b"\0\0\1\0", 0x12: b"\4\0\0\0\7\1", 0xEB: b"x" * 40}
        )
        for frames in (
            terminal.register(),
            terminal.authenticate("code"),
            terminal.heartbeat(),
            terminal.locate(at),
            terminal.resend([at, at[:28], at]),
            terminal.resend([at] * 30),
            terminal.answer(7, 0x8606),
        ):
            found += [unescape(frame)[:-1] for frame in Splitter().feed(b"".join(frames))]
    return found


def all_of(message: Message) -> object:
    if message.fragment:
        return message
    for reader in (jt808.location, jt808.batch, jt808.register, jt808.authenticate, jt808.answer):
        try:
            return reader(message)
        except Malformed as error:
            if error.word != "kind":
                raise
    return message


def lengthened(data: bytes) -> bytes:
    """The header says how long the body is now: noise that a terminal's own fault makes, behind a seal that holds."""
    head = 17 if data[2:3] and data[2] & 0x40 else 12
    if len(data) >= 4 and data[2] & 0x20:
        head += 4
    length = max(len(data) - head, 0) & 0x3FF
    return data[:2] + bytes(((data[2] & 0xFC) | length >> 8, length & 0xFF)) + data[4 : head + length] if len(data) >= 4 else data


@pytest.mark.parametrize("seed", seeds(2))
def test_no_noise_behind_a_seal_that_holds_does_more_than_be_refused(seed: int) -> None:
    def read(data: bytes) -> object:
        (frame,) = Splitter().feed(sealed(lengthened(data)))
        return all_of(parse(frame))

    assert assault(read, corpus(), named=(Malformed,), seed=seed, count=rounds(1_500, soak=20_000)) > 300


@pytest.mark.parametrize("seed", seeds(1))
def test_no_noise_on_the_line_does_more_than_be_refused(seed: int) -> None:
    def read(stream: bytes) -> object:
        splitter, assembler, found = Splitter(), Assembler(), []
        for frame in splitter.feed(stream):
            try:
                message = assembler.add(parse(frame), AT)
                found.append(all_of(message) if message else None)
            except Malformed as error:
                found.append(error.word)
        assert splitter.held <= WIRE_MAX
        return found

    noisy = [sealed(data) for data in corpus()]
    noisy.append(b"".join(noisy))
    tokens = (b"\x7e", b"\x7e\x7e", b"\x7d\x01", b"\x7d\x02", b"\x7d", bytes(3_000))
    assert assault(read, noisy, named=(), seed=seed, count=rounds(1_500, soak=20_000), tokens=tokens) > 300


@given(st.binary(max_size=200), st.sampled_from([0x0200, 0x0704, 0x0100, 0x0102, 0x0001, 0x0002]), editions)
def test_any_body_at_all_is_read_or_refused_by_name(body: bytes, msg_id: int, edition: Edition) -> None:
    message = whole(Terminal(edition=edition).say(msg_id, body), edition)
    try:
        all_of(message)
    except Malformed as error:
        word = error.word
    else:
        word = "short"
    assert word == "short"


# -- fragments ------------------------------------------------------------------------------------------------------------


def parts(count: int, serial: int = 0, filling: int = 1_000) -> list[Message]:
    frames = Terminal(serial=serial).say(0x0801, bytes(1_023 * (count - 1) + filling))
    return said(frames)


def test_a_message_is_whole_when_all_its_fragments_came_across_the_end_of_the_serials() -> None:
    assembler = Assembler()
    messages = parts(4, serial=0xFFFE)
    assert [message.serial for message in messages] == [0xFFFE, 0xFFFF, 0, 1]
    for message in (messages[2], messages[0], messages[2], messages[3]):
        assert assembler.add(message, AT) is None
    (missing,) = assembler.missing()
    assert (missing.msg_id, missing.first_serial, missing.numbers, missing.last_at) == (0x0801, 0xFFFE, (2,), AT)
    found = assembler.add(messages[1], AT)
    assert found is not None
    assert (found.serial, found.fragments, found.fragment, len(found.body)) == (0xFFFE, 4, False, 1_023 * 3 + 1_000)
    assert (assembler.held, assembler.missing(), assembler.lost) == (0, [], 0)


def test_what_a_terminal_leaves_unfinished_is_bounded_in_number_bytes_and_age() -> None:
    assembler = Assembler(runs=3, bytes_held=10_000, age=timedelta(minutes=1))
    for serial in range(0, 100, 10):
        assembler.add(parts(2, serial)[0], AT)
        assert len(assembler.missing()) <= 3
    assert assembler.lost == 7
    for message in parts(40, 200)[:-1]:
        assembler.add(message, AT)
        assert assembler.held <= 10_000
    assembler.add(parts(2, 500)[0], AT + timedelta(seconds=59))
    assembler.forget(AT + timedelta(seconds=61))
    assert [run.first_serial for run in assembler.missing()] == [500]


def test_a_message_that_gets_a_fragment_now_and_then_waits_no_longer_than_any_other() -> None:
    assembler, messages = Assembler(age=timedelta(minutes=1)), parts(4)
    for at_s, message in zip((0, 30, 60), messages, strict=False):
        assembler.add(message, AT + timedelta(seconds=at_s))
    assert assembler.missing()[0].numbers == (4,)
    assembler.forget(AT + timedelta(seconds=61))
    assert (assembler.missing(), assembler.lost) == ([], 1)


def test_empty_fragments_cost_something_too() -> None:
    assembler = Assembler(bytes_held=10_000)
    for number in range(1, 500):
        head = b"\x08\x01\x20\x00" + bytes(6) + number.to_bytes(2, "big") + b"\xff\xff" + number.to_bytes(2, "big")
        (message,) = said([sealed(head)])
        assembler.add(message, AT)
        assert assembler.held <= 10_000
    assert assembler.lost > 0


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_part_of_a_message_and_one_that_is_enciphered_are_not_read(bits: int) -> None:
    (first, _) = said(Terminal().resend([place(AT, 28, 120)] * 50))
    with pytest.raises(Malformed, match="fragment"):
        jt808.batch(first)
    frame = bytearray(unescape(Splitter().feed(Terminal().locate(place(AT, 28, 120))[0])[0])[:-1])
    frame[2] |= bits << 2  # 1 is RSA; the standard keeps the others for later
    (message,) = said([sealed(bytes(frame))])
    assert message.encryption == bits
    with pytest.raises(Malformed, match="enciphered"):
        jt808.location(message)


def test_a_claim_of_very_many_fragments_costs_nothing() -> None:
    (first, *_) = said([sealed(b"\x08\x01\x20\x00" + bytes(6) + b"\0\1" + b"\xff\xff\0\1")])
    assembler = Assembler()
    assert assembler.add(first, AT) is None
    assert assembler.held < 1_000
    assert len(assembler.missing(most=255)[0].numbers) == 255
