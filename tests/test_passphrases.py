"""Passphrases after NIST SP 800-63B-4: length and guessing count, composition does not, and one spelling is one passphrase."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint.web import passphrases
from checkpoint.web.passphrases import ALONE_CHARS, BESIDE_CHARS, MOST_CHARS, Unfit

NAMES = ("zhoumin", "周敏", "瓯海保供车队")


def refused(passphrase: str, *, beside: bool = False) -> str:
    try:
        passphrases.check(passphrase, NAMES, beside_a_factor=beside)
    except Unfit as unfit:
        return unfit.key
    return ""


def test_fifteen_characters_stand_alone_and_eight_beside_a_second_factor() -> None:
    long = "kV 7 quiet lamp"
    assert len(long) == ALONE_CHARS
    assert refused(long) == ""
    assert refused(long[:-1]) == "passphrase.too-short"
    assert refused("quk7 vzx", beside=True) == ""
    assert refused("quk7 vz", beside=True) == "passphrase.too-short"
    assert len("quk7 vzx") == BESIDE_CHARS


def test_two_hundred_characters_are_taken_and_no_more() -> None:
    long = "the quiet lamp over green water " * 7
    assert refused(long[: MOST_CHARS - 7] + "kq7 vzx") == ""
    assert refused(long[:MOST_CHARS] + "x") == "passphrase.too-long"


@pytest.mark.parametrize(
    "passphrase",
    [
        "all small letters here",
        "一二年级的猫走过很绿的湖水边上呀",
        "            spaces all around   ",
        "ключ под красным камнем",
        "😀🚚🧪🌊😷🛑✅🎉🔑🕰️📦🍜🏠🚦🐟",
        "UPPER AND NOTHING ELSE",
    ],
)
def test_any_characters_do(passphrase: str) -> None:
    assert refused(passphrase) == ""


@pytest.mark.parametrize(
    "passphrase",
    [
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "123456789012345678",
        "qwertyuiopasdfghjkl",
        "passwordpassword",
        "PassWord PassWord 1",
        "checkpoint 2026 checkpoint",
        "闭环通闭环通闭环通闭环通闭环通",
        "zhoumin-zhoumin-1990",
        "周敏 周敏 周敏 周敏 周敏 !",
        "coordinator-coordinator",
    ],
)
def test_what_anybody_would_try_first_is_refused_however_long(passphrase: str) -> None:
    assert refused(passphrase) == "passphrase.guessable"


def test_common_passwords_are_refused_beside_a_second_factor_too() -> None:
    for common in ("password1", "iloveyou1", "sunshine", "baseball1", "trustno1"):
        assert refused(common, beside=True) == "passphrase.guessable"


def test_one_passphrase_is_the_same_from_every_keyboard() -> None:
    held = passphrases.hashed("ｇｒｅｅｎ lamps ﬁve e\u0301")
    assert passphrases.fits("green lamps five \u00e9", held)
    assert not passphrases.fits("green lamps five e", held)


def test_a_long_one_that_shrinks_when_it_is_normalised_still_fits() -> None:
    typed = "e\u0301" * 60 + "o\u0308" * 60 + " quiet lamps over green water"
    assert len(typed) > MOST_CHARS > len(passphrases.normal(typed))
    assert refused(typed) == ""
    assert passphrases.fits(typed, passphrases.hashed(typed))


def test_nothing_fits_an_account_that_has_none() -> None:
    assert not passphrases.fits("", "")
    assert not passphrases.fits("anything", "")
    assert not passphrases.fits("anything", "not a hash")


def test_a_hash_of_other_parameters_is_made_anew() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024).hash("green lamps over water")
    assert passphrases.fits("green lamps over water", weak)
    assert passphrases.outdated(weak)
    assert not passphrases.outdated(passphrases.hashed("x"))


def test_strength_is_said_in_four_words() -> None:
    said = [passphrases.strength(p, NAMES) for p in ("short", "password1", "quk7 vzxn", "green lamps over water")]
    assert said == ["short", "weak", "good", "strong"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=260))
def test_any_text_is_judged_and_never_breaks_the_judge(text: str) -> None:
    try:
        passphrases.check(text, NAMES, beside_a_factor=True)
    except Unfit:
        pass
    else:
        assert BESIDE_CHARS <= len(passphrases.normal(text)) <= MOST_CHARS
    assert passphrases.strength(text, NAMES) in ("short", "weak", "good", "strong")
