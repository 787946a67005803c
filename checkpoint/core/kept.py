"""What was read of a track, as bytes: a follower put by, and taken up again where it stood.

The law of this file: only values of the core's own classes are taken apart and put together, field by field; nothing in the
bytes is ever run, nor imported. What is read back has the very values that were kept, and what two places shared they share
again. The bytes are for the program that wrote them and nobody else: whoever keeps them says by which code and which loop
they were made, and throws them away when either is another. They hold no more than the follower does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from checkpoint.core.follow import Follower
from checkpoint.core.loop import Policy
from checkpoint.core.ways import Fence, Ways

_CORE = "checkpoint.core."
_PLAIN = frozenset({type(None), bool, int, float, str})
_TUPLE, _DICT, _PART, _FENCE, _POLICY, _WAYS = range(6)


class Unreadable(ValueError):
    """The bytes are not a follower's, or another program's."""


class Packed(NamedTuple):
    """Followers as bytes, and the earliest instant that they name (None: none)."""

    data: bytes
    oldest: datetime | None


def pack(followers: Sequence[Follower]) -> Packed:
    """Followers of one track as bytes."""
    packing = _Packing()
    kept = [packing.value(follower) for follower in followers]
    return Packed(msgspec.msgpack.encode([packing.shapes, packing.parts, kept]), packing.oldest)


def unpack(data: bytes, ways: Ways) -> list[Follower]:
    """The followers again, on the loop that they were made on. Raises `Unreadable`."""
    try:
        shapes, parts, kept = msgspec.msgpack.decode(data)
        unpacking = _Unpacking(shapes, ways)
        for shape, values in parts:
            unpacking.part(shape, values)
        found = [unpacking.follower(value) for value in kept]
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, IndexError, AttributeError, StopIteration) as error:
        raise Unreadable(str(error)) from error
    return found


def _part(name: str) -> type:
    """A class of the core by its module and name, if it is there and is its own."""
    module, _, own = name.partition(":")
    found = getattr(sys.modules.get(module), own, None) if module.startswith(_CORE) else None
    if not isinstance(found, type) or found.__module__ != module:
        raise TypeError(f"{name} is no class of the core's")
    return found


def _fields(part: type, value: object) -> tuple[str, ...]:
    """The names of what a part holds."""
    if issubclass(part, msgspec.Struct):
        return part.__struct_fields__
    if issubclass(part, tuple):
        return part._fields  # type: ignore[attr-defined, no-any-return]
    return tuple(getattr(part, "__slots__", None) or sorted(vars(value)))


class _Packing:
    """Takes values apart; every object once, after all that it holds."""

    def __init__(self) -> None:
        self.shapes: list[tuple[str, tuple[str, ...]]] = []
        self.parts: list[tuple[int, list[object]]] = []
        self._shapes: dict[tuple[str, tuple[str, ...]], int] = {}
        self._places: dict[int, int] = {}
        self.oldest: datetime | None = None

    def value(self, value: object) -> object:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if isinstance(value, datetime):
            if self.oldest is None or value < self.oldest:
                self.oldest = value
            return value
        if isinstance(value, tuple) and kind is tuple:
            return [_TUPLE, *map(self.value, value)]
        if isinstance(value, dict):
            return [_DICT, *(self.value(each) for pair in value.items() for each in pair)]
        if isinstance(value, Fence):
            return [_FENCE, value.station]
        if isinstance(value, Policy):
            return [_POLICY]
        if isinstance(value, Ways):
            return [_WAYS]
        return [_PART, self._place(kind, value)]

    def _place(self, kind: type, value: object) -> int:
        place = self._places.get(id(value))
        if place is None:
            name = f"{kind.__module__}:{kind.__name__}"
            names = _fields(_part(name), value)
            shape = self._shapes.setdefault((name, names), len(self._shapes))
            if shape == len(self.shapes):
                self.shapes.append((name, names))
            held = [self.value(getattr(value, name)) for name in names]
            place = self._places[id(value)] = len(self.parts)
            self.parts.append((shape, held))
        return place


class _Unpacking:
    """Puts values together again, each object from those before it."""

    def __init__(self, shapes: Sequence[tuple[str, Sequence[str]]], ways: Ways) -> None:
        self._shapes = [(_part(name), tuple(names)) for name, names in shapes]
        self._ways = ways
        self._fences = {fence.station: fence for fence in ways.fences}
        self._parts: list[Any] = []

    def value(self, value: object) -> object:
        if not isinstance(value, list):
            return value
        kind = value[0]
        if kind == _PART:
            return self._parts[value[1]]
        if kind == _TUPLE:
            return tuple([self.value(each) for each in value[1:]])
        if kind == _DICT:
            return {self.value(value[i]): self.value(value[i + 1]) for i in range(1, len(value), 2)}
        if kind == _FENCE:
            return self._fences[value[1]]
        if kind == _POLICY:
            return self._ways.loop.policy
        if kind == _WAYS:
            return self._ways
        raise ValueError(f"a value of no known kind: {kind}")

    def follower(self, value: object) -> Follower:
        found = self.value(value)
        if not isinstance(found, Follower):
            raise TypeError("not a follower")
        return found

    def part(self, shape: int, values: Sequence[object]) -> None:
        kind, names = self._shapes[shape]
        held = [self.value(value) for value in values]
        made: Any
        if issubclass(kind, msgspec.Struct):
            made = kind(**dict(zip(names, held, strict=True)))
        elif issubclass(kind, tuple):
            made = kind._make(held)  # type: ignore[attr-defined]
        else:
            made = object.__new__(kind)
            for name, each in zip(names, held, strict=True):
                setattr(made, name, each)
        self._parts.append(made)
