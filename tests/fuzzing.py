"""A small seeded fuzzer, shared by the tests of all decoders: messages that are nearly right.

The law of this file: a decoder may refuse what it is fed by its named errors and in no other way; what it gives back, and what
it needs on the way, is in proportion to what it was fed. `scripts/soak` plays it with ever new seeds; a failure shows the
message that did it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

MESSAGE_MAX = 20_000
_BYTES = (0x00, 0x01, 0x02, 0x7D, 0x7E, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
TOKENS = (
    b"\x00", b"\xff\xfe", b"{", b"}", b"[", b"]", b'"', b":", b",", b"&", b"=", b"%00", b"%zz", b"null", b"true", b"NaN", b"-1",
    b"1e999", b"9" * 40, b'"\\ud800"', "浙".encode(), b"[" * 2_000, b'{"a":' * 500,
)  # fmt: skip


def mutated(corpus: Sequence[bytes], seed: int, count: int, tokens: Sequence[bytes] = TOKENS) -> Iterator[bytes]:
    """So many messages, each one of the corpus with one to six changes."""
    chance = Random(seed)
    for _ in range(count):
        message = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, 6)):
            _change(message, chance, corpus, tokens)
        yield bytes(message[:MESSAGE_MAX])


def _change(message: bytearray, chance: Random, corpus: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = chance.randint(0, len(message))
    span = chance.choice((1, 1, 2, 4, 16, 64))
    match chance.randrange(9):
        case 0 if at < len(message):
            message[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(message):
            message[at] = chance.choice(_BYTES)
        case 2 if at + 2 <= len(message):
            message[at : at + 2] = chance.choice(_NUMBERS).to_bytes(2, "big")
        case 3:
            del message[at : at + span]
        case 4:
            message[at:at] = chance.randbytes(span)
        case 5:
            message[at:at] = message[at : at + span] * chance.choice((1, 2, 50))
        case 6:
            message[at:at] = chance.choice(tokens)
        case 7:
            other = chance.choice(corpus)
            message[at:] = other[chance.randint(0, len(other)) :]
        case _:
            del message[at:]


def assault(
    read: Callable[[bytes], object],
    corpus: Sequence[bytes],
    *,
    named: tuple[type[Exception], ...],
    seed: int,
    count: int,
    out_per_byte: int = 40,
    memory_per_byte: int = 400,
    tokens: Sequence[bytes] = TOKENS,
) -> int:
    """Feed `read` so many changed messages; returns how many it took (a fuzzer whose every message is refused tests little).

    Fails on any error that is not `named`, when more comes out (as JSON) than `out_per_byte` for each byte fed, and when more
    memory was in use at once than `memory_per_byte` for each: both beside what any message may cost.
    """
    taken = 0
    for message in corpus:
        read(message)  # what is built at the first use is nobody's cost
    tracing = not tracemalloc.is_tracing()
    if tracing:
        tracemalloc.start()
    try:
        for message in mutated(corpus, seed, count, tokens):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                value = read(message)
            except named:
                value = None
            except Exception as error:
                raise AssertionError(f"{type(error).__name__} on {message!r}") from error
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak <= 100_000 + memory_per_byte * len(message), f"{peak} bytes in use for {message!r}"
            if value is not None:
                taken += 1
                size = len(msgspec.json.encode(value, enc_hook=repr))
                assert size <= 2_000 + out_per_byte * len(message), f"{size} bytes came out of {message!r}"
    finally:
        if tracing:
            tracemalloc.stop()
    return taken
