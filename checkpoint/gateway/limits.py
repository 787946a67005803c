"""What a peer may cost, in one place. Seconds, bytes, connections."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`most` connections in all; `each` of one address that have not proved themselves, and `strangers` such in all.

    `prove_s`: to prove itself. `idle_s`: the shortest and the longest silence after which a terminal is taken for gone; between
    them it is three of its own longest pauses. `read_bytes` are read at once and then dealt with before more is read;
    `reply_bytes` of our answers may wait for a peer that does not take them. `bad_frames`: in a row; `garbage_bytes`: without a
    message among them. `guesses`: wrong codes on one connection. `unproved`: messages of one that has not proved itself;
    `strange_a_second`: of such messages with positions, how many are kept apart. `pace`: connections of one address in a
    second, and how many at once after a pause.
    `ask_s`: what is missing of a message in fragments is asked for after it, at most `asks` times. `answer_s`: how long an
    order waits for its answer; `sweep_s`, `note_s`, `orders_s`: how often connections are looked at, what is noted is written
    down, and orders are thought of.
    """

    most: int = 4000
    each: int = 50
    strangers: int = 1000
    prove_s: float = 60.0
    idle_s: tuple[float, float] = (180.0, 1800.0)
    read_bytes: int = 4096
    reply_bytes: int = 64 * 1024
    bad_frames: int = 20
    garbage_bytes: int = 16 * 1024
    guesses: int = 3
    unproved: int = 20
    strange_a_second: float = 10.0
    pace: tuple[float, float] = (20.0, 200.0)
    ask_s: float = 5.0
    asks: int = 3
    answer_s: float = 30.0
    sweep_s: float = 1.0
    note_s: float = 30.0
    orders_s: float = 60.0
