"""What the QR code says: sealed, read back, refused, live."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from checkpoint.core import passes
from checkpoint.core.passes import PROVINCES, HalfAPass, NotAPass, Pass, Untrusted

KEY = Ed25519PrivateKey.from_private_bytes(b"issuer of the tests, 32 bytes ok")
KEYS = {passes.key_id(KEY.public_key()): KEY.public_key()}
STRANGER = Ed25519PrivateKey.from_private_bytes(b"somebody else's key, 32 bytes ok")
BEGINS = datetime(2022, 4, 19, 16, 0, tzinfo=UTC)
SEED = bytes(range(16))

PAPER = Pass(
    number=passes.pass_number("330304", 17),
    plate="浙C12345",
    loop_digest=passes.loop_digest("ouhai-shanghai"),
    not_before=BEGINS,
    expires=BEGINS + timedelta(days=14),
    paper=True,
)


def screen(**changes: object) -> Pass:
    plain = replace(PAPER, paper=False, **changes)  # type: ignore[arg-type]
    return replace(plain, anchor=passes.chain(SEED, passes.steps(plain, 60)))


def shown_at(p: Pass, at: datetime) -> str:
    step = passes.step_at(p, at, 60)
    return passes.with_step(passes.seal(p, KEY), step, passes.chain(SEED, passes.steps(p, 60) - step))


def test_a_sealed_pass_reads_back_as_it_was() -> None:
    reading = passes.read(passes.seal(PAPER, KEY), KEYS)
    assert reading.pass_ == replace(PAPER, key_id=passes.key_id(KEY.public_key()))
    assert reading.step is None


def test_the_text_is_upper_case_letters_and_digits_and_fits_version_6() -> None:
    text = passes.seal(PAPER, KEY)
    assert len(text) == 149
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@pytest.mark.parametrize("province", PROVINCES)
@pytest.mark.parametrize("rest", ["A12345", "AD12345", "B1234学", "A0000港"])
def test_plates_of_every_province_come_back_without_a_network(province: str, rest: str) -> None:
    plate = province + rest
    assert passes.read(passes.seal(replace(PAPER, plate=plate), KEY), KEYS).pass_.plate == plate


def test_there_are_31_provinces() -> None:
    assert len(set(PROVINCES)) == 31


@pytest.mark.parametrize(
    ("typed", "plate"), [("浙c·12345", "浙C12345"), (" 沪 A D12345 ", "沪AD12345"), ("粤Z1234港", "粤Z1234港")]
)
def test_a_plate_is_taken_as_people_write_it(typed: str, plate: str) -> None:
    assert passes.normal_plate(typed) == plate


@pytest.mark.parametrize(
    "text", ["", "C12345", "浙12345", "浙CI2345", "浙C1234", "浙C1234567", "浙C挂2345", "😀C12345", "浙O12345"]
)
def test_what_is_no_plate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plate"):
        passes.normal_plate(text)


def test_another_issuers_pass_is_untrusted() -> None:
    with pytest.raises(Untrusted):
        passes.read(passes.seal(PAPER, STRANGER), KEYS)


def test_a_strangers_seal_under_our_key_id_is_untrusted() -> None:
    ours, theirs = passes.seal(PAPER, KEY), passes.seal(PAPER, STRANGER)
    forged = passes._unb32(ours[3:])[:27] + passes._unb32(theirs[3:])[27:]
    with pytest.raises(Untrusted):
        passes.read("CP1" + passes._b32(forged), KEYS)


@given(st.integers(0, 90), st.integers(1, 255))
def test_no_changed_byte_is_accepted(place: int, change: int) -> None:
    data = bytearray(passes._unb32(passes.seal(PAPER, KEY)[3:]))
    data[place] ^= change
    with pytest.raises((NotAPass, Untrusted)):
        passes.read("CP1" + passes._b32(bytes(data)), KEYS)


@given(st.integers(4, 148))
def test_half_a_scan_says_so(length: int) -> None:
    with pytest.raises((HalfAPass, Untrusted)):
        passes.read(passes.seal(PAPER, KEY)[:length], KEYS)


@pytest.mark.parametrize("more", ["A", "2", "AAAAAAAA", "=", " A"])
def test_nothing_can_be_appended(more: str) -> None:
    with pytest.raises(HalfAPass):
        passes.read(passes.seal(PAPER, KEY) + more, KEYS)


@pytest.mark.parametrize("text", ["", "HELLO", "https://example.org/", "浙C12345", "HC1:6BF"])
def test_another_code_is_not_a_pass(text: str) -> None:
    with pytest.raises(NotAPass):
        passes.read(text, KEYS)


@given(st.text())
def test_no_text_makes_reading_fail_otherwise(text: str) -> None:
    for attempt in (text, "CP1" + text):
        with pytest.raises((NotAPass, Untrusted)):
            passes.read(attempt, KEYS)


def test_a_hand_scanner_may_type_lower_case() -> None:
    assert passes.read(passes.seal(PAPER, KEY).lower() + "\n", KEYS).pass_.plate == "浙C12345"


@pytest.mark.parametrize(("minutes", "live"), [(0, True), (2, True), (3, False), (-2, True), (-3, False)])
def test_a_screenshot_lives_two_steps(minutes: int, live: bool) -> None:
    p, now = screen(), BEGINS + timedelta(hours=5)
    reading = passes.read(shown_at(p, now - timedelta(minutes=minutes)), KEYS)
    assert passes.is_live(reading, now, 60, 2) is live


def test_a_step_of_another_chain_is_not_live() -> None:
    p, now = screen(), BEGINS + timedelta(hours=5)
    step = passes.step_at(p, now, 60)
    reading = passes.read(passes.with_step(passes.seal(p, KEY), step, b"x" * 16), KEYS)
    assert reading.step == step
    assert not passes.is_live(reading, now, 60, 2)


def test_a_screen_pass_without_a_step_is_genuine_and_not_live() -> None:
    reading = passes.read(passes.seal(screen(), KEY), KEYS)
    assert not passes.is_live(reading, BEGINS, 60, 2)


def test_a_pass_is_for_a_month_at_most() -> None:
    with pytest.raises(ValueError, match="a month at most"):
        passes.seal(replace(PAPER, expires=BEGINS + timedelta(days=32)), KEY)


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_typed_back_with_its_check_character(serial: int) -> None:
    number = passes.pass_number("330304", serial)
    assert passes.typed_number(f" {number}{passes.check_character(number)}".lower()) == number


@given(st.integers(0, 9_999_999), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(serial: int, place: int, by: int) -> None:
    number = passes.pass_number("330304", serial)
    digits = list(number.replace("-", "") + passes.check_character(number))
    digits[place] = str((int(digits[place]) + by) % 10)
    with pytest.raises(ValueError, match="check character"):
        passes.typed_number("".join(digits))
