"""A drive's shape: which laps are in it, where it turns, and what its ways out and back are.

Three shapes are known. A drive that ends elsewhere is one way, and the way back is taken to be the same road until a drive
shows it. One that comes back over the road it went turns where it begins to retrace its way. A ring turns at the stop that
is farthest out, or, without stops, where it is farthest from its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from checkpoint.drafting.cleaning import Cleaned, Stand
from checkpoint.drafting.plane import XY, Plane, Poly, apart

Shape = Literal["one-way", "out-and-back", "ring"]
_HOME_M = 500.0
_HOME_SHARE = 0.05
_RETRACED_M = 80.0
_RETRACED_SHARE = 0.5
_STOP_FAR_SHARE = 0.6
_TURNS_BETWEEN = 0.2


class Lap(NamedTuple):
    """One lap, or one way: the drive it is of, its shape, the line out and back (None: not driven), where it stood on each;
    `timed` says whether it can show that it stood at all."""

    name: str
    shape: Shape
    out: Poly
    back: Poly | None
    out_stands: tuple[Stand, ...]
    back_stands: tuple[Stand, ...]
    timed: bool


def laps_of(drive: Cleaned, plane: Plane) -> list[Lap]:
    """The laps in a drive, in order."""
    points = [plane.xy(p) for p in drive.points]
    found = []
    for first, last in _cut(points, drive.stands):
        if last - first < 1:
            continue
        stands = tuple(s._replace(point=s.point - first) for s in drive.stands if first <= s.point <= last)
        found.append(_lap(drive, points[first : last + 1], stands, plane))
    return found


def _cut(points: Sequence[XY], stands: Sequence[Stand]) -> list[tuple[int, int]]:
    """Where one lap ends and the next begins: each time the drive has been far out and is home again, where it stood longest
    there, else nearest to where it began. The last lap ends where the drive does."""
    start = points[0]
    far = max(apart(start, p) for p in points)
    home = _home(far)
    longest = {s.point: s.length.total_seconds() for s in stands}
    cuts, away, visit = [0], False, list[int]()
    for i, point in enumerate(points):
        distance = apart(start, point)
        if distance > far / 2:
            if visit:
                cuts.append(max(visit, key=lambda k: (longest.get(k, 0.0), -apart(start, points[k]))))
            away, visit = True, []
        elif away and distance <= home:
            visit.append(i)
    return list(pairwise([*cuts, len(points) - 1]))


def _home(far: float) -> float:
    """How near to its beginning a drive that goes so far out is home again."""
    return max(_HOME_SHARE * far, min(_HOME_M, far / 4))


def _lap(drive: Cleaned, points: list[XY], stands: tuple[Stand, ...], plane: Plane) -> Lap:
    line = Poly(points)
    far = max(apart(points[0], p) for p in points)
    is_home = apart(points[0], points[-1]) <= _home(far)
    turn = _retraced(line)
    if not is_home and (turn is None or turn < line.length * 0.3):
        return Lap(drive.name, "one-way", line, None, stands, (), drive.timed)
    shape: Shape = "ring" if turn is None else "out-and-back"
    turn = _farthest(line, stands, far) if turn is None else _at_stand(line, turn, stands, plane)
    before = tuple(s for s in stands if line.along[s.point] <= turn + 1)
    after = tuple(s for s in stands if s not in before)
    # One that came back over its own road, only not the whole way, says no more of that way than the road.
    back = line.part(turn, line.length) if is_home else None
    return Lap(drive.name, shape, line.part(0, turn), back, before, after, drive.timed)


def _retraced(line: Poly) -> float | None:
    """How far along a line turns and goes back over its own road; None when it does not."""
    step = max(40.0, line.length / 1500)
    samples = line.sampled(step)
    count = len(samples)

    def retraced(k: int) -> int:
        """For how many samples the way from `k` on runs back over the way to it."""
        s = 1
        while k + s < count and k - s >= 0:
            slip = 2 + s // 12
            window = samples[max(0, k - s - slip) : k - s + slip + 1]
            if min(apart(samples[k + s], p) for p in window) > _RETRACED_M + step / 2:
                break
            s += 1
        return s - 1

    best = max(range(1, count - 1), key=retraced, default=0)
    if not best or retraced(best) < _RETRACED_SHARE * min(best, count - 1 - best) or retraced(best) * step < 300:
        return None
    return line.length * best / (count - 1)


def _at_stand(line: Poly, turn: float, stands: Sequence[Stand], plane: Plane) -> float:
    """The turning point, at the stand that is there when there is one."""
    for stand in sorted(stands, key=lambda s: -s.length):
        off, along = line.near(plane.xy(stand.place), max(0.0, turn - 600), min(line.length, turn + 600))
        if off <= 100:
            return along
    return turn


def _farthest(line: Poly, stands: Sequence[Stand], far: float) -> float:
    start = line.points[0]
    inner = (_TURNS_BETWEEN * line.length, (1 - _TURNS_BETWEEN) * line.length)
    out = [
        s
        for s in stands
        if apart(start, line.points[s.point]) >= _STOP_FAR_SHARE * far and inner[0] <= line.along[s.point] <= inner[1]
    ]
    if out:
        return line.along[max(out, key=lambda s: s.length).point]
    index = max(range(len(line.points)), key=lambda i: apart(start, line.points[i]))
    return line.along[index]
