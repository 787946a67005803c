"""Several drives of one way -> one line and how wide a corridor around it must be.

The law of this file: the line is the median of the drives, place by place, so that one drive's noise or detour does not bend it;
the corridor is as wide as what all of them drove, with a margin. A drive that is mostly elsewhere, or a stretch that is far
beside the line, is a detour: it is said, and neither averaged in nor made room for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median
from typing import NamedTuple

from checkpoint.core import geo
from checkpoint.core.geo import LonLat
from checkpoint.decoders.line import simplified
from checkpoint.drafting.plane import Plane, Poly, apart, followed

_STEP_M = 25.0
_MOST_SAMPLES = 6000
_MOST_COMPARED = 12
_ELSEWHERE_SHARE = 0.25
_MARGIN_M = 20.0
_ROUND_M = 25.0
_SECTION_M = 1500.0
MOST_HALF_WIDTH_M = 2000.0


class Way(NamedTuple):
    """One way of the drafted loop: its line, and from where on the corridor is how wide (from the beginning on)."""

    points: tuple[LonLat, ...]
    sections: tuple[tuple[float, float], ...]
    length_m: float


class Fitted(NamedTuple):
    """A way fitted to its drives, and what did not fit: names of drives that are elsewhere, and detours (name, from, to)."""

    way: Way
    elsewhere: tuple[str, ...]
    detours: tuple[tuple[str, float, float], ...]


def fitted(drives: Sequence[tuple[str, Poly]], plane: Plane, half_width_m: float) -> Fitted:
    """The line through drives of the same way and direction, the corridor around it."""
    far = max(150.0, 3 * half_width_m)
    reference = _medoid([line for _, line in drives], far)
    base = drives[reference][1]
    samples = base.sampled(max(_STEP_M, base.length / _MOST_SAMPLES))
    beside = {i: followed(line, samples, far) for i, (_, line) in enumerate(drives) if i != reference}
    elsewhere = {
        i
        for i, found in beside.items()
        if _share(off > far for off, _ in found) > _ELSEWHERE_SHARE
        or _share(off > far for off, _ in followed(base, drives[i][1].sampled(max(50.0, base.length / 2000)), far))
        > _ELSEWHERE_SHARE
    }
    kept = {i: found for i, found in beside.items() if i not in elsewhere}
    line = _median_line(base, samples, {i: (drives[i][1], found) for i, found in kept.items()}, far)
    tolerance = min(10.0, half_width_m / 4)
    points = simplified([plane.lonlat(p) for p in line], tolerance)
    way, detours = _corridor(points, plane, [drives[i] for i in (reference, *kept)], half_width_m, far)
    return Fitted(way, tuple(drives[i][0] for i in sorted(elsewhere)), detours)


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found) if found else 0.0


def _medoid(lines: Sequence[Poly], far: float) -> int:
    """Which drive is nearest to all the others; of very many, which of some."""
    if len(lines) < 3:
        return 0
    step = -(-len(lines) // _MOST_COMPARED)
    some = range(0, len(lines), step)

    def cost(i: int) -> float:
        samples = lines[i].sampled(max(100.0, lines[i].length / 300))
        return sum(min(off, 2 * far) for j in some if j != i for off, _ in followed(lines[j], samples, far))

    return min(some, key=lambda i: cost(i) / max(1.0, lines[i].length))


def _median_line(
    base: Poly,
    samples: Sequence[tuple[float, float]],
    others: dict[int, tuple[Poly, list[tuple[float, float]]]],
    far: float,
) -> list[tuple[float, float]]:
    if not others:
        return base.points
    line = []
    for i, (x, y) in enumerate(samples):
        a, b = samples[max(0, i - 1)], samples[min(len(samples) - 1, i + 1)]
        size = apart(a, b)
        offs = [0.0]
        for other, found in others.values():
            off, along = found[i]
            if off <= far:
                px, py = other.at(along)
                offs.append(((b[0] - a[0]) * (py - y) - (b[1] - a[1]) * (px - x)) / size if size else 0.0)
        aside = median(offs)
        line.append((x - aside * (b[1] - a[1]) / size, y + aside * (b[0] - a[0]) / size) if size else (x, y))
    return line


def _corridor(
    points: Sequence[LonLat], plane: Plane, drives: Sequence[tuple[str, Poly]], half_width_m: float, far: float
) -> tuple[Way, tuple[tuple[str, float, float], ...]]:
    """The corridor that holds every point of every drive but its detours, in sections; and those."""
    path = geo.Path(points)
    line = Poly([plane.xy(p) for p in points])
    stretch = path.length_m / line.length if line.length else 1.0
    buckets = [0.0] * (int(path.length_m // _SECTION_M) + 1)
    detours: list[tuple[str, float, float]] = []
    for name, drive in drives:
        begun = ended = None
        samples = _dense(drive)
        for off, at in followed(line, samples, far):
            along = at * stretch
            if off > far:
                begun, ended = along if begun is None else begun, along
                continue
            if begun is not None and ended is not None:
                detours.append((name, begun, max(ended, along)))
                begun = ended = None
            for bucket in {int(max(0.0, along - 100) // _SECTION_M), int(min(path.length_m, along + 100) // _SECTION_M)}:
                if bucket < len(buckets):
                    buckets[bucket] = max(buckets[bucket], off)
        if begun is not None and ended is not None:
            detours.append((name, begun, ended))
    sections: list[tuple[float, float]] = []
    width = half_width_m
    for i, spread in enumerate(buckets):
        wanted = half_width_m
        if spread + _MARGIN_M > half_width_m:
            wanted = min(MOST_HALF_WIDTH_M, max(half_width_m, ceil((spread + _MARGIN_M) / _ROUND_M) * _ROUND_M))
        if wanted != width:
            sections.append((round(i * _SECTION_M, 1), wanted))
            width = wanted
    return Way(tuple(points), tuple(sections), path.length_m), tuple(detours)


def _dense(drive: Poly) -> list[tuple[float, float]]:
    """The drive's own points, with more between those that are far apart: a truck drives between its positions, too."""
    found = [drive.points[0]]
    for a, b in zip(drive.points, drive.points[1:], strict=False):
        count = max(1, round(apart(a, b) / 100))
        found += [(a[0] + (b[0] - a[0]) * k / count, a[1] + (b[1] - a[1]) * k / count) for k in range(1, count + 1)]
    return found
