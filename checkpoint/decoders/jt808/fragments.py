"""A message that came in several frames is put together again (JT/T 808, header bit 13).

The law of this file: a terminal decides neither how much we remember nor for how long. Runs are bounded in number, in bytes
(an empty fragment costs some too) and in age; the oldest goes first, and is counted. The fragments of one message carry
serials in a row, so message and first serial name a run, in whatever order and however often its fragments come.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from checkpoint.decoders.jt808.header import Message


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is not whole: which fragments to ask for (0x8003), by number, and when the last one came."""

    msg_id: int
    first_serial: int
    numbers: tuple[int, ...]
    last_at: datetime


_PART_BYTES = 128  # what a fragment takes beside its bytes


class _Run:
    def __init__(self, total: int, begun_at: datetime) -> None:
        self.total = total
        self.parts: dict[int, bytes] = {}
        self.held = 0
        self.begun_at = self.last_at = begun_at


class Assembler:
    """The fragments of one connection. `lost` counts runs that were given up."""

    def __init__(self, *, runs: int = 8, bytes_held: int = 1 << 18, age: timedelta = timedelta(minutes=5)) -> None:
        self.lost = 0
        self._runs: dict[tuple[int, int, int], _Run] = {}
        self._most_runs, self._most_bytes, self._age = runs, bytes_held, age

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return sum(run.held for run in self._runs.values())

    def add(self, message: Message, now: datetime) -> Message | None:
        """The whole message when this was the last fragment that it lacked; a message in one frame is handed back as it is.

        The whole one has the serial of its first fragment, which is what it is acknowledged by.
        """
        if not message.fragment:
            return message
        self.forget(now)
        first_serial = (message.serial - message.number + 1) & 0xFFFF
        key = (message.msg_id, first_serial, message.total)
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(message.total, now)
        run.last_at = now
        before = run.parts.get(message.number)
        run.held += len(message.body) + _PART_BYTES if before is None else len(message.body) - len(before)
        run.parts[message.number] = message.body
        if len(run.parts) == run.total:
            del self._runs[key]
            parts = [run.parts[number] for number in range(1, run.total + 1)]
            return msgspec.structs.replace(
                message,
                serial=first_serial,
                body=b"".join(parts),
                total=1,
                number=1,
                fragments=run.total,
                marks=tuple(map(hash, parts)),
            )
        while len(self._runs) > self._most_runs or self.held > self._most_bytes:
            self._drop(next(iter(self._runs)))
        return None

    def forget(self, now: datetime) -> None:
        """Give up what has waited too long since it began."""
        for key in [key for key, run in self._runs.items() if now - run.begun_at > self._age]:
            self._drop(key)

    def missing(self, most: int = 125) -> list[Missing]:
        """What to ask for, at most so many fragments of each message."""
        return [
            Missing(
                msg_id=msg_id,
                first_serial=first_serial,
                numbers=_absent(run, most),
                last_at=run.last_at,
            )
            for (msg_id, first_serial, _), run in self._runs.items()
        ]

    def _drop(self, key: tuple[int, int, int]) -> None:
        del self._runs[key]
        self.lost += 1


def _absent(run: _Run, most: int) -> tuple[int, ...]:
    found: list[int] = []
    for number in range(1, run.total + 1):
        if number not in run.parts:
            found.append(number)
            if len(found) == most:
                break
    return tuple(found)
