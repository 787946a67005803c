"""PINs: sealed once, checked with no network, and nothing but the right digits opens."""

from __future__ import annotations

import pytest

from checkpoint.core import pins

SALT = bytes(range(16))


def test_the_right_pin_fits_and_another_does_not() -> None:
    sealed = pins.seal("4711", SALT)
    assert pins.fits("4711", sealed)
    assert not pins.fits("4712", sealed)
    assert not pins.fits("47110", sealed)


def test_the_sealed_text_holds_neither_the_pin_nor_chance() -> None:
    assert pins.seal("83619402", SALT) == pins.seal("83619402", SALT)
    assert "83619402" not in pins.seal("83619402", SALT)
    assert pins.seal("83619402", SALT) != pins.seal("83619402", bytes(16))


def test_digits_typed_with_a_chinese_input_method_are_the_same_pin() -> None:
    assert pins.fits("４７１１", pins.seal("4711", SALT))
    assert pins.fits(" 4711 ", pins.seal("4711", SALT))


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "abcd", "12 34", "1111", "१२३४", "12😀4"])
def test_what_cannot_be_a_pin_is_refused(pin: str) -> None:
    with pytest.raises(pins.UnfitPin):
        pins.seal(pin, SALT)
    assert not pins.fits(pin, pins.seal("4711", SALT))


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "4711",
        "scrypt:14:8:1:zz:00",
        "scrypt:14:8:1:" + SALT.hex() + ":",
        "scrypt:14:8:1:" + SALT.hex() + ":" + "00" * 31,
        "bcrypt:14:8:1:" + SALT.hex() + ":" + "00" * 32,
        "scrypt:40:8:1:" + SALT.hex() + ":" + "00" * 32,
        "scrypt:0:8:1:" + SALT.hex() + ":" + "00" * 32,
        "scrypt:14:99999:1:" + SALT.hex() + ":" + "00" * 32,
    ],
)
def test_a_text_that_is_no_seal_opens_for_nobody(sealed: str) -> None:
    assert not pins.fits("4711", sealed)


def test_a_salt_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        pins.seal("4711", b"short")
