"""The ladder: the loop drawn straight, stations as rungs, trucks between them. It answers most questions faster than a map.

The origin is at the bottom, the destination at the top; trucks going out climb the left rail, those coming home descend the
right one. Rungs keep a least distance, so that six stations around a depot can be told apart; between two rungs the scale
is even. Labels that would cover each other are pushed apart and keep a thread to their place.

Pure: numbers in, numbers out, in the units of the drawing (CSS pixels at its natural size).
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from checkpoint.core.loop import LEGS, Leg, Loop, Station
from checkpoint.web.board_data import Truck

WIDTH, LEFT, RIGHT = 482, 172, 310
TOP, BOTTOM = 34, 34
RUNG_GAP, LABEL_GAP = 36.0, 21.0
LEAST_HEIGHT = 620.0


class Rung(NamedTuple):
    """A station: its height, which rails it serves, and how many trucks are in it."""

    station: Station
    y: float
    legs: tuple[Leg, ...]
    inside: int


class Mark(NamedTuple):
    """A truck: the height of its place on the rail, and of its label."""

    truck: Truck
    leg: Leg
    y: float
    label_y: float


class Ladder(NamedTuple):
    """The drawing of one loop. `elsewhere` are trucks whose place on the line is not known."""

    loop: Loop
    height: float
    rungs: tuple[Rung, ...]
    marks: tuple[Mark, ...]
    elsewhere: tuple[Truck, ...]


def ladder(loop: Loop, trucks: Iterable[Truck]) -> Ladder:
    """Lay out one loop and the trucks that drive it."""
    mine = [t for t in trucks if t.loop == loop.id]
    shares = station_shares(loop)
    order = sorted(shares, key=lambda s: (shares[s], s))
    count_of = {leg: sum(1 for t in mine if t.leg == leg and t.share is not None) for leg in LEGS}
    wanted = max(LEAST_HEIGHT, TOP + BOTTOM + RUNG_GAP * len(order), TOP + BOTTOM + LABEL_GAP * max(count_of.values()))
    heights = _rung_heights([shares[s] for s in order], wanted - TOP - BOTTOM)
    scale = _Scale([shares[s] for s in order], [wanted - BOTTOM - h for h in heights])
    y_of = {s: scale.y(shares[s], i) for i, s in enumerate(order)}
    marks: list[Mark] = []
    for leg in LEGS:
        places = []
        for t in mine:
            if t.leg == leg and t.share is not None:
                at_rung = y_of.get(t.station)
                share = t.share if leg == "outbound" else 1 - t.share
                places.append((at_rung if at_rung is not None else scale.y(share), t))
        places.sort(key=lambda place: (place[0], place[1].vehicle))
        labels = spread([y for y, _ in places], LABEL_GAP, TOP - 14, wanted - BOTTOM + 14)
        marks += [Mark(t, leg, y, label) for (y, t), label in zip(places, labels, strict=True)]
    by_leg = {leg: {stop.station.id for stop in loop.stops[leg]} for leg in LEGS}
    rungs = tuple(
        Rung(
            station,
            y_of[s],
            tuple(leg for leg in LEGS if s in by_leg[leg]),
            sum(1 for t in mine if t.station == s),
        )
        for s in order
        if (station := loop.station(s)) is not None
    )
    drawn = {m.truck.vehicle for m in marks}
    return Ladder(loop, wanted, rungs, tuple(marks), tuple(t for t in mine if t.vehicle not in drawn))


class Heights:
    """Where on the ladder of a loop a truck is drawn: the rail of its leg, at the rung of its station or its share of the way."""

    def __init__(self, laid: Ladder) -> None:
        shares = station_shares(laid.loop)
        self._rungs = {rung.station.id: rung.y for rung in laid.rungs}
        ordered = sorted((shares[rung.station.id], rung.y) for rung in laid.rungs)
        self._scale = _Scale([share for share, _ in ordered], [y for _, y in ordered])

    def y(self, leg: Leg, share: float, station: str = "") -> float:
        """The height; `share` is of the leg's own way."""
        at_rung = self._rungs.get(station)
        return at_rung if at_rung is not None else self._scale.y(share if leg == "outbound" else 1 - share)


def station_shares(loop: Loop) -> dict[str, float]:
    """How far each station lies from the origin, 0 to 1: along the outbound line, or the inbound one counted backwards."""
    found: dict[str, float] = {}
    for stop in loop.stops["inbound"]:
        found[stop.station.id] = 1 - stop.along_m / loop.paths["inbound"].length_m
    for stop in loop.stops["outbound"]:
        found[stop.station.id] = stop.along_m / loop.paths["outbound"].length_m
    for station in loop.stations:
        if station.id not in found:
            path = loop.paths["outbound"]
            found[station.id] = path.nearest(station.center).along_m / path.length_m
    found[loop.origin], found[loop.destination] = 0.0, 1.0
    return found


def _rung_heights(shares: list[float], height: float) -> list[float]:
    """Heights above the bottom: each gap at least `RUNG_GAP`, what is left over shared out by distance."""
    if len(shares) < 2:
        return [0.0] * len(shares)
    spare = max(height - RUNG_GAP * (len(shares) - 1), 0.0)
    whole = (shares[-1] - shares[0]) or 1.0
    found = [0.0]
    for a, b in itertools.pairwise(shares):
        found.append(found[-1] + RUNG_GAP + spare * (b - a) / whole)
    return found


class _Scale:
    """From a share of the way to a height: even between two rungs."""

    def __init__(self, shares: list[float], heights: list[float]) -> None:
        self.shares, self.heights = shares, heights

    def y(self, share: float, rung: int | None = None) -> float:
        """The height of a share, or of a rung by its number."""
        if rung is not None:
            return round(self.heights[rung], 1)
        i = min(max(bisect_right(self.shares, share) - 1, 0), len(self.shares) - 2)
        a, b = self.shares[i], self.shares[i + 1]
        part = min(max((share - a) / (b - a), 0.0), 1.0) if b > a else 0.0
        return round(self.heights[i] + part * (self.heights[i + 1] - self.heights[i]), 1)


def spread(places: list[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Push sorted places apart to a least gap, moving as little as may be, within bounds where there is room.

    Neighbours that collide become a block centred on the mean of what its members wanted (isotonic regression).
    """
    blocks: list[tuple[float, int]] = []  # (sum of wanted starts, members)
    for i, place in enumerate(places):
        blocks.append((place - i * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = (blocks[-1][0] + total, blocks[-1][1] + count)
    starts = [total / count for total, count in blocks for _ in range(count)]
    most = highest - (len(places) - 1) * gap
    return [round(min(max(start, lowest), max(most, lowest)) + i * gap, 1) for i, start in enumerate(starts)]
