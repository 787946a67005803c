"""The fuzzer finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.fuzzing import assault, mutated

CORPUS = [b"id=1&lat=30.1&lon=120.2", b'{"a": [1, 2]}']


class Refused(ValueError):
    pass


def test_the_same_seed_makes_the_same_messages_and_another_seed_others() -> None:
    assert list(mutated(CORPUS, 1, 50)) == list(mutated(CORPUS, 1, 50))
    assert list(mutated(CORPUS, 1, 50)) != list(mutated(CORPUS, 2, 50))


def refuses(message: bytes) -> bytes:
    if len(message) % 2:
        raise Refused
    return message


def stumbles(message: bytes) -> int:
    return message.index(b"=") + message.index(b"&") if message[:1] == b"i" else 0


def swells(message: bytes) -> bytes:
    return message * len(message) if b"\xff" in message else message


def hoards(message: bytes) -> int:
    return len(bytes(4_000_000)) if b"\xff" in message else 0


def test_named_errors_pass_and_what_was_taken_is_counted() -> None:
    assert 0 < assault(refuses, [b"ab"], named=(Refused,), seed=1, count=200) < 200


@pytest.mark.parametrize(("read", "why"), [(stumbles, "ValueError on"), (swells, "came out of"), (hoards, "in use for")])
def test_other_errors_and_blow_ups_are_failures_that_show_the_message(read: object, why: str) -> None:
    assert callable(read)
    with pytest.raises(AssertionError, match=why):
        assault(read, [CORPUS[0] * 3], named=(Refused,), seed=1, count=2_000, out_per_byte=10)
